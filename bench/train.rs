//! gleaner's side of `make bench-train`: the training step alone, on images that lie ready in memory.
//!
//! ```text
//! bench-train GRAPH CHANNELS SIDE BATCH THREADS fp32|bf16
//! ```
//!
//! Each line on standard input says for how many batches a turn lasts. A batch is treated as `gleaner-trainer step`
//! treats it: its numbers go to the GPU, if there is one, then come the forward pass, the loss and the per-image answers, the
//! backward pass and the optimiser's move.

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use gleaner::config::OptimiserConfig;
use gleaner::draw::{Draws, Stream};
use gleaner::onnx::training::untie;
use gleaner::onnx::{Classifier, Model};
use gleaner_trainer::feed::{Arrived, Feed};
use gleaner_trainer::graph::{Graph, Mode};
use gleaner_trainer::loader::Batch;
use gleaner_trainer::loss::weighted_cross_entropy;
use gleaner_trainer::optimiser::Optimiser;
use gleaner_trainer::{device, state};
use tch::Device;

const LEARNING_RATE: f64 = 0.01;
const RULE: OptimiserConfig = OptimiserConfig::Sgd { momentum: 0.9, nesterov: false };
const WEIGHT_DECAY: f64 = 5e-4;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [graph, extents @ .., precision] = arguments.as_slice() else { bail!("give a graph and a precision") };
    let extents: Vec<usize> = extents.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [channels, side, batch, threads] = extents.as_slice() else { bail!("give channels, side, batch and threads") };

    let mut model = Model::read(Path::new(graph))?;
    untie(&mut model);
    let device = device::choose();
    device::settle(*threads, 1);
    let mut graph = Graph::new(&model, &Classifier::of(&model)?, device)?;
    if precision == "bf16" {
        graph = graph.narrow();
    }
    graph.lay_out(true)?;
    let mut optimiser = Optimiser::new(&graph, RULE, WEIGHT_DECAY)?;

    let draws = Draws::new(1, 0, Stream::Augment);
    let count = batch * channels * side * side;
    let images: Vec<f32> = (0..count).map(|index| draws.unit(index as u64) as f32 * 2.0 - 1.0).collect();
    let labels: Vec<i64> = (0..*batch).map(|index| index as i64 % 10).collect();
    let shape = [*batch as i64, *channels as i64, *side as i64, *side as i64];
    let loaded = Batch { images, labels, weights: vec![1.0; *batch], rows: Vec::new(), closes: true };
    let feed = Feed::of(loaded, &shape, device)?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let steps: u32 = line?.trim().parse().context("a turn is a number of batches")?;
        let began = Instant::now();
        let mut last = 0.0;
        for _ in 0..steps {
            let Arrived { images, labels, weights } = feed.send(device)?;
            let logits = graph.logits(&images, Mode::Train)?;
            let loss = weighted_cross_entropy(&logits, &labels, &weights, 0.0)?;
            last = loss.f_double_value(&[])?;
            let _answers = state::values(&logits)?;
            optimiser.backward(&loss)?;
            optimiser.step(LEARNING_RATE)?;
        }
        if let Device::Cuda(number) = device {
            tch::Cuda::synchronize(number as i64);
        }
        let seconds = began.elapsed().as_secs_f64();
        let rate = f64::from(steps) * *batch as f64 / seconds;
        println!("{}", serde_json::json!({"seconds": seconds, "rate": rate, "loss": last, "peak_mib": peak_mib()?}));
    }
    Ok(())
}

/// The most memory that this process has had, in MiB.
fn peak_mib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the system tells no peak of memory")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? / 1024)
}
