//! A loaded checkpoint, and the workers that take images through it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::assemble::{self, Assembled};
use super::engine::Engine;
use super::graph::Graph;
use super::worker::{self, Answer, Done, Job, Source};
use super::{Facts, Options, ScoreError, release_memory};
use crate::draw::Draws;
use crate::onnx::Model;
use crate::pixels::{Augment, Normaliser, PixelError};
use crate::pool::Pool;
use crate::prediction::Prediction;

/// Jobs on their way for each worker: the one in work and one that waits, lest a slow visit leave anybody idle.
const AHEAD: usize = 2;
/// Bytes of images that a worker is handed at a time, if a batch is less: handing over costs as much as a few small
/// images, while with large ones the last job of a scan would keep one worker busy and the others waiting.
const JOB_BYTES: usize = 64 << 10;

/// A checkpoint ready to score images.
///
/// Every worker decodes a batch into its own slots and then runs it, one after the other. On the processor each has a
/// session of its own with a single thread, so that a core is never idle for want of another's result: whatever decoding
/// leaves of the machine goes to the model, and the other way round. It also makes the results independent of the number
/// of threads. On a GPU the workers decode, and one thread owns the session.
pub struct Scorer {
    graph: Arc<Graph>,
    options: Options,
    facts: Facts,
    engines: Mutex<Vec<Engine>>,
    owner: Option<JoinHandle<()>>,
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
    /// Forwards that are charged: one for every image that was scored. The few that are under way when a scan breaks off
    /// are not, because their number depends on how many workers there are.
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
    /// Loads a checkpoint. `checkpoint` names it in messages.
    ///
    /// Errors: no ONNX Runtime, a device that cannot be had, or a model that is refused.
    pub fn start(model: Model, checkpoint: &Path, options: Options) -> Result<Self, ScoreError> {
        Normaliser::new(&options.preprocess).map_err(ScoreError::Settings)?;
        let Assembled { graph, engines, owner, facts } = assemble::assemble(model, checkpoint, &options)?;
        Ok(Self { graph, options, facts, engines: Mutex::new(engines), owner })
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
        Err(ScoreError::Classes { checkpoint: self.graph.checkpoint.clone(), model: self.facts.classes, expected })
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
        let (cache, preprocess) = (&*self.options.cache, &self.options.preprocess);
        let source = Source { pool, preprocess, cache, augment };
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let (jobs, queue) = channel();
        let (queue, stop) = (Mutex::new(queue), AtomicBool::new(false));
        let mut tally = Tally::default();
        let result = thread::scope(|scope| {
            let most = engines.len() * AHEAD;
            let batch_bytes = self.facts.batch * preprocess.bytes();
            let size = self.facts.batch * (JOB_BYTES / batch_bytes.max(1)).max(1);
            let mut workers = Vec::new();
            for (index, engine) in engines.iter_mut().take(samples.len().div_ceil(size)).enumerate() {
                let (queue, stop, graph, batch) = (&queue, &stop, &self.graph, self.facts.batch);
                let work = move || worker::serve(queue, stop, source, engine, graph, batch);
                let named = thread::Builder::new().name(format!("score-{index}"));
                workers.push(named.spawn_scoped(scope, work).map_err(|_| self.broken())?);
            }
            let mut waiting: VecDeque<(&[u32], Receiver<Answer>)> = VecDeque::new();
            let mut scan = || -> Result<(), ScoreError> {
                for samples in samples.chunks(size) {
                    if waiting.len() >= most
                        && let Some(oldest) = waiting.pop_front()
                        && self.collect(pool, oldest, &mut tally, &mut visit)?.is_break()
                    {
                        return Ok(());
                    }
                    let (reply, done) = sync_channel(1);
                    jobs.send(Job { samples, reply }).map_err(|_| self.broken())?;
                    waiting.push_back((samples, done));
                }
                for oldest in waiting.drain(..) {
                    if self.collect(pool, oldest, &mut tally, &mut visit)?.is_break() {
                        break;
                    }
                }
                Ok(())
            };
            let result = scan();
            stop.store(true, Ordering::Relaxed);
            drop(jobs);
            for worker in workers {
                // One that has panicked has left its batch unanswered, which is the error that is told.
                let _ = worker.join();
            }
            result
        });
        tally.elapsed = start.elapsed();
        result.map(|()| tally)
    }

    /// Waits for a job and visits its images in order.
    fn collect<F>(
        &self,
        pool: &Pool,
        (samples, done): (&[u32], Receiver<Answer>),
        tally: &mut Tally,
        visit: &mut F,
    ) -> Result<ControlFlow<()>, ScoreError>
    where
        F: FnMut(Visit<'_>) -> ControlFlow<()>,
    {
        let Done { failures, outputs } = done.recv().map_err(|_| self.broken())??;
        let width = self.facts.embedding.unwrap_or(0);
        for (row, (&sample, failure)) in samples.iter().zip(&failures).enumerate() {
            let flow = if let Some(reason) = failure {
                tally.skipped += 1;
                visit(Visit::Skipped { sample, reason })
            } else {
                let scores = slice(&outputs.scores, row, self.facts.classes);
                let prediction = Prediction::of(scores, self.facts.kind, pool.label(sample)).ok_or_else(|| {
                    ScoreError::NotFinite { checkpoint: self.graph.checkpoint.clone(), image: pool.path(sample) }
                })?;
                tally.scored += 1;
                tally.forwards += 1;
                visit(Visit::Scored { sample, prediction, embedding: slice(&outputs.embeddings, row, width) })
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn broken(&self) -> ScoreError {
        ScoreError::Thread(self.graph.checkpoint.clone())
    }
}

impl Drop for Scorer {
    fn drop(&mut self) {
        // Without senders the owner ends; waiting for it gives the session's memory back before the next is loaded.
        self.engines.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(owner) = self.owner.take() {
            let _ = owner.join();
        }
        release_memory();
    }
}

fn slice(rows: &[f32], row: usize, width: usize) -> &[f32] {
    rows.get(row * width..(row + 1) * width).unwrap_or(&[])
}
