//! Batch normalisation.

use super::super::reader::{Reader, Refusal};
use super::Compute;
use crate::graph::{Fault, Mode};

/// ONNX's defaults.
const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.9;

/// Training moves the running statistics in place: `running = running * momentum + batch * (1 - momentum)`, with the
/// unbiased variance of the batch, as PyTorch does (ONNX's own training mode takes the biased one; a graph that was
/// trained in PyTorch and goes on here keeps its statistics' meaning).
pub(super) fn batch(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    node.only("spatial", 1)?;
    node.only("training_mode", 0)?;
    let epsilon = node.float("epsilon")?.unwrap_or(EPSILON);
    let momentum = node.float("momentum")?.unwrap_or(MOMENTUM);
    Ok(Box::new(move |inputs, mode| {
        let image = inputs.get(0)?;
        let training = mode == Mode::Train;
        if training && values_per_channel(&image.size()) < 2 {
            return Err(Fault::OneValue);
        }
        Ok(image.f_batch_norm(
            Some(inputs.get(1)?),
            Some(inputs.get(2)?),
            Some(inputs.get(3)?),
            Some(inputs.get(4)?),
            training,
            1.0 - momentum,
            epsilon,
            true,
        )?)
    }))
}

fn values_per_channel(size: &[i64]) -> i64 {
    size.iter().enumerate().filter(|(axis, _)| *axis != 1).map(|(_, extent)| extent).product()
}
