//! The work on a job: images into the slots of its batches, then the batches through the model.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use super::ScoreError;
use super::engine::Engine;
use super::graph::Graph;
use super::session::Outputs;
use crate::cache::Cache;
use crate::draw::Draws;
use crate::pixels::{Augment, Loader, PixelError, Preprocess};
use crate::pool::Pool;

/// What comes of a job.
pub(super) type Answer = Result<Done, ScoreError>;

/// Images that wait for a worker: one batch or several.
pub(super) struct Job<'a> {
    pub(super) samples: &'a [u32],
    pub(super) reply: SyncSender<Answer>,
}

/// Images that a worker is through with.
#[derive(Default)]
pub(super) struct Done {
    /// For each sample, why it could not be read.
    pub(super) failures: Vec<Option<PixelError>>,
    /// Row by row; behind the last sample come rows of no account.
    pub(super) outputs: Outputs,
}

/// Where the images of a scan come from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) pool: &'a Pool,
    pub(super) preprocess: &'a Preprocess,
    pub(super) cache: &'a Cache,
    pub(super) augment: Option<&'a (Augment, Draws)>,
}

/// Takes jobs off the queue until it is closed, or `stop` is set. All images of a job are decoded before its first batch
/// is run: neither decoding nor the model has to win back the processor's caches for every small batch.
pub(super) fn serve(
    queue: &Mutex<Receiver<Job<'_>>>,
    stop: &AtomicBool,
    source: Source<'_>,
    engine: &mut Engine,
    graph: &Graph,
    batch: usize,
) {
    let mut slots = Slots::new(source, batch);
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut done = Done { failures: slots.fill(job.samples), outputs: Outputs::default() };
        let batches = slots.batches.iter_mut().take(job.samples.len().div_ceil(batch));
        let result = batches.map(|pixels| engine.run(pixels, graph)).try_for_each(|outputs| {
            done.outputs.append(outputs?);
            Ok(())
        });
        // Whoever waits for it may have broken off the scan.
        let _ = job.reply.send(result.map(|()| done));
    }
}

/// The images of a job: allocations that are used for every job of a scan.
struct Slots<'a> {
    source: Source<'a>,
    loader: Loader,
    /// The pixels of each batch.
    batches: Vec<Vec<u8>>,
    batch: usize,
    /// The image before it is augmented.
    plain: Vec<u8>,
}

impl<'a> Slots<'a> {
    fn new(source: Source<'a>, batch: usize) -> Self {
        let size = source.preprocess.bytes();
        let plain = vec![0; if source.augment.is_some() { size } else { 0 }];
        Self { source, loader: Loader::new(source.preprocess), batches: Vec::new(), batch, plain }
    }

    /// Puts each image straight into its slot. What the slots behind the last sample hold is of no account.
    fn fill(&mut self, samples: &[u32]) -> Vec<Option<PixelError>> {
        let size = self.source.preprocess.bytes();
        let Self { source, loader, batches, batch, plain } = self;
        let needed = samples.len().div_ceil(*batch).max(batches.len());
        batches.resize_with(needed, || vec![0; *batch * size]);
        let slots = batches.iter_mut().flat_map(|pixels| pixels.chunks_exact_mut(size.max(1)));
        samples.iter().zip(slots).map(|(&sample, slot)| source.load(sample, loader, plain, slot).err()).collect()
    }
}

impl Source<'_> {
    fn load(&self, sample: u32, loader: &mut Loader, plain: &mut [u8], slot: &mut [u8]) -> Result<(), PixelError> {
        let path = self.pool.path(sample);
        let mut read = |into: &mut [u8]| self.cache.load(&path, into, |into| loader.load(&path, into)).map(drop);
        match self.augment {
            None => read(slot),
            Some((augment, draws)) => {
                let bits = draws.bits(u64::from(sample));
                match &augment.crop {
                    None => read(plain)?,
                    // A part of the original, which is not what is kept.
                    Some(crop) => loader.load_cropped(&path, crop, bits, plain)?,
                }
                augment.apply(bits, self.preprocess, plain, slot);
                Ok(())
            }
        }
    }
}
