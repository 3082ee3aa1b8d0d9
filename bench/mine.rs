//! gleaner's side of `make bench-mine`: one way of doing the scan's work a process, a turn a line on standard input.
//!
//! ```text
//! bench-mine decode  CONFIG LIST GRAPH            the images alone, on score.threads threads
//! bench-mine ready   CONFIG LIST GRAPH BATCH      ready tensors alone, in sessions as a scan has them
//! bench-mine plain   CONFIG LIST GRAPH BATCH      ready tensors alone, the graph as it is, one session as by default
//! bench-mine files   CONFIG LIST GRAPH            a scan, from the files
//! bench-mine cache   CONFIG LIST GRAPH            a scan, from the pixel cache
//! ```
//!
//! The line says how many images of LIST the turn takes, in an order drawn anew each turn where there are files to read.

use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use gleaner::cache::Cache;
use gleaner::config::Config;
use gleaner::draw::{Draws, Stream};
use gleaner::onnx::{self, Classifier, Model};
use gleaner::pixels::{Loader, Preprocess};
use gleaner::pool::Pool;
use gleaner::score::{Facts, Scorer};
use gleaner::{libraries, settings};
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;
use rayon::prelude::*;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, config, list, graph, rest @ ..] = arguments.as_slice() else {
        bail!("give a mode, a config, a list and a graph");
    };
    let bench = Bench {
        config: Config::load(Path::new(config), &[])?,
        pool: Pool::load(Path::new(list))?,
        graph: PathBuf::from(graph),
    };
    let batch = || -> anyhow::Result<usize> { Ok(rest.first().context("give a batch")?.parse()?) };
    match mode.as_str() {
        "decode" => bench.decode(),
        "ready" => bench.ready(batch()?),
        "plain" => bench.plain(batch()?),
        "files" => bench.scan(false),
        "cache" => bench.scan(true),
        other => bail!("there is no mode {other}"),
    }
}

/// What ready tensors may take in memory.
const READY_BYTES: usize = 512 << 20;

struct Bench {
    config: Config,
    pool: Pool,
    graph: PathBuf,
}

impl Bench {
    fn decode(&self) -> anyhow::Result<()> {
        let preprocess = settings::preprocess(&self.config);
        let threads = settings::threads(self.config.score.threads);
        let workers = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        self.turns(serde_json::json!({}), |order| {
            workers.install(|| {
                order.par_chunks(64).try_for_each_init(
                    || (Loader::new(&preprocess), vec![0; preprocess.bytes()]),
                    |(loader, pixels), samples| {
                        samples.iter().try_for_each(|&sample| loader.load(&self.pool.path(sample), pixels))
                    },
                )
            })?;
            Ok(order.len())
        })
    }

    /// As a scan on the processor: a session with one thread for each thread. The tensors are images of the list, each its
    /// own, as many as [`READY_BYTES`] hold.
    fn ready(&self, batch: usize) -> anyhow::Result<()> {
        let preprocess = settings::preprocess(&self.config);
        let threads = settings::threads(self.config.score.threads);
        let mut model = Model::read(&self.graph)?;
        let classifier = Classifier::of(&model)?;
        let embedding = onnx::expose_embedding(&mut model, &settings::scoring(&self.config).embedding)?;
        let outputs: Vec<&str> = std::iter::once(classifier.output.as_str())
            .chain(embedding.as_ref().map(|port| port.name.as_str()))
            .collect();
        onnx::keep_outputs(&mut model, &outputs)?;
        let input_name = onnx::fold_pixels(&mut model, &classifier, &pixel_input(&preprocess))?;
        onnx::set_batch(&mut model, Some(batch));
        let shape = [batch, preprocess.height as usize, preprocess.width as usize, preprocess.channels.count()];
        let mut sessions = (0..threads).map(|_| session(&model, 1, true)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut loader = Loader::new(&preprocess);
        let images = (self.pool.len() as usize).min(READY_BYTES / preprocess.bytes()) / batch * batch;
        let mut tensors = vec![0u8; images * preprocess.bytes()];
        for (sample, pixels) in (0..).zip(tensors.chunks_exact_mut(preprocess.bytes())) {
            loader.load(&self.pool.path(sample), pixels)?;
        }
        let tensors: Vec<&[u8]> = tensors.chunks_exact(batch * preprocess.bytes()).collect();
        self.turns(serde_json::json!({}), |order| {
            let runs = order.len() / batch / threads;
            std::thread::scope(|scope| {
                let running: Vec<_> = sessions
                    .iter_mut()
                    .enumerate()
                    .map(|(thread, session)| {
                        let (tensors, input_name) = (&tensors, &input_name);
                        scope.spawn(move || {
                            tensors.iter().cycle().skip(thread * runs).take(runs).try_for_each(|pixels| {
                                let input = TensorRef::from_array_view((shape, *pixels))?;
                                session.run(ort::inputs![input_name.as_str() => input]).map(drop)
                            })
                        })
                    })
                    .collect();
                running.into_iter().try_for_each(|one| {
                    let done: Result<(), ort::Error> = one.join().map_err(|_| anyhow!("a thread ended"))?;
                    done.map_err(anyhow::Error::from)
                })
            })?;
            Ok(runs * batch * threads)
        })
    }

    /// The graph untouched, in one session on all cores with ONNX Runtime's own settings.
    fn plain(&self, batch: usize) -> anyhow::Result<()> {
        let preprocess = settings::preprocess(&self.config);
        let mut model = Model::read(&self.graph)?;
        let classifier = Classifier::of(&model)?;
        onnx::set_batch(&mut model, Some(batch));
        let (height, width) = (preprocess.height as usize, preprocess.width as usize);
        let shape = match classifier.layout {
            onnx::Layout::Nchw => [batch, preprocess.channels.count(), height, width],
            onnx::Layout::Nhwc => [batch, height, width, preprocess.channels.count()],
        };
        let mut session = session(&model, settings::threads(self.config.score.threads), false)?;
        let pixels = vec![0.5f32; shape.iter().product()];
        self.turns(serde_json::json!({}), |order| {
            let runs = order.len() / batch;
            for _ in 0..runs {
                let input = TensorRef::from_array_view((shape, &*pixels))?;
                session.run(ort::inputs![classifier.input.as_str() => input])?;
            }
            Ok(runs * batch)
        })
    }

    fn scan(&self, cached: bool) -> anyhow::Result<()> {
        let mut options = settings::scoring(&self.config);
        if cached {
            let (settings, preprocess) = (settings::cache(&self.config), settings::preprocess(&self.config));
            options.cache = Arc::new(Cache::open(&settings, &preprocess, Some(u64::from(self.pool.len())))?);
        }
        let scorer = Scorer::start(Model::read(&self.graph)?, &self.graph, options)?;
        if cached {
            // The first scan fills it.
            let all: Vec<u32> = (0..self.pool.len()).collect();
            scorer.scan(&self.pool, &all, None, |_| ControlFlow::Continue(()))?;
        }
        let Facts { batch, workers, provider, .. } = scorer.facts();
        eprintln!("batches of {batch}, {workers} workers, {provider}");
        let batch = *batch;
        self.turns(serde_json::json!({"batch": batch}), |order| {
            let tally = scorer.scan(&self.pool, order, None, |_| ControlFlow::Continue(()))?;
            if tally.scored == order.len() as u64 {
                Ok(order.len())
            } else {
                bail!("{} images could not be read", tally.skipped)
            }
        })
    }

    /// Takes turns; `turn` gives how many images it took. `more` goes into every answer.
    fn turns(
        &self,
        more: serde_json::Value,
        mut turn: impl FnMut(&[u32]) -> anyhow::Result<usize>,
    ) -> anyhow::Result<()> {
        println!("ready");
        for (number, line) in (0..).zip(std::io::stdin().lock().lines()) {
            let count = line?.trim().parse().context("a line says how many images a turn takes")?;
            let mut order: Vec<u32> = (0..self.pool.len()).collect();
            Draws::new(self.config.seed, number, Stream::Scan).shuffle(&mut order);
            order.truncate(count);
            let start = Instant::now();
            let images = turn(&order)?;
            let seconds = start.elapsed().as_secs_f64();
            let mut answer = serde_json::json!({"seconds": seconds, "images": images, "rate": images as f64 / seconds});
            if let (Some(answer), Some(more)) = (answer.as_object_mut(), more.as_object()) {
                answer.extend(more.clone());
            }
            println!("{answer}");
        }
        Ok(())
    }
}

fn pixel_input(preprocess: &Preprocess) -> onnx::PixelInput<'_> {
    onnx::PixelInput {
        mean: &preprocess.mean,
        std: &preprocess.std,
        height: preprocess.height as usize,
        width: preprocess.width as usize,
        arithmetic: onnx::Arithmetic::Scaled,
    }
}

/// A session of a model; with `alone` one thread that does not spin, as a scan has them, else ONNX Runtime's defaults.
fn session(model: &Model, threads: usize, alone: bool) -> anyhow::Result<Session> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    if ENVIRONMENT.get().is_none() {
        let made = ort::init_from(libraries::find(libraries::ONNX_RUNTIME)?)?.with_telemetry(false).build()?;
        let _ = ENVIRONMENT.set(made);
    }
    let environment = ENVIRONMENT.get().context("ONNX Runtime is gone")?;
    let build = || -> Result<Session, ort::Error> {
        let builder = Session::builder(environment)?.with_optimization_level(GraphOptimizationLevel::Level3)?;
        let builder = builder.with_intra_threads(threads)?;
        let mut builder = if alone { builder.with_intra_op_spinning(false)? } else { builder };
        builder.commit_from_memory(&model.to_bytes().map_err(|error| ort::Error::new(error.to_string()))?)
    };
    Ok(build()?)
}
