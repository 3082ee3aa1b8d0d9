//! Triangles of matrices, and running sums.

use super::super::reader::{Reader, Refusal};
use super::list::Integers;
use super::{Compute, axis_of, extent_of, one};
use crate::graph::Fault;
use tch::Tensor;

/// The upper triangle, or the lower one, from the diagonal of the given number on.
pub(super) fn triangle(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let upper = node.integer("upper")?.unwrap_or(1) != 0;
    let diagonal = Integers::input(node, 1)?;
    Ok(one(move |inputs, _| {
        let (input, diagonal) = (inputs.get(0)?, diagonal.of(inputs)?.unwrap_or_default());
        let diagonal = diagonal.first().copied().unwrap_or(0);
        Ok(if upper { input.f_triu(diagonal)? } else { input.f_tril(diagonal)? })
    }))
}

/// Along an axis, from either end, with the element itself or without it.
pub(super) fn running_sum(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let exclusive = node.integer("exclusive")?.unwrap_or(0) != 0;
    let reverse = node.integer("reverse")?.unwrap_or(0) != 0;
    let axis = Integers::input(node, 1)?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let axis = axis.get(inputs, "the axis")?;
        let Some(&axis) = axis.first() else { return Err(Fault::Other("the axis is empty".to_owned())) };
        let axis = axis_of(axis, input.dim())?;
        let ahead = if reverse { input.f_flip([axis])? } else { input.shallow_clone() };
        let extent = extent_of(&ahead.size(), axis);
        let summed = if exclusive && extent > 0 {
            let nothing = ahead.f_narrow(axis, 0, 1)?.f_zeros_like()?;
            Tensor::f_cat(&[nothing, ahead.f_narrow(axis, 0, extent - 1)?], axis)?
        } else {
            ahead
        };
        let sums = summed.f_cumsum(axis, input.kind())?;
        Ok(if reverse { sums.f_flip([axis])? } else { sums })
    }))
}
