//! What a training step begins with: a graph that can be trained, and what moves its weights.

use crate::device;
use crate::frame::Frame;
use crate::graph::Graph;
use crate::optimiser::Optimiser;
use anyhow::{Context, bail};
use gleaner::config::{Config, TrainPrecision};
use gleaner::onnx::{Classifier, Model};
use gleaner::pixels::Preprocess;
use gleaner::settings;
use tch::{Device, TchError, Tensor};

/// Everything that follows from a model and a config alone, before any image is read.
pub struct Setup {
    /// Where the training runs.
    pub device: Device,
    /// The graph, with the weights frozen that the config wants to stay.
    pub graph: Graph,
    /// What moves its weights, at rest.
    pub optimiser: Optimiser,
    /// How images become numbers.
    pub preprocess: Preprocess,
    /// The form of a batch of them.
    pub frame: Frame,
    /// How many classes the graph tells apart.
    pub classes: i64,
}

impl Setup {
    /// Sets up the training of a model that is [untied](gleaner::onnx::training::untie); `seed` is libtorch's, for Dropout.
    ///
    /// # Errors
    /// Whatever of the graph cannot be trained, by node, operator and attribute; a graph without any weight that may train;
    /// images of another form than the graph takes; a graph that cannot run.
    pub fn of(model: &Model, config: &Config, seed: u64) -> anyhow::Result<Self> {
        let classifier = Classifier::of(model)?;
        let device = device::choose();
        device::settle(settings::threads(config.train.threads), seed);
        let mut graph = Graph::new(model, &classifier, device)?;
        if config.train.precision == TrainPrecision::Bf16 {
            graph = graph.narrow();
        }
        graph.lay_out(config.train.channels_last)?;
        let graph = graph.freeze(&settings::selection(config)).with_context(|| model.file().to_owned())?;
        let optimiser = Optimiser::new(&graph, config.train.optimiser, config.train.weight_decay)?;
        if optimiser.is_empty() {
            bail!("{}: no weight of it can be trained; see `gleaner model inspect`", model.file());
        }
        for (name, weight) in graph.trained() {
            if !is_finite(weight)? {
                bail!(
                    "{}: {name:?} holds a value that is no finite number; train from another checkpoint",
                    model.file()
                );
            }
        }
        let preprocess = settings::preprocess(config);
        let frame = Frame::of(&classifier, &preprocess, model.file())?;
        let classes = frame.classes(&graph, device).with_context(|| model.file().to_owned())?;
        Ok(Self { device, graph, optimiser, preprocess, frame, classes })
    }
}

/// Whether all numbers of a weight are finite.
pub fn is_finite(weight: &Tensor) -> Result<bool, TchError> {
    Ok(weight.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0)
}
