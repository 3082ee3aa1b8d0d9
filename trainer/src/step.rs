//! One training step: a pass over an epoch's manifest, from one checkpoint to the next.

use crate::cli::StepArguments;
use crate::export::{Provenance, export};
use crate::graph::{Graph, Mode, untie};
use crate::loader::{Batch, Loader, Recipe};
use crate::loss::weighted_cross_entropy;
use crate::manifest::{self, Manifest};
use crate::mixing::Mixing;
use crate::optimiser::Optimiser;
use crate::schedule::Schedule;
use crate::scores::Scores;
use crate::{device, state};
use anyhow::{Context, bail};
use gleaner::cache::Cache;
use gleaner::config::{Config, TrainPrecision};
use gleaner::digest;
use gleaner::draw::{Draws, Stream};
use gleaner::files::publish;
use gleaner::ledger::scores_beside;
use gleaner::onnx::{self, Classifier, Model};
use gleaner::pixels::{Layout, Preprocess};
use gleaner::settings;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// How often a running step says how far it is.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Runs `gleaner-trainer step`.
///
/// Nothing is written unless the whole step succeeds. Then the optimiser's state, the report and the scores come first
/// and the checkpoint last: whoever sees the checkpoint sees everything that belongs to it.
pub fn run(arguments: &StepArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config, &arguments.overrides)?;
    let manifest = Manifest::read(&arguments.manifest, &manifest::root(&config.pool))?;
    let mut model = Model::read(&arguments.checkpoint_in)?;
    let ir_version = model.proto().ir_version();
    untie(model.graph_mut(), ir_version);
    let classifier = Classifier::of(&model)?;

    let device = device::choose();
    let seed = Draws::new(arguments.seed, arguments.epoch, Stream::Dropout).bits(0);
    let threads = settings::threads(config.train.threads);
    device::settle(threads, seed);
    let mut graph = Graph::new(&model, &classifier, device)?;
    if config.train.precision == TrainPrecision::Bf16 {
        graph = graph.narrow();
    }
    let mut optimiser = Optimiser::new(&graph, config.train.momentum, config.train.weight_decay)?;
    if optimiser.is_empty() {
        bail!("{}: no weight of it can be trained; see `gleaner model inspect`", model.file());
    }
    let preprocess = settings::preprocess(&config);
    let frame = Frame::of(&classifier, &preprocess, model.file())?;
    manifest.check_labels(frame.classes(&graph, device)?, model.file())?;
    resume(&mut optimiser, &arguments.checkpoint_in, model.digest())?;

    let [done, planned] = [arguments.work_done, arguments.work_planned];
    if !(done.is_finite() && planned.is_finite() && done >= 0.0 && planned >= 0.0) {
        bail!("--work-done {done} and --work-planned {planned} must be numbers of images, 0 or more");
    }
    let schedule = Schedule { learning_rate: config.train.learning_rate, warmup: config.train.warmup, done, planned };
    if schedule.is_over() {
        eprintln!("warning: the planned work is done, so the learning rate is 0 and this step changes no weight");
    }
    let cache = Arc::new(kept_images(&config, &preprocess));
    let recipe = Recipe {
        root: manifest.root,
        cache: Arc::clone(&cache),
        augment: settings::augment(&config),
        layout: frame.layout,
        preprocess,
        batch: usize::try_from(config.train.batch)?,
        threads,
        seed: arguments.seed,
        epoch: arguments.epoch,
    };
    let total = manifest.samples.len();
    let scores = Scores::new(total);
    let mixing = Mixing {
        mixup: config.train.mixup,
        cutmix: config.train.cutmix,
        probability: config.train.mix_probability,
        draws: Draws::new(arguments.seed, arguments.epoch, Stream::Mixing),
    };
    let mut pass = Pass { graph, schedule, frame, mixing, device, epoch: arguments.epoch, total, scores };
    let samples = Arc::new(manifest.samples);
    let outcome = pass.train(&mut optimiser, Loader::start(Arc::clone(&samples), recipe)?)?;
    if let Some(news) = cache.news() {
        eprintln!("note: {news}");
    }

    let provenance = Provenance { epoch: arguments.epoch, seed: arguments.seed };
    let bytes = export(&mut model, &pass.graph, provenance)?;
    let checkpoint = arguments.checkpoint_out.as_path();
    state::write(&optimiser, checkpoint, &digest::of_bytes(&bytes))?;
    if let Some(path) = &arguments.report {
        let text = serde_json::to_vec_pretty(&outcome.report())?;
        publish(path, |writer| writer.write_all(&text))?;
    }
    pass.scores.write(&scores_beside(checkpoint), &samples)?;
    // Before the checkpoint is there: once it is, nobody comes back to tidy up after a step that was killed.
    if let Err(error) = state::prune(folder(checkpoint), &[&arguments.checkpoint_in, checkpoint]) {
        eprintln!("note: older optimiser states and scores in {} stay: {error}", folder(checkpoint).display());
    }
    publish(checkpoint, |writer| writer.write_all(&bytes))?;
    Ok(())
}

/// The images that are kept. Whoever sees the whole pool, and so knows how many they are, makes the file.
fn kept_images(config: &Config, preprocess: &Preprocess) -> Cache {
    Cache::open(&settings::cache(config), preprocess, None).unwrap_or_else(|error| {
        eprintln!("note: images are decoded each time: {error}");
        Cache::off()
    })
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Takes up the momentum of the step before, if it is there.
fn resume(optimiser: &mut Optimiser, checkpoint: &Path, digest: &str) -> anyhow::Result<()> {
    let reason = match state::read(checkpoint, digest) {
        Ok(velocities) if optimiser.resume(&velocities)? => return Ok(()),
        Ok(_) => format!("{} does not fit the graph", state::path_of(checkpoint).display()),
        Err(reason) => reason,
    };
    eprintln!("note: training begins without momentum: {reason}");
    Ok(())
}

/// The form of an image batch.
struct Frame {
    layout: Layout,
    /// Extents of one image, in the layout's order.
    extents: [i64; 3],
}

impl Frame {
    fn of(classifier: &Classifier, pixels: &Preprocess, model: &str) -> anyhow::Result<Self> {
        let channels = pixels.channels.count();
        let (height, width) = (usize::try_from(pixels.height)?, usize::try_from(pixels.width)?);
        let fits = |declared: Option<usize>, wanted| declared.is_none_or(|declared| declared == wanted);
        if !fits(classifier.channels, channels) || !fits(classifier.height, height) || !fits(classifier.width, width) {
            let shown = |extent: Option<usize>| extent.map_or("any".to_owned(), |extent| extent.to_string());
            bail!(
                "{model}: its input takes images of {} channels, height {} and width {}, but the config's `pixels` \
                 give {channels}, {height} and {width}; correct `pixels.channels` and `pixels.size`",
                shown(classifier.channels),
                shown(classifier.height),
                shown(classifier.width)
            );
        }
        let [channels, height, width] = [i64::try_from(channels)?, i64::try_from(height)?, i64::try_from(width)?];
        Ok(match classifier.layout {
            onnx::Layout::Nchw => Self { layout: Layout::Nchw, extents: [channels, height, width] },
            onnx::Layout::Nhwc => Self { layout: Layout::Nhwc, extents: [height, width, channels] },
        })
    }

    /// How many rows and columns an image has.
    fn sides(&self) -> [i64; 2] {
        let [first, second, third] = self.extents;
        match self.layout {
            Layout::Nchw => [second, third],
            Layout::Nhwc => [first, second],
        }
    }

    fn shape(&self, images: i64) -> [i64; 4] {
        let [first, second, third] = self.extents;
        [images, first, second, third]
    }

    /// How many classes the graph tells apart, found by running it on two empty images: a graph that cannot run is
    /// refused before any image is read.
    fn classes(&self, graph: &Graph, device: Device) -> anyhow::Result<i64> {
        let _no_gradients = tch::no_grad_guard();
        let images = Tensor::f_zeros(self.shape(2), (Kind::Float, device))?;
        let logits = graph.logits(&images, Mode::Evaluate)?;
        match logits.size().as_slice() {
            [2, classes] => Ok(*classes),
            shape => bail!("for 2 images the graph gives logits of shape {shape:?} instead of [2, classes]"),
        }
    }
}

/// A pass over the manifest.
struct Pass {
    graph: Graph,
    schedule: Schedule,
    frame: Frame,
    mixing: Mixing,
    device: Device,
    epoch: u32,
    total: usize,
    scores: Scores,
}

/// What a step did.
struct Outcome {
    images: usize,
    skipped: usize,
    seconds: f64,
    /// Of these, how many the step stood still because no batch was ready.
    waited: f64,
    /// The mean over all images of weight times cross-entropy, mixed where images are.
    loss: f64,
    learning_rate: f64,
}

impl Outcome {
    fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "images": self.images,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "waited": self.waited,
            "loss": self.loss,
            "learning_rate": self.learning_rate,
        })
    }
}

impl Pass {
    fn train(&mut self, optimiser: &mut Optimiser, mut loader: Loader) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let mut told = began;
        let mut outcome = Outcome { images: 0, skipped: 0, seconds: 0.0, waited: 0.0, loss: 0.0, learning_rate: 0.0 };
        let mut sum = 0.0;
        let mut number = 0usize;
        let mut asked = began;
        while let Some(batch) = loader.next_batch() {
            number += 1;
            outcome.waited += asked.elapsed().as_secs_f64();
            outcome.learning_rate = self.schedule.rate(outcome.images, batch.len());
            let loss = self
                .learn(optimiser, number, &batch, outcome.learning_rate)
                .with_context(|| format!("batch {number}"))?;
            if !loss.is_finite() {
                bail!(
                    "batch {number}: the loss is {loss} at learning rate {:.6}; nothing was written; \
                     lower `train.learning_rate`, or raise `train.warmup`",
                    outcome.learning_rate
                );
            }
            sum += loss * batch.len() as f64;
            outcome.images += batch.len();
            outcome.seconds = began.elapsed().as_secs_f64();
            outcome.loss = sum / outcome.images as f64;
            if told.elapsed() >= REPORT_EVERY {
                told = Instant::now();
                self.tell(&outcome);
            }
            asked = Instant::now();
        }
        outcome.skipped = loader.finish()?;
        if outcome.images == 0 {
            bail!("none of the {} images could be decoded; nothing was written", self.total);
        }
        self.tell(&outcome);
        Ok(outcome)
    }

    /// One batch: forward, backward, and the optimiser's move. Returns the loss before the move, to which the scores belong, too.
    fn learn(
        &mut self,
        optimiser: &mut Optimiser,
        number: usize,
        batch: &Batch,
        learning_rate: f64,
    ) -> anyhow::Result<f64> {
        let images = Tensor::f_from_slice(&batch.images)?.f_reshape(self.frame.shape(i64::try_from(batch.len())?))?;
        let mut images = images.f_to_device(self.device)?;
        let mix = self.mixing.draw(number as u64, batch.len(), self.frame.sides());
        if let Some(mix) = &mix {
            images = mix.images(images, self.frame.layout)?;
        }
        let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(self.device)?;
        let weights = Tensor::f_from_slice(&batch.weights)?.f_to_device(self.device)?;
        let logits = self.graph.logits(&images, Mode::Train)?;
        let loss_of = |labels: &Tensor, weights: &Tensor| weighted_cross_entropy(&logits, labels, weights);
        let loss = match &mix {
            None => loss_of(&labels, &weights)?,
            Some(mix) => mix.loss(&labels, &weights, loss_of)?,
        };
        let value = loss.f_double_value(&[])?;
        let answers = state::values(&logits)?;
        if value.is_finite() {
            loss.f_backward()?;
            optimiser.step(learning_rate)?;
        }
        // Last, so that a GPU is at work meanwhile. A mixed image itself was not seen.
        if mix.is_none() {
            self.scores.note(batch, &answers);
        }
        Ok(value)
    }

    fn tell(&self, outcome: &Outcome) {
        eprintln!(
            "epoch {}: {}/{} images, loss {:.4}, learning rate {:.5}, {:.0} images/s",
            self.epoch,
            outcome.images,
            self.total,
            outcome.loss,
            outcome.learning_rate,
            outcome.images as f64 / outcome.seconds.max(1e-9)
        );
    }
}
