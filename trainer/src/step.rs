//! One training step: a pass over an epoch's manifest, from one checkpoint to the next.

use crate::average::Average;
use crate::cli::StepArguments;
use crate::export::{Provenance, export, lend};
use crate::feed::Feed;
use crate::loader::{Batch, Loader, Recipe};
use crate::manifest::{self, Manifest};
use crate::mixing::Mixing;
use crate::news::News;
use crate::pass::Pass;
use crate::schedule::Schedule;
use crate::scores::Scores;
use crate::setup::Setup;
use crate::state;
use anyhow::bail;
use gleaner::cache::Cache;
use gleaner::config::{Config, ScheduleConfig, TrainConfig};
use gleaner::draw::{Draws, Stream};
use gleaner::files::{prepare, publish};
use gleaner::ledger::scores_beside;
use gleaner::onnx::Model;
use gleaner::onnx::training::untie;
use gleaner::pixels::Preprocess;
use gleaner::settings;
use gleaner::watch::Pattern;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Runs `gleaner-trainer step`.
///
/// Nothing is written unless the whole step succeeds. Then the optimiser's state, the report and the scores come first
/// and the checkpoint last: whoever sees the checkpoint sees everything that belongs to it.
pub fn run(arguments: &StepArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config, &arguments.overrides)?;
    let pattern = Pattern::parse(&config.checkpoint.pattern)?;
    try_output(&arguments.checkpoint_out)?;
    let manifest = Manifest::read(&arguments.manifest, &manifest::root(&config.pool))?;
    let mut model = Model::read(&arguments.checkpoint_in)?;
    untie(&mut model);

    let seed = Draws::new(arguments.seed, arguments.epoch, Stream::Dropout).bits(0);
    let Setup { device, graph, mut optimiser, preprocess, frame, classes } = Setup::of(&model, &config, seed)?;
    manifest.check_labels(classes, model.file())?;
    let mut average = config.train.ema.map(|decay| Average::new(&graph, decay)).transpose()?;
    let parent = arguments.checkpoint_in.as_path();
    let reason = state::resume(&mut optimiser, average.as_mut(), &config.train, parent, model.digest())?;
    if let Some(reason) = reason {
        eprintln!("note: training begins at rest: {reason}");
    }
    lend(&mut model, &graph)?;

    let schedule = schedule(arguments, &config.train)?;
    let cache = Arc::new(kept_images(&config, &preprocess));
    let recipe = Recipe {
        root: manifest.root,
        cache: Arc::clone(&cache),
        augment: settings::augment(&config),
        layout: frame.layout,
        preprocess,
        batch: usize::try_from(config.train.batch)?,
        accumulate: usize::try_from(config.train.accumulate)?,
        threads: settings::threads(config.train.threads),
        seed: arguments.seed,
        epoch: arguments.epoch,
    };
    let total = manifest.samples.len();
    let scores = Scores::new(total);
    let epoch = arguments.epoch;
    let mixing = Mixing {
        mixup: config.train.mixup,
        cutmix: config.train.cutmix,
        probability: config.train.mix_probability,
        draws: Draws::new(arguments.seed, epoch, Stream::Mixing),
    };
    let news = News::new(arguments.progress.clone());
    let mut pass = Pass {
        graph,
        optimiser,
        average,
        schedule,
        recipe: &config.train,
        frame,
        mixing,
        device,
        epoch,
        total,
        scores,
        news,
    };
    let samples = Arc::new(manifest.samples);
    let prepare = move |batch: Batch| {
        let shape = frame.shape(batch.len() as i64);
        Feed::of(batch, &shape, device)
    };
    let outcome = pass.train(Loader::start(Arc::clone(&samples), recipe, prepare)?)?;
    if let Some(news) = cache.news() {
        eprintln!("note: {news}");
    }

    let provenance = Provenance { epoch, seed: arguments.seed, ema: config.train.ema };
    let checkpoint = arguments.checkpoint_out.as_path();
    let prepared = match &pass.average {
        Some(average) => export(&mut model, average.averages(), provenance, checkpoint)?,
        None => export(&mut model, pass.graph.trained(), provenance, checkpoint)?,
    };
    state::write(&pass.optimiser, pass.average.as_ref(), &config.train, checkpoint, prepared.digest())?;
    if let Some(path) = &arguments.report {
        let text = serde_json::to_vec_pretty(&outcome.report())?;
        publish(path, |writer| writer.write_all(&text))?;
    }
    pass.scores.write(&scores_beside(checkpoint), &samples)?;
    // Before the checkpoint is there: once it is, nobody comes back to tidy up after a step that was killed.
    if let Err(error) = state::prune(folder(checkpoint), &pattern, &[&arguments.checkpoint_in, checkpoint]) {
        eprintln!("note: older optimiser states and scores in {} stay: {error}", folder(checkpoint).display());
    }
    Ok(prepared.publish()?)
}

/// Whether the checkpoint can be written, which is better known before the training.
fn try_output(checkpoint: &Path) -> anyhow::Result<()> {
    if checkpoint.is_dir() {
        bail!("{}: is a folder; name a file for the checkpoint", checkpoint.display());
    }
    drop(prepare(checkpoint, |_| Ok(()))?);
    Ok(())
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
