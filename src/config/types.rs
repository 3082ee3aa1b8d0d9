//! The config as plain data. Every number's default stands in `sections.rs`; units and ranges are said here.

use super::augment::AugmentConfig;
use super::auto::OrAuto;
use super::choosing::*;
use super::templates;
use super::train::TrainConfig;
use super::words::{Crop, Device, Links, ListFormat, ListPaths, Policy, Precision, Resize, Watch};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::path::PathBuf;
use std::time::Duration;

/// Everything a run is told. Serialised, it is a config again: the same keys, every default written out.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Config {
    /// The seed of every random draw.
    pub seed: u64,
    /// Where the images are.
    pub pool: PoolConfig,
    /// The one preprocessing.
    pub pixels: PixelsConfig,
    /// Where decoded images are kept.
    pub cache: CacheConfig,
    /// The starting graph.
    pub model: ModelConfig,
    /// Where checkpoints appear.
    pub checkpoint: CheckpointConfig,
    /// How the next subset is chosen.
    pub policy: Policy,
    /// The first epoch's subset.
    pub initial: InitialConfig,
    /// The scan of the pool.
    pub mine: MineConfig,
    /// What is done with the mined images.
    pub cluster: ClusterConfig,
    /// Confidently right images that come back.
    pub extras: ExtrasConfig,
    /// What classes of few images are to have.
    pub classes: ClassesConfig,
    /// Images whose label is probably wrong.
    pub suspects: SuspectsConfig,
    /// How a subset is published.
    pub lists: ListsConfig,
    /// Who does the training step.
    pub trainer: Trainer,
    /// Who is told of what happens.
    pub hooks: HooksConfig,
    /// The built-in trainer's settings.
    pub train: TrainConfig,
    /// The scoring session's settings.
    pub score: ScoreConfig,
    /// How much work there is to spend.
    pub plan: PlanConfig,
    /// When the loop ends.
    pub stop: StopConfig,
    /// Where the run's memory lies.
    pub state: StateConfig,
}

/// Where the images are: lists of `path label` lines, or folders with a sub-folder per class.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolConfig {
    /// The pool that subsets are chosen from.
    pub train: PathBuf,
    /// Images that decide when to stop; never trained on.
    pub validation: PathBuf,
    /// Images that only a final report looks at.
    pub test: Option<PathBuf>,
    /// Where symbolic links in these may lead.
    pub links: Links,
}

/// The one preprocessing, used by scoring and by training.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PixelsConfig {
    /// Height and width of the model's input, in pixels.
    pub size: [u32; 2],
    /// 1 for grey, 3 for RGB.
    pub channels: u32,
    /// Subtracted per channel, of pixels scaled to 0..1; as long as `channels`.
    pub mean: Vec<f32>,
    /// Divided by per channel after the mean, of pixels scaled to 0..1; as long as `channels`.
    pub std: Vec<f32>,
    /// The filter.
    pub resize: Resize,
    /// Which part of an image is taken.
    pub crop: Crop,
    /// Share of the resized image's side that a centre crop keeps, in (0, 1].
    pub crop_fraction: f64,
    /// Random changes in training.
    pub augment: AugmentConfig,
    /// Megapixels that an image may have; above 0, and at least those of `size` before the crop.
    pub max_megapixels: f64,
    /// MiB that an image's file may have; above 0.
    pub max_file_mib: f64,
}

/// Where decoded images are kept.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct CacheConfig {
    /// The folder of the cache files.
    pub folder: PathBuf,
    /// The bound of their sizes, in GiB, at least 0; 0 = keep none.
    pub max_gib: f64,
}

/// The starting graph.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ModelConfig {
    /// The ONNX file that epoch 0 begins with; `None` only where nobody asks for it ([`TrainerProgram::needs_start`]).
    pub start: Option<PathBuf>,
    /// Which tensor of the graph is the embedding.
    pub embedding: Embedding,
}

/// Which tensor of the graph is the embedding. In a config: `auto`, `none`, or the tensor's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// Find the input of the last linear layer.
    Auto,
    /// Do without: images are then not grouped by similarity.
    None,
    /// The tensor of this name.
    Name(String),
}

impl Serialize for Embedding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Name(name) => name,
        })
    }
}

/// Where checkpoints appear, and when one counts as whole.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CheckpointConfig {
    /// The watched folder.
    pub folder: PathBuf,
    /// A file name with one `{epoch}`.
    pub pattern: String,
    /// A file that has not changed for so long is looked at.
    #[serde(serialize_with = "duration")]
    pub quiet: Duration,
    /// How the folder is watched.
    pub watch: Watch,
    /// How often the folder is looked through without a hint from the operating system; never 0.
    #[serde(serialize_with = "duration")]
    pub poll: Duration,
}

/// How a subset is published.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ListsConfig {
    /// The folder of the lists.
    pub folder: PathBuf,
    /// In the order of [`ListFormat`], each once; [`ListFormat::Csv`] is always among them.
    pub formats: Vec<ListFormat>,
    /// Absolute paths, or as the pool's list has them.
    pub paths: ListPaths,
}

/// Who does the training step, and with how much patience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trainer {
    /// Who does the training step.
    pub program: TrainerProgram,
    /// How often a step is tried before the run gives up; at least 1.
    pub attempts: u32,
    /// The pause before the second attempt.
    pub backoff: Duration,
    /// A step that takes longer is ended.
    pub timeout: Option<Duration>,
}

/// Who does the training step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainerProgram {
    /// `gleaner-trainer step`.
    BuiltIn,
    /// A program and its arguments, with placeholders; never empty.
    Command(Vec<String>),
    /// Nobody that gleaner starts: a script runs by itself and follows the lists.
    None,
}

impl TrainerProgram {
    /// Whether it asks for a starting graph: the built-in trainer does, and a command that names `{checkpoint_in}`.
    pub fn needs_start(&self) -> bool {
        match self {
            Self::BuiltIn => true,
            Self::Command(command) => command.iter().any(|argument| templates::mentions(argument, "checkpoint_in")),
            Self::None => false,
        }
    }
}

impl Serialize for Trainer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let command = match &self.program {
            TrainerProgram::None => return serializer.serialize_str("none"),
            TrainerProgram::BuiltIn => None,
            TrainerProgram::Command(command) => Some(command),
        };
        let mut fields = serializer.serialize_struct("Trainer", 4)?;
        fields.serialize_field("command", &command)?;
        fields.serialize_field("attempts", &self.attempts)?;
        fields.serialize_field("backoff", &words(self.backoff))?;
        fields.serialize_field("timeout", &self.timeout.map(words))?;
        fields.end()
    }
}

/// Programs that are started when something has happened, each with its arguments, which may have placeholders.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HooksConfig {
    /// A list is published; its training begins when the hook has ended.
    pub on_publish: Option<Vec<String>>,
    /// A stop rule has ended the run.
    pub on_stop: Option<Vec<String>>,
    /// The run cannot go on.
    pub on_failure: Option<Vec<String>>,
    /// A hook that takes longer is ended; at least a second.
    #[serde(serialize_with = "duration")]
    pub timeout: Duration,
}

/// The scoring session's settings.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ScoreConfig {
    /// Images a forward.
    pub batch: OrAuto<u32>,
    /// 0 = all cores.
    pub threads: u32,
    /// Where checkpoints are run.
    pub device: Device,
    /// How wide the numbers are.
    pub precision: Precision,
    /// GiB of memory that a model may take while it is loaded and tried on the processor; above 0.
    pub max_gib: OrAuto<f64>,
}

/// How much work there is to spend, and what a scan is charged.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PlanConfig {
    /// In full-data epochs; above 0.
    pub cost: Option<f64>,
    /// Price of one scoring forward, in training visits; above 0.
    pub forward: f64,
    /// Share of the planned work at its end that trains on the whole pool, in [0, 1).
    pub finish: f64,
}

/// When the loop ends: at whichever comes first.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct StopConfig {
    /// Validation accuracy that is enough, in (0, 1].
    pub accuracy: Option<f64>,
    /// Epochs without a better validation accuracy; at least 1.
    pub patience: Option<u32>,
    /// Epochs in all; at least 1.
    pub epochs: Option<u32>,
}

/// Where the run's memory lies.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StateConfig {
    /// The folder of the ledger and of what is known of each sample.
    pub folder: PathBuf,
}

fn words(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

pub(super) fn duration<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words(*value))
}
