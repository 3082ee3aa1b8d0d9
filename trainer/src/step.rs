//! One training step: a pass over an epoch's manifest, from one checkpoint to the next.

use crate::average::Average;
use crate::cli::StepArguments;
<<<<<<< ours
use crate::export::{Provenance, export};
use crate::frame::Frame;
use crate::graph::Graph;
use crate::loader::{Loader, Recipe};
=======
use crate::export::{Provenance, export, lend};
use crate::graph::{Graph, Mode, untie};
use crate::loader::{Batch, Loader, Recipe};
use crate::loss::weighted_cross_entropy;
>>>>>>> theirs
use crate::manifest::{self, Manifest};
use crate::news::News;
use crate::optimiser::Optimiser;
use crate::pass::Pass;
use crate::schedule::Schedule;
use crate::scores::Scores;
use crate::{device, state};
use anyhow::{Context, bail};
use gleaner::cache::Cache;
<<<<<<< ours
use gleaner::config::{Config, ScheduleConfig, TrainConfig, TrainPrecision};
use gleaner::digest;
=======
use gleaner::config::{Config, TrainPrecision};
>>>>>>> theirs
use gleaner::draw::{Draws, Stream};
use gleaner::files::publish;
use gleaner::ledger::scores_beside;
use gleaner::onnx::training::untie;
use gleaner::onnx::{Classifier, Model};
use gleaner::pixels::Preprocess;
use gleaner::settings;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tch::Device;

/// Runs `gleaner-trainer step`.
///
/// Nothing is written unless the whole step succeeds. Then the optimiser's state, the report and the scores come first
/// and the checkpoint last: whoever sees the checkpoint sees everything that belongs to it.
pub fn run(arguments: &StepArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config, &arguments.overrides)?;
    let manifest = Manifest::read(&arguments.manifest, &manifest::root(&config.pool))?;
    let mut model = Model::read(&arguments.checkpoint_in)?;
    untie(&mut model);
    let classifier = Classifier::of(&model)?;

    let device = device::choose();
    let seed = Draws::new(arguments.seed, arguments.epoch, Stream::Dropout).bits(0);
    let threads = settings::threads(config.train.threads);
    device::settle(threads, seed);
    let graph = Graph::new(&model, &classifier, device)?.freeze(&settings::selection(&config));
    let mut graph = graph.with_context(|| model.file().to_owned())?;
    if config.train.precision == TrainPrecision::Bf16 {
        graph = graph.narrow();
    }
    graph.lay_out(config.train.channels_last.unwrap_or_else(|| likes_channels_last(device, config.train.precision)))?;
    let mut optimiser = Optimiser::new(&graph, config.train.optimiser, config.train.weight_decay)?;
    if optimiser.is_empty() {
        bail!("{}: no weight of it can be trained; see `gleaner model inspect`", model.file());
    }
    let preprocess = settings::preprocess(&config);
    let frame = Frame::of(&classifier, &preprocess, model.file())?;
    manifest.check_labels(frame.classes(&graph, device)?, model.file())?;
<<<<<<< ours
    let mut average = config.train.ema.map(|decay| Average::new(&graph, decay)).transpose()?;
    let parent = arguments.checkpoint_in.as_path();
    let reason = state::resume(&mut optimiser, average.as_mut(), &config.train, parent, model.digest())?;
    if let Some(reason) = reason {
        eprintln!("note: training begins at rest: {reason}");
=======
    resume(&mut optimiser, &arguments.checkpoint_in, model.digest())?;
    lend(&mut model, &graph)?;

    let [done, planned] = [arguments.work_done, arguments.work_planned];
    if !(done.is_finite() && planned.is_finite() && done >= 0.0 && planned >= 0.0) {
        bail!("--work-done {done} and --work-planned {planned} must be numbers of images, 0 or more");
    }
    let schedule = Schedule { learning_rate: config.train.learning_rate, warmup: config.train.warmup, done, planned };
    if schedule.is_over() {
        eprintln!("warning: the planned work is done, so the learning rate is 0 and this step changes no weight");
>>>>>>> theirs
    }

    let schedule = schedule(arguments, &config.train)?;
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
<<<<<<< ours
    let epoch = arguments.epoch;
    let mut pass =
        Pass { graph, optimiser, average, schedule, recipe: &config.train, frame, device, epoch, total, scores };
=======
    let news = News::new(arguments.progress.clone());
    let mut pass = Pass { graph, schedule, frame, device, epoch: arguments.epoch, total, scores, news };
>>>>>>> theirs
    let samples = Arc::new(manifest.samples);
    let outcome = pass.train(Loader::start(Arc::clone(&samples), recipe)?)?;
    if let Some(news) = cache.news() {
        eprintln!("note: {news}");
    }

<<<<<<< ours
    let provenance = Provenance { epoch, seed: arguments.seed, ema: config.train.ema };
    let bytes = match &pass.average {
        Some(average) => export(&mut model, average.averages(), provenance)?,
        None => export(&mut model, pass.graph.trained(), provenance)?,
    };
    let checkpoint = arguments.checkpoint_out.as_path();
    state::write(&pass.optimiser, pass.average.as_ref(), &config.train, checkpoint, &digest::of_bytes(&bytes))?;
=======
    let provenance = Provenance { epoch: arguments.epoch, seed: arguments.seed };
    let checkpoint = arguments.checkpoint_out.as_path();
    let prepared = export(&mut model, &pass.graph, provenance, checkpoint)?;
    state::write(&optimiser, checkpoint, prepared.digest())?;
>>>>>>> theirs
    if let Some(path) = &arguments.report {
        let text = serde_json::to_vec_pretty(&outcome.report())?;
        publish(path, |writer| writer.write_all(&text))?;
    }
    pass.scores.write(&scores_beside(checkpoint), &samples)?;
    // Before the checkpoint is there: once it is, nobody comes back to tidy up after a step that was killed.
    if let Err(error) = state::prune(folder(checkpoint), &[&arguments.checkpoint_in, checkpoint]) {
        eprintln!("note: older optimiser states and scores in {} stay: {error}", folder(checkpoint).display());
    }
    Ok(prepared.publish()?)
}

/// The course of the learning rate, with a word to the person if it will not move or nothing will.
fn schedule(arguments: &StepArguments, recipe: &TrainConfig) -> anyhow::Result<Schedule> {
    let [done, planned] = [arguments.work_done, arguments.work_planned];
    if !(done.is_finite() && planned.is_finite() && done >= 0.0 && planned >= 0.0) {
        bail!("--work-done {done} and --work-planned {planned} must be numbers of images, 0 or more");
    }
    let course = recipe.schedule.clone();
    if let (Some(word), 0.0) = (course.needs_plan(), planned) {
        bail!("`train.schedule: {word}` is a course over the planned work; say how much that is by --work-planned");
    }
    if let (ScheduleConfig::Cosine { .. }, 0.0) = (&course, planned) {
        eprintln!("note: no work is planned, so the learning rate stays where it is; write plan.cost to let it fall");
    }
    let schedule = Schedule { learning_rate: recipe.learning_rate, course, done, planned };
    if schedule.is_over() {
        eprintln!("warning: the planned work is done, so the learning rate is 0 and this step changes no weight");
    }
    Ok(schedule)
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

<<<<<<< ours
/// Where the layout was seen to be faster: on a processor, measured with a ResNet-18 on images of 224 pixels, and on a GPU
/// that multiplies in 16 bits, by PyTorch's own account ("Channels Last Memory Format in PyTorch").
fn likes_channels_last(device: Device, precision: TrainPrecision) -> bool {
    device == Device::Cpu || precision == TrainPrecision::Bf16
=======
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
    device: Device,
    epoch: u32,
    total: usize,
    scores: Scores,
    news: News,
}

/// What a step did.
struct Outcome {
    images: usize,
    skipped: usize,
    seconds: f64,
    /// The mean over all images of weight times cross-entropy.
    loss: f64,
    learning_rate: f64,
}

impl Outcome {
    fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "images": self.images,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "loss": self.loss,
            "learning_rate": self.learning_rate,
        })
    }

    /// The same in the middle of a step that visits `total` images.
    fn progress(&self, total: usize) -> serde_json::Value {
        serde_json::json!({ "images": self.images, "total": total, "seconds": self.seconds, "loss": self.loss })
    }
}

impl Pass {
    fn train(&mut self, optimiser: &mut Optimiser, mut loader: Loader) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let mut told = began;
        let mut outcome = Outcome { images: 0, skipped: 0, seconds: 0.0, loss: 0.0, learning_rate: 0.0 };
        let mut sum = 0.0;
        let mut number = 0usize;
        while let Some(batch) = loader.next_batch() {
            number += 1;
            outcome.learning_rate = self.schedule.rate(outcome.images, batch.len());
            let loss =
                self.learn(optimiser, &batch, outcome.learning_rate).with_context(|| format!("batch {number}"))?;
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
            if self.news.are_due() {
                self.news.tell(&outcome.progress(self.total));
            }
            if told.elapsed() >= REPORT_EVERY {
                told = Instant::now();
                self.tell(&outcome);
            }
        }
        outcome.skipped = loader.finish()?;
        if outcome.images == 0 {
            bail!("none of the {} images could be decoded; nothing was written", self.total);
        }
        self.tell(&outcome);
        self.news.tell(&outcome.progress(self.total));
        Ok(outcome)
    }

    /// One batch: forward, backward, and the optimiser's move. Returns the loss before the move, to which the scores belong, too.
    fn learn(&mut self, optimiser: &mut Optimiser, batch: &Batch, learning_rate: f64) -> anyhow::Result<f64> {
        let images = Tensor::f_from_slice(&batch.images)?.f_reshape(self.frame.shape(i64::try_from(batch.len())?))?;
        let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(self.device)?;
        let weights = Tensor::f_from_slice(&batch.weights)?.f_to_device(self.device)?;
        let logits = self.graph.logits(&images.f_to_device(self.device)?, Mode::Train)?;
        let loss = weighted_cross_entropy(&logits, &labels, &weights)?;
        let value = loss.f_double_value(&[])?;
        let answers = state::values(&logits)?;
        if value.is_finite() {
            loss.f_backward()?;
            optimiser.step(learning_rate)?;
        }
        // Last, so that a GPU is at work meanwhile.
        self.scores.note(batch, &answers);
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
>>>>>>> theirs
}
