//! Normalisation.

use super::super::reader::{Reader, Refusal};
use super::{Compute, Inputs, axis_of, one, several};
use crate::graph::{Fault, Mode};
use tch::{TchError, Tensor};

/// ONNX's defaults.
const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.9;

/// In training mode (ONNX's attribute) it takes the statistics from what it is given, and there are none that run. Otherwise
/// training moves the running statistics in place: `running = running * momentum + batch * (1 - momentum)`, with the
/// unbiased variance of the batch, as PyTorch does (ONNX's own training mode takes the biased one; a graph that was
/// trained in PyTorch and goes on here keeps its statistics' meaning).
pub(super) fn batch(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    node.only("spatial", 1)?;
    let by_the_batch = match node.integer("training_mode")?.unwrap_or(0) {
        mode @ 0..=1 => mode == 1,
        mode => return Err(Refusal::new(format!("attribute \"training_mode\" is {mode}; it must be 0 or 1"))),
    };
    let epsilon = node.float("epsilon")?.unwrap_or(EPSILON);
    let momentum = node.float("momentum")?.unwrap_or(MOMENTUM);
    if by_the_batch {
        return Ok(one(move |inputs, _| {
            let (scale, bias) = (Some(inputs.get(1)?), Some(inputs.get(2)?));
            let none = None::<&Tensor>;
            Ok(inputs.get(0)?.f_batch_norm(scale, bias, none, none, true, 0.0, epsilon, true)?)
        }));
    }
    if !(node.is_stored(3) && node.is_stored(4)) {
        return Ok(one(move |inputs, _| given(inputs, epsilon)));
    }
    Ok(one(move |inputs, mode| {
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

/// By a mean and a variance that the graph computes, as of a kernel that it standardises: they do not run, and the gradient
/// passes them.
fn given(inputs: Inputs<'_>, epsilon: f64) -> Result<Tensor, Fault> {
    let input = inputs.get(0)?;
    let mut shape = vec![1; input.dim()];
    if let Some(channels) = shape.get_mut(1) {
        *channels = -1;
    }
    let beside = |index: usize| -> Result<Tensor, Fault> { Ok(inputs.get(index)?.f_reshape(&shape)?) };
    let deviation = beside(4)?.f_add_scalar(epsilon)?.f_sqrt()?;
    let normalised = input.f_sub(&beside(3)?)?.f_div(&deviation)?;
    Ok(normalised.f_mul(&beside(1)?)?.f_add(&beside(2)?)?)
}

/// Over the axes from the given one on, the last by default. The further outputs are mean and inverse deviation.
pub(super) fn layer(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(-1);
    let epsilon = node.float("epsilon")?.unwrap_or(EPSILON);
    // Statistics are always computed in 32 bits.
    node.ignore("stash_type");
    if (1..3).any(|index| node.output_is_used(index)) {
        return Ok(several(move |inputs, _| {
            let (input, shape) = (inputs.get(0)?, normalised(inputs, axis)?);
            let (result, mean, deviation) =
                input.f_native_layer_norm(shape, inputs.maybe(1), inputs.maybe(2), epsilon)?;
            Ok(vec![result, mean, deviation])
        }));
    }
    Ok(one(move |inputs, _| {
        let (input, scale) = (inputs.get(0)?, inputs.get(1)?);
        let shape = normalised(inputs, axis)?;
        let input = input.f_to_kind(scale.kind())?;
        let own = |weight: &Tensor| weight.size() == shape;
        if own(scale) && inputs.maybe(2).is_none_or(own) {
            return Ok(input.f_layer_norm(&shape, Some(scale), inputs.maybe(2), epsilon, true)?);
        }
        // libtorch wants scale and bias of just that shape; ONNX spreads them.
        let scaled = input.f_layer_norm(&shape, None::<&Tensor>, None, epsilon, true)?.f_mul(scale)?;
        Ok(inputs.maybe(2).map_or_else(|| Ok(scaled.shallow_clone()), |bias| scaled.f_add(bias))?)
    }))
}

/// By the root of the mean of squares, over the axes from the given one on.
pub(super) fn root_mean_square(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(-1);
    let epsilon = node.float("epsilon")?.unwrap_or(EPSILON);
    node.ignore("stash_type");
    Ok(one(move |inputs, _| {
        let (scale, shape) = (inputs.get(1)?, normalised(inputs, axis)?);
        let input = inputs.get(0)?.f_to_kind(scale.kind())?;
        Ok(input.f_rms_norm(shape, None::<&Tensor>, epsilon)?.f_mul(scale)?)
    }))
}

fn normalised(inputs: Inputs<'_>, axis: i64) -> Result<Vec<i64>, Fault> {
    let size = inputs.get(0)?.size();
    let from = usize::try_from(axis_of(axis, size.len())?).unwrap_or(0);
    Ok(size.into_iter().skip(from).collect())
}

/// Up to version 20 of the operator set scale and bias are one number a group, afterwards one a channel.
pub(super) fn group(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let Some(groups) = node.integer("num_groups")?.filter(|&groups| groups > 0) else {
        return Err(Refusal::new("attribute \"num_groups\" is missing; it must be 1 or more"));
    };
    let epsilon = node.float("epsilon")?.unwrap_or(EPSILON);
    node.ignore("stash_type");
    let by_group = node.opset < 21;
    Ok(one(move |inputs, _| {
        let channels = inputs.get(0)?.size().get(1).copied().unwrap_or(0);
        let spread = |weight: &Tensor| -> Result<Tensor, TchError> {
            if by_group {
                weight.f_unsqueeze(1)?.f_expand([groups, channels / groups], false)?.f_reshape([-1])
            } else {
                Ok(weight.shallow_clone())
            }
        };
        let (scale, bias) = (spread(inputs.get(1)?)?, spread(inputs.get(2)?)?);
        let input = inputs.get(0)?.f_to_kind(scale.kind())?;
        Ok(input.f_group_norm(groups, Some(&scale), Some(&bias), epsilon, true)?)
    }))
}

pub(super) fn instance(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let epsilon = node.float("epsilon")?.unwrap_or(EPSILON);
    Ok(one(move |inputs, _| {
        let (scale, bias) = (inputs.get(1)?, inputs.get(2)?);
        let input = inputs.get(0)?.f_to_kind(scale.kind())?;
        Ok(input.f_instance_norm(Some(scale), Some(bias), None, None, true, 0.0, epsilon, true)?)
    }))
}

fn values_per_channel(size: &[i64]) -> i64 {
    size.iter().enumerate().filter(|(axis, _)| *axis != 1).map(|(_, extent)| extent).product()
}
