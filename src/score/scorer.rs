//! The thread that owns a session, and the pipeline that feeds it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::session::{Facts, Outputs, Session};
use super::{Options, ScoreError, release_memory};
use crate::draw::Draws;
use crate::onnx::{self, Model};
use crate::pixels::{self, Augment, Loader, Normaliser, PixelError};
use crate::pool::Pool;
use crate::prediction::Prediction;

/// Batches that wait for the session: one in work, one ready behind it.
const AHEAD: usize = 1;

/// A checkpoint ready to score images.
pub struct Scorer {
    checkpoint: PathBuf,
    options: Options,
    facts: Facts,
    normaliser: Normaliser,
    threads: rayon::ThreadPool,
    work: Option<SyncSender<Work>>,
    owner: Option<JoinHandle<()>>,
}

struct Work {
    pixels: Vec<f32>,
    reply: Sender<(Vec<f32>, Result<Outputs, ScoreError>)>,
}

/// What the scan came to for one image.
#[derive(Debug)]
pub enum Visit<'a> {
    /// The image was scored.
    Scored {
        /// Its id in the pool.
        sample: u32,
        /// The model's answer.
        prediction: Prediction,
        /// Its embedding, empty if none is given out.
        embedding: &'a [f32],
    },
    /// The image could not be read and is left out.
    Skipped {
        /// Its id in the pool.
        sample: u32,
        /// Why.
        reason: &'a PixelError,
    },
}

/// What a scan took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Images whose result was looked at.
    pub scored: u64,
    /// Images that could not be read.
    pub skipped: u64,
    /// Images that went through the model: those that could be read, the few behind the last one looked at counted in.
    pub forwards: u64,
    /// From the first image to the last.
    pub elapsed: Duration,
}

impl Tally {
    /// Takes another scan's tally in.
    pub fn add(&mut self, other: &Self) {
        self.scored += other.scored;
        self.skipped += other.skipped;
        self.forwards += other.forwards;
        self.elapsed += other.elapsed;
    }
}

impl Scorer {
    /// Loads a checkpoint on a thread of its own. `checkpoint` names it in messages.
    ///
    /// Errors: no ONNX Runtime, or a model that it refuses.
    pub fn start(model: Model, checkpoint: &Path, options: Options) -> Result<Self, ScoreError> {
        let (work, inbox) = sync_channel::<Work>(AHEAD);
        let (ready, loaded) = channel();
        let (owned_path, owned_options) = (checkpoint.to_owned(), options.clone());
        let owner = thread::Builder::new()
            .name("onnxruntime".to_owned())
            .spawn(move || match Session::load(model, owned_path, &owned_options) {
                Ok(mut session) => {
                    let _ = ready.send(Ok(session.facts().clone()));
                    serve(&mut session, &inbox);
                    drop(session);
                    release_memory();
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(|_| ScoreError::Thread(checkpoint.to_owned()))?;
        let normaliser = Normaliser::new(&options.preprocess).map_err(ScoreError::Settings)?;
        let facts = loaded.recv().map_err(|_| ScoreError::Thread(checkpoint.to_owned()))??;
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|index| format!("decode-{index}"))
            .build()
            .map_err(|_| ScoreError::Thread(checkpoint.to_owned()))?;
        Ok(Self {
            checkpoint: checkpoint.to_owned(),
            normaliser,
            options,
            facts,
            threads,
            work: Some(work),
            owner: Some(owner),
        })
    }

    /// What is known of the loaded checkpoint.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Fails unless the model tells exactly `expected` classes apart.
    pub fn expect_classes(&self, expected: usize) -> Result<(), ScoreError> {
        if self.facts.classes == expected {
            return Ok(());
        }
        Err(ScoreError::Classes { checkpoint: self.checkpoint.clone(), model: self.facts.classes, expected })
    }

    /// Scores `samples` of `pool` and hands every result to `visit`, in the order given, until it breaks off. With
    /// `augment`, images are flipped and cropped as its draws decide.
    ///
    /// Images that cannot be read are visited as skipped. Errors: a model that fails or answers with NaN.
    pub fn scan<F>(
        &self,
        pool: &Pool,
        samples: &[u32],
        augment: Option<&(Augment, Draws)>,
        mut visit: F,
    ) -> Result<Tally, ScoreError>
    where
        F: FnMut(Visit<'_>) -> ControlFlow<()>,
    {
        let start = Instant::now();
        let mut tally = Tally::default();
        let mut waiting: Option<Pending<'_>> = None;
        let mut spare = Vec::new();
        for batch in samples.chunks(self.facts.batch) {
            let next = self.submit(pool, batch, augment, std::mem::take(&mut spare))?;
            tally.forwards += next.failures.iter().filter(|failure| failure.is_none()).count() as u64;
            if let Some(pending) = waiting.replace(next) {
                let flow = self.collect(pool, pending, &mut tally, &mut spare, &mut visit)?;
                if flow.is_break() {
                    // The batch in flight is thrown away, so that what counts does not depend on the pipeline's depth.
                    tally.elapsed = start.elapsed();
                    return Ok(tally);
                }
            }
        }
        if let Some(pending) = waiting {
            let _ = self.collect(pool, pending, &mut tally, &mut spare, &mut visit)?;
        }
        tally.elapsed = start.elapsed();
        Ok(tally)
    }

    /// Decodes a batch and hands it to the session's thread.
    fn submit<'a>(
        &self,
        pool: &Pool,
        samples: &'a [u32],
        augment: Option<&(Augment, Draws)>,
        mut pixels: Vec<f32>,
    ) -> Result<Pending<'a>, ScoreError> {
        let size = self.options.preprocess.bytes();
        let channels = self.options.preprocess.channels.count();
        let layout = match self.facts.layout {
            onnx::Layout::Nchw => pixels::Layout::Nchw,
            onnx::Layout::Nhwc => pixels::Layout::Nhwc,
        };
        // Rows without an image stay zero: the batch has one shape for ever.
        pixels.clear();
        pixels.resize(self.facts.batch * size, 0.0);
        let failures = self.threads.install(|| {
            pixels
                .par_chunks_mut(size)
                .zip(samples)
                .map_init(
                    || (Loader::new(&self.options.preprocess), vec![0u8; size], vec![0u8; size]),
                    |(loader, raw, augmented), (slot, &sample)| {
                        loader.load(&pool.path(sample), raw)?;
                        let image = match augment {
                            Some((augment, draws)) => {
                                let bits = draws.bits(u64::from(sample));
                                augment.apply(bits, &self.options.preprocess, raw, augmented);
                                &*augmented
                            }
                            None => &*raw,
                        };
                        self.normaliser.normalise(image, size / channels, layout, slot);
                        Ok(())
                    },
                )
                .map(Result::err)
                .collect::<Vec<Option<PixelError>>>()
        });
        let (reply, result) = channel();
        let sent = self.work.as_ref().map(|work| work.send(Work { pixels, reply }));
        match sent {
            Some(Ok(())) => Ok(Pending { samples, failures, result }),
            _ => Err(ScoreError::Thread(self.checkpoint.clone())),
        }
    }

    /// Waits for a batch and visits its images in order.
    fn collect<F>(
        &self,
        pool: &Pool,
        pending: Pending<'_>,
        tally: &mut Tally,
        spare: &mut Vec<f32>,
        visit: &mut F,
    ) -> Result<ControlFlow<()>, ScoreError>
    where
        F: FnMut(Visit<'_>) -> ControlFlow<()>,
    {
        let (pixels, outputs) = pending.result.recv().map_err(|_| ScoreError::Thread(self.checkpoint.clone()))?;
        *spare = pixels;
        let outputs = outputs?;
        let width = self.facts.embedding.unwrap_or(0);
        for (row, (&sample, failure)) in pending.samples.iter().zip(&pending.failures).enumerate() {
            let flow = if let Some(reason) = failure {
                tally.skipped += 1;
                visit(Visit::Skipped { sample, reason })
            } else {
                let scores = slice(&outputs.scores, row, self.facts.classes);
                let prediction = Prediction::of(scores, self.facts.kind, pool.label(sample)).ok_or_else(|| {
                    ScoreError::NotFinite { checkpoint: self.checkpoint.clone(), image: pool.path(sample) }
                })?;
                tally.scored += 1;
                visit(Visit::Scored { sample, prediction, embedding: slice(&outputs.embeddings, row, width) })
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Drop for Scorer {
    fn drop(&mut self) {
        // Closing the inbox ends the thread; waiting for it gives the session's memory back before the next is loaded.
        self.work = None;
        if let Some(owner) = self.owner.take() {
            let _ = owner.join();
        }
    }
}

struct Pending<'a> {
    samples: &'a [u32],
    failures: Vec<Option<PixelError>>,
    result: Receiver<(Vec<f32>, Result<Outputs, ScoreError>)>,
}

fn serve(session: &mut Session, inbox: &Receiver<Work>) {
    for Work { pixels, reply } in inbox {
        let outputs = session.run(&pixels);
        // A receiver that is gone has broken off the scan.
        let _ = reply.send((pixels, outputs));
    }
}

fn slice(rows: &[f32], row: usize, width: usize) -> &[f32] {
    rows.get(row * width..(row + 1) * width).unwrap_or(&[])
}
