//! Image files to batches, decoded in the background while the step computes.

use crate::manifest::Sample;
use gleaner::cache::Cache;
use gleaner::draw::{Draws, Stream};
use gleaner::pixels::{Augment, Layout, Normaliser, PixelError, Preprocess};
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// How many batches wait, decoded, for the step.
const AHEAD: usize = 2;

/// What a step trains on at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The images one after another, normalised, in the layout that was asked for.
    pub images: Vec<f32>,
    /// Their classes.
    pub labels: Vec<i64>,
    /// Their weights.
    pub weights: Vec<f32>,
    /// Their places among the samples.
    pub rows: Vec<u32>,
}

impl Batch {
    /// How many images it has.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether it has no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn append(&mut self, mut other: Batch) {
        self.images.append(&mut other.images);
        self.labels.append(&mut other.labels);
        self.weights.append(&mut other.weights);
        self.rows.append(&mut other.rows);
    }
}

/// How images become batches.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Where relative paths of images count from.
    pub root: PathBuf,
    /// The one preprocessing.
    pub preprocess: Preprocess,
    /// Images that were decoded before.
    pub cache: Arc<Cache>,
    /// Random changes of the images.
    pub augment: Augment,
    /// The order of numbers that the model wants.
    pub layout: Layout,
    /// Images a batch; at least 1.
    pub batch: usize,
    /// Threads that decode.
    pub threads: usize,
    /// The run's seed.
    pub seed: u64,
    /// The epoch.
    pub epoch: u32,
}

/// The batches cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The preprocessing's settings contradict each other.
    #[error(transparent)]
    Settings(#[from] PixelError),
    /// There are no threads to be had.
    #[error("cannot start the threads that decode images: {0}")]
    Threads(String),
    /// The decoding thread ended before its work was done.
    #[error("the thread that decodes images has failed")]
    Failed,
}

/// Batches on their way: decoded by a thread of its own, in an order that the seed and the epoch decide.
#[derive(Debug)]
pub struct Loader {
    batches: Option<Receiver<Batch>>,
    worker: Option<JoinHandle<usize>>,
}

impl Loader {
    /// Starts to decode `samples`. Images that cannot be decoded are named on the standard error and left out.
    pub fn start(samples: Arc<Vec<Sample>>, recipe: Recipe) -> Result<Self, LoadError> {
        let normaliser = Normaliser::new(&recipe.preprocess)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(recipe.threads)
            .build()
            .map_err(|error| LoadError::Threads(error.to_string()))?;
        let (sender, batches) = sync_channel(AHEAD);
        let work = move || pool.install(|| produce(&samples, &recipe, &normaliser, &sender));
        let worker = std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn(work)
            .map_err(|error| LoadError::Threads(error.to_string()))?;
        Ok(Self { batches: Some(batches), worker: Some(worker) })
    }

    /// The next batch, or nothing when all have been given.
    pub fn next_batch(&mut self) -> Option<Batch> {
        self.batches.as_ref()?.recv().ok()
    }

    /// How many images could not be decoded; to be asked when there is no further batch.
    pub fn finish(mut self) -> Result<usize, LoadError> {
        self.batches = None;
        self.worker.take().and_then(|worker| worker.join().ok()).ok_or(LoadError::Failed)
    }
}

fn produce(samples: &[Sample], recipe: &Recipe, normaliser: &Normaliser, batches: &SyncSender<Batch>) -> usize {
    let mut order: Vec<u32> = (0..u32::try_from(samples.len()).unwrap_or(u32::MAX)).collect();
    Draws::new(recipe.seed, recipe.epoch, Stream::Batches).shuffle(&mut order);
    let draws = Draws::new(recipe.seed, recipe.epoch, Stream::Augment);
    let mut skipped = 0;
    // A full batch waits until it is clear that the last one will not be a single image, which BatchNormalization
    // could not normalise: a single image joins the batch before it.
    let mut full: Option<Batch> = None;
    let mut open = Batch::default();
    for chunk in order.chunks(recipe.batch.max(1)) {
        let decoded: Vec<Option<Decoded>> =
            chunk.par_iter().map(|&index| decode(samples, index, recipe, normaliser, &draws)).collect();
        for image in decoded {
            let Some(image) = image else {
                skipped += 1;
                continue;
            };
            open.images.extend_from_slice(&image.numbers);
            open.labels.push(image.label);
            open.weights.push(image.weight);
            open.rows.push(image.row);
            if open.len() >= recipe.batch {
                let next = std::mem::take(&mut open);
                if let Some(ready) = full.replace(next)
                    && batches.send(ready).is_err()
                {
                    return skipped;
                }
            }
        }
    }
    if let (Some(ready), 1) = (&mut full, open.len()) {
        ready.append(std::mem::take(&mut open));
    }
    for batch in full.into_iter().chain(Some(open)).filter(|batch| !batch.is_empty()) {
        if batches.send(batch).is_err() {
            break;
        }
    }
    skipped
}

struct Decoded {
    numbers: Vec<f32>,
    label: i64,
    weight: f32,
    row: u32,
}

fn decode(samples: &[Sample], index: u32, recipe: &Recipe, normaliser: &Normaliser, draws: &Draws) -> Option<Decoded> {
    let sample = samples.get(usize::try_from(index).ok()?)?;
    let preprocess = &recipe.preprocess;
    let mut pixels = vec![0; preprocess.bytes()];
    let path = recipe.root.join(&sample.path);
    let decoded = recipe.cache.load(&path, &mut pixels, |pixels| preprocess.load(&path, pixels));
    if let Err(error) = decoded {
        eprintln!("warning: left out: {error}");
        return None;
    }
    if !recipe.augment.is_none() {
        let mut changed = vec![0; pixels.len()];
        recipe.augment.apply(draws.bits(u64::from(index)), preprocess, &pixels, &mut changed);
        pixels = changed;
    }
    let mut numbers = vec![0.0; pixels.len()];
    let per_image = pixels.len() / preprocess.channels.count();
    normaliser.normalise(&pixels, per_image, recipe.layout, &mut numbers);
    Some(Decoded { numbers, label: i64::from(sample.label), weight: sample.weight, row: index })
}
