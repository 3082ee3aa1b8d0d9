//! Arithmetic of two and more tensors.

use super::super::reader::{Reader, Refusal};
use super::list::Number;
use super::{Compute, one};
use tch::{TchError, Tensor};

/// Integers are divided without a rest, towards zero.
pub(super) fn div(left: &Tensor, right: &Tensor) -> Result<Tensor, TchError> {
    if left.is_floating_point() { left.f_div(right) } else { left.f_div_tensor_mode(right, "trunc") }
}

/// The result has the type of the base.
pub(super) fn pow(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let fixed = match Number::input(node, 1)? {
        Some(Number::Fixed(exponent)) => Some(exponent),
        _ => None,
    };
    Ok(one(move |inputs, _| {
        let base = inputs.get(0)?;
        let raised = match fixed {
            // libtorch knows cheap ways for some exponents if it is told them.
            Some(exponent) if base.is_floating_point() => base.f_pow_tensor_scalar(exponent)?,
            _ => base.f_pow(inputs.get(1)?)?,
        };
        Ok(raised.f_to_kind(base.kind())?)
    }))
}

/// With `fmod` the rest has the sign of the dividend, otherwise that of the divisor.
pub(super) fn modulo(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let as_in_c = node.integer("fmod")?.unwrap_or(0) != 0;
    Ok(one(move |inputs, _| {
        let (left, right) = (inputs.get(0)?, inputs.get(1)?);
        Ok(if as_in_c { left.f_fmod_tensor(right)? } else { left.f_remainder_tensor(right)? })
    }))
}

pub(super) fn min(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    joined(Tensor::f_minimum)
}

pub(super) fn max(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    joined(Tensor::f_maximum)
}

pub(super) fn sum(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    joined(Tensor::f_add)
}

pub(super) fn mean(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let count = node.input_count().max(1) as f64;
    let sum = sum(node)?;
    Ok(one(move |inputs, mode| {
        let sums = sum.run(inputs, mode)?;
        let sum = sums.first().ok_or(crate::graph::Fault::Missing(0))?;
        Ok(sum.f_div_scalar(count)?)
    }))
}

fn joined(join: fn(&Tensor, &Tensor) -> Result<Tensor, TchError>) -> Result<Compute, Refusal> {
    Ok(one(move |inputs, _| {
        let mut result = inputs.get(0)?.shallow_clone();
        for input in inputs.all()?.into_iter().skip(1) {
            result = join(&result, input)?;
        }
        Ok(result)
    }))
}
