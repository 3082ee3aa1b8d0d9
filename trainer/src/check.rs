//! Whether a model can be trained as a config says, found by trying it.

use crate::cli::CheckArguments;
use crate::graph::Mode;
use crate::loss::weighted_cross_entropy;
use crate::memory;
use crate::setup::Setup;
use anyhow::Context;
use gleaner::config::Config;
use gleaner::onnx::Model;
use gleaner::onnx::training::untie;
use tch::{Kind, Tensor};

/// Runs `gleaner-trainer check`: everything that a step does to one batch, with empty images, and nothing is written.
pub fn run(arguments: &CheckArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config, &arguments.overrides)?;
    let mut model = Model::read(&arguments.model)?;
    untie(&mut model);
    let mut setup = Setup::of(&model, &config, 0)?;
    let images = i64::from(config.train.batch);
    try_batch(&mut setup, images, &config)
        .map_err(|error| memory::explain(error, usize::try_from(images).unwrap_or(0)))
        .with_context(|| model.file().to_owned())?;
    println!(
        "{}: a batch of {images} images of {} classes trains {} weights on {:?}",
        model.file(),
        setup.classes,
        setup.optimiser.len(),
        setup.device
    );
    Ok(())
}

fn try_batch(setup: &mut Setup, images: i64, config: &Config) -> anyhow::Result<()> {
    let empty = Tensor::f_zeros(setup.frame.shape(images), (Kind::Float, setup.device))?;
    let labels = Tensor::f_zeros([images], (Kind::Int64, setup.device))?;
    let weights = Tensor::f_ones([images], (Kind::Float, setup.device))?;
    let logits = setup.graph.logits(&empty, Mode::Train)?;
    let loss = weighted_cross_entropy(&logits, &labels, &weights, config.train.label_smoothing)?;
    setup.optimiser.backward(&loss)?;
    Ok(setup.optimiser.step(config.train.learning_rate)?)
}
