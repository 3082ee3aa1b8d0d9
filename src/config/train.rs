//! The section `train`: the built-in trainer's recipe.

use super::optimiser::{OptimiserConfig, optimiser};
use super::problem::Fault;
use super::reader::Section;
use super::schedule::{ScheduleConfig, schedule};
use super::sections::{LARGEST_BATCH, MOST_THREADS};
use super::tree::Node;
use super::values::{BELOW_ONE, INSIDE, Limits, POSITIVE, Read, SHARE};
use super::words::TrainPrecision;
use std::ops::Bound;

/// The built-in trainer's settings.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TrainConfig {
    /// The most images a forward pass; at least 1.
    pub batch: u32,
    /// Batches whose gradients move the weights together; at least 1.
    pub accumulate: u32,
    /// How a gradient moves the weights.
    #[serde(flatten)]
    pub optimiser: OptimiserConfig,
    /// The highest learning rate; above 0.
    pub learning_rate: f64,
    /// In [0, 1].
    pub weight_decay: f64,
    /// The course of the learning rate.
    #[serde(flatten)]
    pub schedule: ScheduleConfig,
    /// Share of each label that is spread evenly over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// The longest gradient, all weights taken together, by which they may move; above 0.
    pub clip_norm: Option<f64>,
    /// How much of the average of the weights stays at each move, in (0, 1); checkpoints hold the average.
    pub ema: Option<f64>,
    /// 0 = all cores.
    pub threads: u32,
    /// How wide the numbers are in convolutions and matrix products.
    pub precision: TrainPrecision,
    /// Whether convolutions keep the channels of a pixel side by side in memory.
    pub channels_last: bool,
    /// Patterns of weights that stay as they are; none for none.
    pub freeze: Option<Vec<String>>,
    /// Patterns of the only weights that train; none for all.
    pub only: Option<Vec<String>>,
    /// Patterns of weights that train although no layer is seen to have them; none for none.
    pub also: Option<Vec<String>>,
    /// Mixup: alpha of the Beta distribution that its shares are drawn from, in [0, 4]; 0 = none.
    pub mixup: f64,
    /// Likewise for CutMix.
    pub cutmix: f64,
    /// Share of the batches that are mixed, if any are, in [0, 1].
    pub mix_probability: f64,
}

/// Drawn by rejection, shares of a greater alpha would take ever more attempts, and are nearly all one half.
const ALPHA: Limits = (Bound::Included(0.0), Bound::Included(4.0));

pub(super) fn train(s: &Section<'_>) -> TrainConfig {
    let optimiser = optimiser(s);
    // What is usual with one is far off with the other.
    let (learning_rate, weight_decay) = match optimiser {
        OptimiserConfig::Sgd { .. } => (0.05, 0.0005),
        OptimiserConfig::AdamW { .. } => (0.001, 0.01),
    };
    TrainConfig {
        batch: s.count("batch", 128, 1..=LARGEST_BATCH),
        accumulate: s.count("accumulate", 1, 1..=LARGEST_BATCH),
        optimiser,
        learning_rate: s.number("learning_rate", learning_rate, POSITIVE),
        weight_decay: s.number("weight_decay", weight_decay, SHARE),
        schedule: schedule(s),
        label_smoothing: s.number("label_smoothing", 0.0, BELOW_ONE),
        clip_norm: s.optional_number("clip_norm", "1.0", POSITIVE),
        ema: s.optional_number("ema", "0.999", INSIDE),
        threads: s.count("threads", 0, 0..=MOST_THREADS),
        precision: s.word("precision", TrainPrecision::Fp32),
        channels_last: s.flag("channels_last", true),
        freeze: s.optional("freeze", "[\"features.*\"]", patterns),
        only: s.optional("only", "[\"classifier.*\"]", patterns),
        also: s.optional("also", "[\"*.latent\"]", patterns),
        mixup: s.number("mixup", 0.0, ALPHA),
        cutmix: s.number("cutmix", 0.0, ALPHA),
        mix_probability: s.number("mix_probability", 1.0, SHARE),
    }
}

/// Patterns of names of weights.
fn patterns(node: &Node) -> Read<Vec<String>> {
    let items = node.items("a list of patterns")?;
    if items.is_empty() {
        return Err(Fault::new("is an empty list", "leave the key out"));
    }
    items.iter().map(|item| item.text().map(str::to_owned).map_err(|fault| fault.of_item(item.place))).collect()
}
