//! Cutting tensors into pieces and putting pieces together.

use super::super::reader::{Reader, Refusal};
use super::list::Integers;
use super::{Compute, axes_of, axis_of, extent_of, one, several};
use crate::graph::Fault;
use tch::{TchError, Tensor};

pub(super) fn concat(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let Some(axis) = node.integer("axis")? else { return Err(Refusal::new("attribute \"axis\" is missing")) };
    Ok(one(move |inputs, _| {
        let parts = inputs.all()?;
        let rank = parts.first().map_or(0, |part| part.dim());
        Ok(Tensor::f_cat(&parts, axis_of(axis, rank)?)?)
    }))
}

/// Without sizes the pieces are equal, but for the last, which may be smaller. Up to version 12 of the operator set the
/// sizes are an attribute, afterwards an input.
pub(super) fn split(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(0);
    let sizes = Integers::read(node, "split", 13, 1)?;
    let outputs = i64::try_from(node.output_count()).unwrap_or(i64::MAX);
    if let Some(count) = node.integer("num_outputs")?.filter(|&count| count != outputs) {
        return Err(Refusal::new(format!("attribute \"num_outputs\" is {count}, but it has {outputs} outputs")));
    }
    Ok(several(move |inputs, _| {
        let input = inputs.get(0)?;
        let axis = axis_of(axis, input.dim())?;
        let sizes = match sizes.of(inputs)? {
            Some(sizes) => sizes,
            None => {
                let extent = extent_of(&input.size(), axis);
                let most = (extent + outputs - 1) / outputs.max(1);
                (0..outputs).map(|piece| most.min(extent - piece * most).max(0)).collect()
            }
        };
        Ok(input.f_split_with_sizes(sizes, axis)?)
    }))
}

/// Up to version 9 of the operator set the limits are attributes, afterwards inputs.
pub(super) fn slice(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let starts = Integers::read(node, "starts", 10, 1)?;
    let ends = Integers::read(node, "ends", 10, 2)?;
    let axes = Integers::read(node, "axes", 10, 3)?;
    let steps = if node.opset < 10 { Integers::Fixed(None) } else { Integers::input(node, 4)? };
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let (starts, ends) = (starts.get(inputs, "the list of starts")?, ends.get(inputs, "the list of ends")?);
        let axes = match axes.of(inputs)? {
            Some(axes) => axes_of(&axes, input.dim())?,
            None => (0..i64::try_from(starts.len()).unwrap_or(0)).collect(),
        };
        let steps = steps.of(inputs)?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()].iter().any(|&length| length != starts.len()) {
            return Err(Fault::Other(format!(
                "{} starts, {} ends, {} axes and {} steps do not fit each other",
                starts.len(),
                ends.len(),
                axes.len(),
                steps.len()
            )));
        }
        let mut result = input.shallow_clone();
        for (((axis, start), end), step) in axes.into_iter().zip(starts).zip(ends).zip(steps) {
            result = cut(&result, axis, start, end, step)?;
        }
        Ok(result)
    }))
}

/// Positions from `start` to before `end` along one axis. They count from the end if they are negative, and what lies
/// outside is cut off.
fn cut(input: &Tensor, axis: i64, start: i64, end: i64, step: i64) -> Result<Tensor, TchError> {
    let extent = extent_of(&input.size(), axis);
    let counted = |position: i64| if position < 0 { position.saturating_add(extent) } else { position };
    if step > 0 {
        let (start, end) = (counted(start).clamp(0, extent), counted(end).clamp(0, extent));
        return input.f_slice(axis, start, end.max(start), step);
    }
    let (start, end) = (counted(start).clamp(-1, extent - 1), counted(end).clamp(-1, extent - 1));
    // A step of 0 would never end; nothing is taken.
    let stride = usize::try_from(step.saturating_neg()).unwrap_or(0).max(1);
    let places: Vec<i64> = if step == 0 { Vec::new() } else { (end + 1..=start).rev().step_by(stride).collect() };
    input.f_index_select(axis, &Tensor::f_from_slice(&places)?.f_to_device(input.device())?)
}
