//! Normalisation without weights: by the channels beside, and by the length.

use super::super::reader::{Reader, Refusal};
use super::{Compute, axis_of, one};
use crate::graph::Fault;

/// Local response normalisation: `x / (bias + alpha / size * sum of squares) ^ beta`, over `size` channels around each
/// (Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012, section 3.3).
pub(super) fn local(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1e-4);
    let beta = node.float("beta")?.unwrap_or(0.75);
    let bias = node.float("bias")?.unwrap_or(1.0);
    let Some(size @ 1..) = node.integer("size")? else {
        return Err(Refusal::new("attribute \"size\" is missing or out of range; it must be 1 or more"));
    };
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let shape = input.size();
        let [count, channels, ..] = *shape.as_slice() else {
            return Err(Fault::Other(format!("an input of shape {shape:?} has no channels")));
        };
        let squares = input.f_square()?.f_reshape([count, 1, channels, -1])?;
        // There are no channels beyond the last ones, however far the window reaches.
        let before = ((size - 1) / 2).min(channels);
        let after = (size - 1 - (size - 1) / 2).min(channels);
        let window = before + 1 + after;
        let padded = squares.f_constant_pad_nd([0, 0, before, after])?;
        let means = padded.f_avg_pool2d([window, 1], [1, 1], [0, 0], false, true, None)?;
        let divisor =
            means.f_mul_scalar(alpha * window as f64 / size as f64)?.f_add_scalar(bias)?.f_pow_tensor_scalar(beta)?;
        Ok(input.f_div(&divisor.f_reshape(&shape)?)?)
    }))
}

/// By the sum of sizes (`p` is 1) or the Euclidean length (2) along an axis, the last by default. What has no length stays.
pub(super) fn length(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(-1);
    let p = node.integer("p")?.unwrap_or(2);
    if !(1..=2).contains(&p) {
        return Err(Refusal::new(format!("attribute \"p\" is {p}; it must be 1 or 2")));
    }
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let axis = axis_of(axis, input.dim())?;
        let length = input.f_norm_scalaropt_dim(p, [axis], true)?;
        let divisor = length.f_where_self(&length.f_gt(0.0)?, &length.f_ones_like()?)?;
        Ok(input.f_div(&divisor)?)
    }))
}
