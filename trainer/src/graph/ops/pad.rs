//! Padding.

use super::super::reader::{Reader, Refusal};
use super::list::{Integers, Number};
use super::window::for_pad;
use super::{Compute, extent_of, one, place_of};
use crate::graph::Fault;
use tch::Tensor;

/// What stands in the padding.
#[derive(Clone, Copy, PartialEq)]
enum Filling {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

/// Up to version 10 of the operator set pads and value are attributes, afterwards inputs.
pub(super) fn pad(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let filling = match node.text("mode")?.as_deref() {
        None | Some("constant") => Filling::Constant,
        Some("reflect") => Filling::Reflect,
        Some("edge") => Filling::Edge,
        Some("wrap") => Filling::Wrap,
        Some(other) => return Err(Refusal::new(format!("attribute \"mode\" is {other:?}, which is unknown"))),
    };
    let pads = Integers::read(node, "pads", 11, 1)?;
    let value = if node.opset < 11 { node.float("value")?.map(Number::Fixed) } else { Number::input(node, 2)? };
    let axes = Integers::input(node, 3)?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let value = value.as_ref().map_or(Ok(0.0), |value| value.of(inputs))?;
        let pads = per_axis(&pads.get(inputs, "the list of pads")?, axes.of(inputs)?, input.dim())?;
        if filling == Filling::Constant {
            return Ok(input.f_pad(for_pad(&pads), "constant", value)?);
        }
        let mut result = input.shallow_clone();
        for (axis, &(before, after)) in (0..).zip(&pads) {
            if (before, after) != (0, 0) {
                result = extend(&result, axis, before, after, filling)?;
            }
        }
        Ok(result)
    }))
}

/// Padding before and after each axis of the input, from those of some axes: first all before, then all after.
fn per_axis(pads: &[i64], axes: Option<Vec<i64>>, rank: usize) -> Result<Vec<(i64, i64)>, Fault> {
    let axes = axes.unwrap_or_else(|| (0..i64::try_from(rank).unwrap_or(0)).collect());
    if pads.len() != 2 * axes.len() {
        return Err(Fault::Other(format!(
            "{} pads do not fit {} axes; two for each are needed",
            pads.len(),
            axes.len()
        )));
    }
    let (before, after) = pads.split_at(axes.len());
    let mut all = vec![(0, 0); rank];
    for ((axis, &before), &after) in axes.into_iter().zip(before).zip(after) {
        if let Some(place) = all.get_mut(place_of(axis, rank)?) {
            *place = (before, after);
        }
    }
    Ok(all)
}

/// Copies elements of the axis itself before its beginning and behind its end.
fn extend(input: &Tensor, axis: i64, before: i64, after: i64, filling: Filling) -> Result<Tensor, Fault> {
    let extent = extent_of(&input.size(), axis);
    if extent == 0 {
        return Err(Fault::Other(format!("axis {axis} is empty, so there is nothing to pad it with")));
    }
    let place = |position: i64| match filling {
        Filling::Reflect => {
            let period = (2 * (extent - 1)).max(1);
            let within = position.rem_euclid(period);
            within.min(period - within).min(extent - 1)
        }
        Filling::Wrap => position.rem_euclid(extent),
        _ => position.clamp(0, extent - 1),
    };
    let places: Vec<i64> = (-before..extent.saturating_add(after)).map(place).collect();
    Ok(input.f_index_select(axis, &Tensor::f_from_slice(&places)?.f_to_device(input.device())?)?)
}
