//! Tensors that are filled by a rule.

use super::super::reader::{Reader, Refusal};
use super::super::values;
use super::list::Integers;
use super::{Compute, axis_of, one};
use crate::graph::Fault;
use tch::{Kind, Tensor};

/// The greatest number of elements that a range may have: no shape is that long, and a wrong one is not to fill the memory.
const LONGEST_RANGE: f64 = 1e9;

/// The greatest number of places that an index may mark.
const MOST_KINDS: i64 = 1 << 20;

pub(super) fn constant_of_shape(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let shape = Integers::input(node, 0)?;
    let refused = |error: &dyn std::fmt::Display| Refusal::new(format!("attribute \"value\": {error}"));
    let value = match node.tensor("value")? {
        None => Tensor::from(0f32),
        Some(stored) => {
            let value = values::value(stored).map_err(|error| refused(&error))?;
            value.f_reshape([]).map_err(|error| refused(&error))?
        }
    };
    Ok(one(move |inputs, _| {
        // Expanded elements share their memory; what is computed from them is not to notice.
        Ok(value.f_expand(shape.get(inputs, "the shape")?, false)?.f_contiguous()?)
    }))
}

pub(super) fn range(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(one(|inputs, _| {
        let kind = inputs.get(0)?.kind();
        let number = |index| -> Result<f64, Fault> { Ok(inputs.get(index)?.f_double_value(&[])?) };
        let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
        let count = ((limit - start) / step).ceil().max(0.0);
        if !count.is_finite() || count > LONGEST_RANGE {
            return Err(Fault::Other(format!("a range from {start} to {limit} in steps of {step} does not end")));
        }
        let counted = Tensor::f_arange(count, (Kind::Double, inputs.get(0)?.device()))?;
        Ok(counted.f_mul_scalar(step)?.f_add_scalar(start)?.f_to_kind(kind)?)
    }))
}

/// Rows of `values[0]` in which `values[1]` stands where an index of the input says, along a new axis, the last by default.
pub(super) fn one_hot(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(-1);
    let depth = Integers::input(node, 1)?;
    Ok(one(move |inputs, _| {
        let (places, values) = (inputs.get(0)?, inputs.get(2)?);
        let depth = depth.get(inputs, "the depth")?.first().copied().unwrap_or(0);
        if !(1..=MOST_KINDS).contains(&depth) {
            return Err(Fault::Other(format!("the depth is {depth}; it must be 1 to {MOST_KINDS}")));
        }
        let axis = axis_of(axis, places.dim() + 1)?;
        let mut shape = vec![1; places.dim() + 1];
        if let Some(extent) = shape.get_mut(usize::try_from(axis).unwrap_or(0)) {
            *extent = depth;
        }
        // An index may count from the end; one that is out of range marks nothing.
        let device = values.device();
        let places = places.f_to_device(device)?.f_to_kind(Kind::Int64)?;
        let counted = places.f_where_self(&places.f_ge(0)?, &places.f_add_scalar(depth)?)?.f_unsqueeze(axis)?;
        let marked = counted.f_eq_tensor(&Tensor::f_arange(depth, (Kind::Int64, device))?.f_reshape(shape)?)?;
        Ok(values.f_select(0, 1)?.f_where_self(&marked, &values.f_select(0, 0)?)?)
    }))
}

pub(super) fn tile(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let repeats = Integers::input(node, 1)?;
    Ok(one(move |inputs, _| Ok(inputs.get(0)?.f_repeat(repeats.get(inputs, "the list of repeats")?)?)))
}
