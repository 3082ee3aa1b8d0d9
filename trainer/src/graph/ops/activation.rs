//! Activations, limits and Dropout.

use super::super::reader::{Reader, Refusal};
use super::list::Number;
use super::{Compute, one};
use crate::graph::Mode;
use tch::{TchError, Tensor};

pub(super) fn leaky_relu(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let slope = node.float("alpha")?.unwrap_or(0.01);
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        // The binding's own leaky_relu has a fixed slope; prelu takes it as a tensor.
        let slope = Tensor::f_full([1], slope, (input.kind(), input.device()))?;
        Ok(input.f_prelu(&slope)?)
    }))
}

pub(super) fn elu(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    Ok(exponential(alpha, 1.0, 1.0))
}

pub(super) fn celu(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    if alpha == 0.0 {
        return Err(Refusal::new("attribute \"alpha\" is 0; the input is divided by it"));
    }
    Ok(exponential(alpha, alpha, 1.0))
}

/// ONNX's defaults are those of Klambauer et al., "Self-Normalizing Neural Networks" (2017).
pub(super) fn selu(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1.673_263_192_176_818_8);
    let gamma = node.float("gamma")?.unwrap_or(1.050_700_993_537_902_8);
    Ok(exponential(alpha, 1.0, gamma))
}

/// `gamma * x` above zero, `gamma * alpha * (exp(x / width) - 1)` below.
fn exponential(alpha: f64, width: f64, gamma: f64) -> Compute {
    one(move |inputs, _| {
        let input = inputs.get(0)?;
        // Of what is above zero the exponential is not even asked for: its gradient may be infinite there.
        let below = input.f_clamp_max(0.0)?.f_div_scalar(width)?.f_expm1()?.f_mul_scalar(alpha * gamma)?;
        Ok(below.f_add(&input.f_relu()?.f_mul_scalar(gamma)?)?)
    })
}

pub(super) fn thresholded_relu(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    Ok(one(move |inputs, _| Ok(inputs.get(0)?.f_threshold(alpha, 0.0)?)))
}

pub(super) fn hard_sigmoid(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(0.2);
    let beta = node.float("beta")?.unwrap_or(0.5);
    Ok(one(move |inputs, _| Ok(inputs.get(0)?.f_mul_scalar(alpha)?.f_add_scalar(beta)?.f_clamp(0.0, 1.0)?)))
}

pub(super) fn gelu(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let approximate = node.text("approximate")?.unwrap_or_else(|| "none".to_owned());
    if !matches!(approximate.as_str(), "none" | "tanh") {
        return Err(Refusal::new(format!(
            "attribute \"approximate\" is {approximate:?}; it must be \"none\" or \"tanh\""
        )));
    }
    Ok(one(move |inputs, _| Ok(inputs.get(0)?.f_gelu(&approximate)?)))
}

/// Any slope that can be spread over the input, not only one a channel. At zero the slope counts, as in PyTorch.
pub(super) fn prelu(input: &Tensor, slope: &Tensor) -> Result<Tensor, TchError> {
    input.f_where_self(&input.f_gt(0.0)?, &input.f_mul(slope)?)
}

/// Up to version 10 of the operator set the limits are attributes, afterwards inputs.
pub(super) fn clip(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let (lowest, highest) = if node.opset < 11 {
        (node.float("min")?.map(Number::Fixed), node.float("max")?.map(Number::Fixed))
    } else {
        (Number::input(node, 1)?, Number::input(node, 2)?)
    };
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        if !input.is_floating_point() {
            let (lowest, highest) = (inputs.maybe(1), inputs.maybe(2));
            let limited = lowest.or(highest).map(|_| input.f_clamp_tensor(lowest, highest));
            return Ok(limited.transpose()?.unwrap_or_else(|| input.shallow_clone()));
        }
        let limit = |limit: &Option<Number>| limit.as_ref().map(|limit| limit.of(inputs)).transpose();
        Ok(match (limit(&lowest)?, limit(&highest)?) {
            // PyTorch's gradient of ReLU6 is zero at its limits, that of a limit by itself is one: a channel of nothing but
            // zeros tells them apart.
            (Some(0.0), Some(6.0)) => input.f_relu6()?,
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
    let ratio = if node.opset < 12 { node.float("ratio")?.map(Number::Fixed) } else { Number::input(node, 1)? };
    node.ignore("seed");
    let ratio = ratio.unwrap_or(Number::Fixed(0.5));
    if let Number::Fixed(ratio) = ratio
        && !(0.0..1.0).contains(&ratio)
    {
        return Err(Refusal::new(format!("the ratio is {ratio}; it must be at least 0 and less than 1")));
    }
    Ok(one(move |inputs, mode| match mode {
        Mode::Train => Ok(inputs.get(0)?.f_dropout(ratio.of(inputs)?, true)?),
        Mode::Evaluate => Ok(inputs.get(0)?.shallow_clone()),
    }))
}
