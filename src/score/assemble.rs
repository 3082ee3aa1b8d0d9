//! Loading a graph: which provider, how many sessions, how large a batch.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::batch::{self, Clock};
use super::device::{Build, Provider};
use super::engine::{self, Engine};
use super::graph::Graph;
use super::memory::Bound;
use super::session::Session;
use super::{Batch, Device, Options, Precision, ScoreError, runtime};
use crate::memory;
use crate::onnx::{Model, OutputKind};

/// What a caller needs to know of a loaded checkpoint.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Images in a batch.
    pub batch: usize,
    /// How many classes the model tells apart.
    pub classes: usize,
    /// Whether the output is logits or probabilities.
    pub kind: OutputKind,
    /// The width of the embedding, if one is given out.
    pub embedding: Option<usize>,
    /// What runs the model.
    pub provider: Provider,
    /// How many batches are worked on at a time.
    pub workers: usize,
}

/// A graph that stands ready.
pub(super) struct Assembled {
    pub(super) graph: Arc<Graph>,
    pub(super) engines: Vec<Engine>,
    pub(super) owner: Option<JoinHandle<()>>,
    pub(super) facts: Facts,
}

/// Loads the graph on the device that is asked for; with `auto`, on the first one that takes it.
///
/// Errors: those of the last device that was tried.
pub(super) fn assemble(model: Model, checkpoint: &Path, options: &Options) -> Result<Assembled, ScoreError> {
    let environment = runtime::environment()?;
    let mut result = None;
    let providers = options.device.providers();
    // The last one gets the model itself: a copy would keep the weights.
    let mut models = std::iter::repeat_n(model, providers.len());
    for (&provider, model) in providers.iter().zip(&mut models) {
        if options.device == Device::Auto && provider.is_gpu() && !runtime::has_cuda()? {
            continue;
        }
        if provider.is_gpu() {
            runtime::preload_cuda();
        } else if options.precision == Precision::Half {
            tracing::warn!("score.precision: fp16 is for GPUs; the processor computes with fp32");
        }
        let build = Build {
            environment: &environment,
            provider,
            threads: 1,
            half: options.precision == Precision::Half,
            timings: options.timings.as_deref(),
        };
        let graph = Arc::new(Graph::new(model, checkpoint.to_owned(), options, provider)?);
        // What a GPU's libraries reserve is not what they take.
        let bound = if provider.is_gpu() { None } else { Bound::of(options.max_bytes) };
        match on(&graph, options, build) {
            Ok(assembled) => return Ok(assembled),
            Err(error) => {
                if options.device == Device::Auto && provider.is_gpu() {
                    tracing::info!(%error, "the GPU cannot be used; scoring on the processor");
                }
                result = Some(bound.iter().fold(error, |error, bound| bound.explain(error)));
            }
        }
    }
    Err(result.unwrap_or_else(|| ScoreError::Thread(checkpoint.to_owned())))
}

fn on(graph: &Arc<Graph>, options: &Options, mut build: Build<'_>) -> Result<Assembled, ScoreError> {
    let threads = options.threads.max(1);
    let sessions = if build.provider.is_gpu() { 1 } else { affordable(graph, threads) };
    build.threads = if build.provider.is_gpu() { 1 } else { (threads / sessions).max(1) };
    let batch = match (graph.batch, options.batch) {
        (Some(fixed), _) | (None, Batch::Of(fixed)) => fixed.max(1),
        (None, Batch::Auto) => {
            let mut session = Session::load(Arc::clone(graph), &graph.bytes(None)?, &build, None)?;
            let alone = !build.provider.is_gpu() && build.threads == 1;
            batch::find(&mut session, graph, if alone { Clock::Thread } else { Clock::Wall })?
        }
    };
    let bytes = graph.bytes(Some(batch))?;
    let load = || Session::load(Arc::clone(graph), &bytes, &build, Some(batch));
    let mut first = load()?;
    let facts = probe(&mut first, graph, batch, build.provider, threads)?;
    if build.provider.is_gpu() {
        let (sender, owner) = engine::own(first).map_err(|_| ScoreError::Thread(graph.checkpoint.clone()))?;
        let engines = (0..threads).map(|_| Engine::Shared(sender.clone())).collect();
        return Ok(Assembled { graph: Arc::clone(graph), engines, owner: Some(owner), facts });
    }
    let others = thread::scope(|scope| {
        let loading: Vec<_> = (1..sessions).map(|_| scope.spawn(load)).collect();
        let loaded =
            loading.into_iter().map(|one| one.join().map_err(|_| ScoreError::Thread(graph.checkpoint.clone()))?);
        loaded.collect::<Result<Vec<_>, _>>()
    })?;
    let engines: Vec<Engine> =
        std::iter::once(first).chain(others).map(|session| Engine::Own(Box::new(session))).collect();
    let facts = Facts { workers: engines.len(), ..facts };
    Ok(Assembled { graph: Arc::clone(graph), engines, owner: None, facts })
}

/// Runs one empty batch, which settles the shapes.
fn probe(
    session: &mut Session,
    graph: &Graph,
    batch: usize,
    provider: Provider,
    workers: usize,
) -> Result<Facts, ScoreError> {
    let outputs = session.run(&vec![0; batch * graph.image_bytes()])?;
    let classes = outputs.scores.len() / batch;
    if classes < 2 {
        return Err(graph.refused(format!("its output {} has one column, a classifier has two or more", graph.output)));
    }
    let embedding = graph.embedding.as_ref().map(|_| outputs.embeddings.len() / batch);
    Ok(Facts { batch, classes, kind: graph.kind, embedding, provider, workers })
}

/// How many sessions of one thread the memory is there for: one for each thread, unless the weights are so large that
/// their copies (three for each session: the file's, ONNX Runtime's, and those packed for its kernels) would take more
/// than a quarter of what is free. Fewer sessions then have more threads each.
fn affordable(graph: &Graph, threads: usize) -> usize {
    let copies = graph.file_bytes().saturating_mul(3);
    let room = memory::available().map_or(u64::MAX, |bytes| bytes / 4);
    let most = usize::try_from(room / copies.max(1)).unwrap_or(usize::MAX);
    threads.min(most.max(1))
}
