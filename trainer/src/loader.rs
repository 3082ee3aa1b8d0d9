//! Image files to batches, decoded in the background while the step computes.

use crate::manifest::Sample;
use crate::sizes::{Size, sizes};
use gleaner::cache::Cache;
use gleaner::draw::{Draws, Stream};
use gleaner::pixels::{Augment, Layout, Normaliser, PixelError, Preprocess};
use rayon::prelude::*;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
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
    /// Whether it is the last of the batches that move the weights together.
    pub closes: bool,
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

    /// Puts the images of another behind its own.
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
    /// The most images a batch; at least 1.
    pub batch: usize,
    /// Batches that move the weights together; at least 1.
    pub accumulate: usize,
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
pub struct Loader<T = Batch> {
    batches: Option<Receiver<T>>,
    worker: Option<JoinHandle<usize>>,
}

impl<T: Send + 'static> Loader<T> {
    /// Starts to decode `samples`. Images that cannot be decoded are named on the standard error and left out. `prepare` is
    /// what that thread does to each batch besides.
    pub fn start(
        samples: Arc<Vec<Sample>>,
        recipe: Recipe,
        prepare: impl Fn(Batch) -> T + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        let normaliser = Normaliser::new(&recipe.preprocess)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(recipe.threads)
            .build()
            .map_err(|error| LoadError::Threads(error.to_string()))?;
        let (sender, batches) = sync_channel(AHEAD);
        let give = move |batch| sender.send(prepare(batch)).is_ok();
        let work = move || pool.install(|| produce(&samples, &recipe, &normaliser, give));
        let worker = std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn(work)
            .map_err(|error| LoadError::Threads(error.to_string()))?;
        Ok(Self { batches: Some(batches), worker: Some(worker) })
    }

    /// The next batch, or nothing when all have been given.
    pub fn next_batch(&mut self) -> Option<T> {
        self.batches.as_ref()?.recv().ok()
    }

    /// How many images could not be decoded; to be asked when there is no further batch.
    pub fn finish(mut self) -> Result<usize, LoadError> {
        self.batches = None;
        self.worker.take().and_then(|worker| worker.join().ok()).ok_or(LoadError::Failed)
    }
}

/// Hands batch after batch to `give` as long as somebody takes them. Returns how many images were left out.
fn produce(samples: &[Sample], recipe: &Recipe, normaliser: &Normaliser, give: impl Fn(Batch) -> bool) -> usize {
    let mut order: Vec<u32> = (0..u32::try_from(samples.len()).unwrap_or(u32::MAX)).collect();
    Draws::new(recipe.seed, recipe.epoch, Stream::Batches).shuffle(&mut order);
    let decoder = Decoder {
        samples,
        recipe,
        normaliser,
        draws: Draws::new(recipe.seed, recipe.epoch, Stream::Augment),
        size: recipe.preprocess.bytes(),
    };
    let mut skipped = 0;
    let mut rows = order.as_slice();
    // A batch waits until it is clear that the next will not be a single image, which BatchNormalization could not
    // normalise: where images are left out, a single one at the end joins the batch before it.
    let mut waiting: Option<Batch> = None;
    for Size { images, closes } in sizes(order.len(), recipe.batch, recipe.accumulate) {
        let mut open = Batch { closes, ..Batch::default() };
        while open.len() < images && !rows.is_empty() {
            let (next, later) = rows.split_at((images - open.len()).min(rows.len()));
            let decoded = decoder.decode(next);
            skipped += next.len() - decoded.len();
            open.append(decoded);
            rows = later;
        }
        if open.is_empty() {
            continue;
        }
        match &mut waiting {
            Some(before) if open.len() == 1 && images > 1 => before.append(open),
            _ => {
                if let Some(ready) = waiting.replace(open)
                    && !give(ready)
                {
                    return skipped;
                }
            }
        }
    }
    if let Some(batch) = waiting {
        give(batch);
    }
    skipped
}

/// What an epoch's images are decoded with.
struct Decoder<'a> {
    samples: &'a [Sample],
    recipe: &'a Recipe,
    normaliser: &'a Normaliser,
    draws: Draws,
    /// Bytes, and so numbers, of an image.
    size: usize,
}

thread_local! {
    /// The image before it is changed, and after.
    static LEVELS: RefCell<[Vec<u8>; 2]> = RefCell::default();
}

impl Decoder<'_> {
    /// The images of these rows of the manifest, as many as can be decoded. Each is written where it stays: there are as many
    /// bytes in a batch as a step has to copy.
    fn decode(&self, rows: &[u32]) -> Batch {
        let mut images = vec![0.0; rows.len() * self.size];
        let slots = images.par_chunks_exact_mut(self.size.max(1)).zip(rows);
        let decoded: Vec<bool> = slots.map(|(slot, row)| self.decode_one(*row, slot).is_some()).collect();
        let mut batch = Batch::default();
        for (place, (&row, decoded)) in rows.iter().zip(decoded).enumerate() {
            let Some(sample) = self.samples.get(row as usize).filter(|_| decoded) else { continue };
            if place > batch.len() {
                // It closes the gap that another left.
                let from = place * self.size;
                images.copy_within(from..from + self.size, batch.len() * self.size);
            }
            batch.labels.push(i64::from(sample.label));
            batch.weights.push(sample.weight);
            batch.rows.push(row);
        }
        images.truncate(batch.len() * self.size);
        Batch { images, ..batch }
    }

    fn decode_one(&self, row: u32, slot: &mut [f32]) -> Option<()> {
        let sample = self.samples.get(row as usize)?;
        let path = self.recipe.root.join(&sample.path);
        LEVELS.with_borrow_mut(|[plain, changed]| {
            plain.resize(self.size, 0);
            if let Err(error) = self.load(row, &path, plain, changed) {
                eprintln!("warning: left out: {error}");
                return None;
            }
            let levels = if self.recipe.augment.is_none() { plain } else { changed };
            let per_image = self.size / self.recipe.preprocess.channels.count();
            self.normaliser.normalise(levels, per_image, self.recipe.layout, slot);
            Some(())
        })
    }

    fn load(&self, row: u32, path: &Path, plain: &mut [u8], changed: &mut Vec<u8>) -> Result<(), PixelError> {
        let Recipe { preprocess, cache, augment, .. } = self.recipe;
        let bits = self.draws.bits(u64::from(row));
        match &augment.crop {
            None => drop(cache.load(path, plain, |pixels| preprocess.load(path, pixels))?),
            // A part of the original, which is not what is kept.
            Some(crop) => preprocess.load_cropped(path, crop, bits, plain)?,
        }
        if !augment.is_none() {
            changed.resize(self.size, 0);
            augment.apply(bits, preprocess, plain, changed);
        }
        Ok(())
    }
}
