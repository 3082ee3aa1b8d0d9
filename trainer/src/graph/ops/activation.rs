//! Operators that act on every element by itself.

use super::super::reader::{Reader, Refusal};
use super::Compute;
use crate::graph::Mode;
use tch::Tensor;

pub(super) fn identity(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.shallow_clone())))
}

pub(super) fn relu(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_relu()?)))
}

pub(super) fn sigmoid(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_sigmoid()?)))
}

pub(super) fn tanh(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_tanh()?)))
}

pub(super) fn leaky_relu(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let slope = node.float("alpha")?.unwrap_or(0.01);
    Ok(Box::new(move |inputs, _| {
        let input = inputs.get(0)?;
        // The binding's own leaky_relu has a fixed slope; prelu takes it as a tensor.
        let slope = Tensor::f_full([1], slope, (input.kind(), input.device()))?;
        Ok(input.f_prelu(&slope)?)
    }))
}

pub(super) fn hard_sigmoid(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(0.2);
    let beta = node.float("beta")?.unwrap_or(0.5);
    Ok(Box::new(move |inputs, _| Ok(inputs.get(0)?.f_mul_scalar(alpha)?.f_add_scalar(beta)?.f_clamp(0.0, 1.0)?)))
}

pub(super) fn hard_swish(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_hardswish()?)))
}

/// Up to version 10 of the operator set the limits are attributes, afterwards inputs.
pub(super) fn clip(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let (lowest, highest) = if node.opset < 11 {
        (node.float("min")?, node.float("max")?)
    } else {
        (node.constant_float(1, "the lower limit")?, node.constant_float(2, "the upper limit")?)
    };
    Ok(Box::new(move |inputs, _| {
        let input = inputs.get(0)?;
        Ok(match (lowest, highest) {
            (Some(lowest), Some(highest)) => input.f_clamp(lowest, highest)?,
            (Some(lowest), None) => input.f_clamp_min(lowest)?,
            (None, Some(highest)) => input.f_clamp_max(highest)?,
            (None, None) => input.shallow_clone(),
        })
    }))
}

/// Up to version 11 of the operator set the ratio is an attribute, afterwards an input. The training mode that a graph
/// was exported with does not count: gleaner says when it trains.
pub(super) fn dropout(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let named = if node.opset < 12 { node.float("ratio")? } else { node.constant_float(1, "the ratio")? };
    node.ignore("seed");
    let ratio = named.unwrap_or(0.5);
    if !(0.0..1.0).contains(&ratio) {
        return Err(Refusal::new(format!("the ratio is {ratio}; it must be at least 0 and less than 1")));
    }
    Ok(Box::new(move |inputs, mode| Ok(inputs.get(0)?.f_dropout(ratio, mode == Mode::Train)?)))
}

pub(super) fn add(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_add(inputs.get(1)?)?)))
}

pub(super) fn sub(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_sub(inputs.get(1)?)?)))
}

pub(super) fn mul(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_mul(inputs.get(1)?)?)))
}

pub(super) fn div(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(Box::new(|inputs, _| Ok(inputs.get(0)?.f_div(inputs.get(1)?)?)))
}
