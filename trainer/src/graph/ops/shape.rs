//! Operators that ask for a shape, or change it without moving elements from their order; and transposition.

use super::super::reader::{Reader, Refusal};
use super::list::Integers;
use super::{Compute, axes_of, axis_of, one};
use crate::graph::Fault;
use tch::Tensor;

/// The extents as integers on the processor.
pub(super) fn shape(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let start = node.integer("start")?.unwrap_or(0);
    let end = node.integer("end")?.unwrap_or(i64::MAX);
    Ok(one(move |inputs, _| {
        let size = inputs.get(0)?.size();
        let rank = i64::try_from(size.len()).unwrap_or(0);
        let counted = |axis: i64| (if axis < 0 { axis + rank } else { axis }).clamp(0, rank);
        let part = counted(start)..counted(end);
        let extents: Vec<i64> =
            (0..).zip(size).filter(|(axis, _)| part.contains(axis)).map(|(_, extent)| extent).collect();
        Ok(Tensor::f_from_slice(&extents)?)
    }))
}

pub(super) fn flatten(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(1);
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        let rank = i64::try_from(size.len()).unwrap_or(0);
        let from = if axis == rank { axis } else { axis_of(axis, size.len())? };
        let rows: i64 = size.iter().take(usize::try_from(from).unwrap_or(0)).product();
        Ok(input.f_reshape([rows, -1])?)
    }))
}

/// An extent of 0 means that of the input, unless `allowzero` is set.
pub(super) fn reshape(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let keep_zero = node.integer("allowzero")?.unwrap_or(0) != 0;
    let shape = Integers::input(node, 1)?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        let shape = shape.get(inputs, "the new shape")?;
        let mut target = Vec::with_capacity(shape.len());
        for (axis, &extent) in shape.iter().enumerate() {
            target.push(match extent {
                0 if !keep_zero => {
                    *size.get(axis).ok_or_else(|| Fault::Other(format!("shape {shape:?} does not fit {size:?}")))?
                }
                other => other,
            });
        }
        input.f_reshape(&target).map_err(|error| match (size.first(), target.first()) {
            (Some(images), Some(fixed)) if *fixed > 0 && images != fixed => Fault::Other(format!(
                "the shape {shape:?} is for {fixed} images, not for {images}; export the model with a dynamic batch axis"
            )),
            _ => error.into(),
        })
    }))
}

pub(super) fn transpose(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let order = node.integers("perm")?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let reversed = || (0..i64::try_from(input.dim()).unwrap_or(0)).rev().collect();
        Ok(input.f_permute(order.clone().unwrap_or_else(reversed))?)
    }))
}

/// Up to version 12 of the operator set the axes are an attribute, afterwards an input.
pub(super) fn squeeze(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axes = Integers::read(node, "axes", 13, 1)?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        let Some(axes) = axes.of(inputs)? else {
            // A shape has no batch that could be one image.
            if !input.is_floating_point() {
                return Ok(input.f_squeeze()?);
            }
            let reason = "it names no axes, so a batch of one image would lose its first one; name them";
            return Err(Fault::Other(reason.to_owned()));
        };
        for &axis in &axes {
            let place = super::place_of(axis, size.len())?;
            if size.get(place) != Some(&1) {
                return Err(Fault::Other(format!("axis {axis} of shape {size:?} is not 1")));
            }
        }
        Ok(input.f_squeeze_dims(axes.as_slice())?)
    }))
}

/// Up to version 12 of the operator set the axes are an attribute, afterwards an input. They count in the result.
pub(super) fn unsqueeze(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axes = Integers::read(node, "axes", 13, 1)?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let axes = axes.get(inputs, "the list of axes")?;
        let mut axes = axes_of(&axes, input.dim() + axes.len())?;
        axes.sort_unstable();
        let mut result = input.shallow_clone();
        for axis in axes {
            result = result.f_unsqueeze(axis)?;
        }
        Ok(result)
    }))
}

/// Extents of 1, on either side, take the other side's.
pub(super) fn expand(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let shape = Integers::input(node, 1)?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        let shape = shape.get(inputs, "the shape")?;
        let rank = size.len().max(shape.len());
        let padded = |extents: &[i64]| [vec![1; rank - extents.len()], extents.to_vec()].concat();
        let pairs = padded(&size).into_iter().zip(padded(&shape));
        let target: Vec<i64> = pairs.map(|(own, wanted)| if wanted == 1 { own } else { wanted }).collect();
        Ok(input.f_expand(target, false)?)
    }))
}
