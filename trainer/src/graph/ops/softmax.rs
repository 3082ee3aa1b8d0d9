//! Softmax and its logarithm.

use super::super::reader::{Reader, Refusal};
use super::{Compute, axis_of, one};
use crate::graph::Fault;
use tch::{Kind, TchError, Tensor};

pub(super) fn softmax(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    along(node, |values, axis| values.f_softmax(axis, None::<Kind>))
}

pub(super) fn log_softmax(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    along(node, |values, axis| values.f_log_softmax(axis, None::<Kind>))
}

/// From version 13 of the operator set on the sum runs over one axis, the last by default; before, over all axes from
/// the given one on, the second by default.
fn along(node: &mut Reader<'_>, apply: fn(&Tensor, i64) -> Result<Tensor, TchError>) -> Result<Compute, Refusal> {
    let named = node.integer("axis")?;
    if node.opset >= 13 {
        let axis = named.unwrap_or(-1);
        return Ok(one(move |inputs, _| {
            let input = inputs.get(0)?;
            Ok(apply(input, axis_of(axis, input.dim())?)?)
        }));
    }
    let axis = named.unwrap_or(1);
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        let from = usize::try_from(axis_of(axis, size.len())?).unwrap_or(0);
        let rows: i64 = size.iter().take(from).product();
        let columns: i64 = size.iter().skip(from).product();
        let flat = apply(&input.f_reshape([rows, columns])?, 1)?;
        flat.f_reshape(&size).map_err(Fault::from)
    }))
}
