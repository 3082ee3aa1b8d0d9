//! Operators that move elements without changing them, and the mean over axes.

use super::super::reader::{Reader, Refusal};
use super::{Compute, axis_of};
use crate::graph::Fault;
use tch::{Kind, Tensor};

pub(super) fn flatten(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(1);
    Ok(Box::new(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        let rank = i64::try_from(size.len()).unwrap_or(0);
        let from = if axis == rank { axis } else { axis_of(axis, size.len())? };
        let rows: i64 = size.iter().take(usize::try_from(from).unwrap_or(0)).product();
        Ok(input.f_reshape([rows, -1])?)
    }))
}

pub(super) fn reshape(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let keep_zero = node.integer("allowzero")?.unwrap_or(0) != 0;
    let Some(shape) = node.constant_integers(1, "the new shape")? else {
        return Err(Refusal::new("the new shape is missing"));
    };
    if keep_zero && shape.contains(&0) {
        return Err(Refusal::new("attribute \"allowzero\" is supported for shapes without a zero only"));
    }
    Ok(Box::new(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        let mut target = Vec::with_capacity(shape.len());
        for (axis, &extent) in shape.iter().enumerate() {
            target.push(match extent {
                0 => *size.get(axis).ok_or_else(|| Fault::Other(format!("shape {shape:?} does not fit {size:?}")))?,
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

pub(super) fn concat(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let Some(axis) = node.integer("axis")? else { return Err(Refusal::new("attribute \"axis\" is missing")) };
    let count = node.input_count();
    Ok(Box::new(move |inputs, _| {
        let parts: Vec<&Tensor> = (0..count).map(|index| inputs.get(index)).collect::<Result<_, _>>()?;
        let rank = parts.first().map_or(0, |part| part.dim());
        Ok(Tensor::f_cat(&parts, axis_of(axis, rank)?)?)
    }))
}

pub(super) fn transpose(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let order = node.integers("perm")?;
    Ok(Box::new(move |inputs, _| {
        let input = inputs.get(0)?;
        let reversed = || (0..i64::try_from(input.dim()).unwrap_or(0)).rev().collect();
        Ok(input.f_permute(order.clone().unwrap_or_else(reversed))?)
    }))
}

/// Up to version 17 of the operator set the axes are an attribute, afterwards an input.
pub(super) fn reduce_mean(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let keep = node.integer("keepdims")?.unwrap_or(1) != 0;
    let nothing_means_all = node.integer("noop_with_empty_axes")?.unwrap_or(0) == 0;
    let named = if node.opset < 18 { node.integers("axes")? } else { node.constant_integers(1, "the list of axes")? };
    let axes = named.unwrap_or_default();
    Ok(Box::new(move |inputs, _| {
        let input = inputs.get(0)?;
        match (axes.is_empty(), nothing_means_all) {
            (true, false) => Ok(input.shallow_clone()),
            (true, true) => {
                let all: Vec<i64> = (0..i64::try_from(input.dim()).unwrap_or(0)).collect();
                Ok(input.f_mean_dim(all, keep, None::<Kind>)?)
            }
            (false, _) => Ok(input.f_mean_dim(axes.as_slice(), keep, None::<Kind>)?),
        }
    }))
}

/// Up to version 12 of the operator set the axes are an attribute, afterwards an input.
pub(super) fn squeeze(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let named = if node.opset < 13 { node.integers("axes")? } else { node.constant_integers(1, "the list of axes")? };
    let Some(axes) = named else {
        return Err(Refusal::new("it names no axes, so a batch of one image would lose its first one; name them"));
    };
    Ok(Box::new(move |inputs, _| {
        let input = inputs.get(0)?;
        let size = input.size();
        for &axis in &axes {
            let place = usize::try_from(axis_of(axis, size.len())?).unwrap_or(0);
            if size.get(place) != Some(&1) {
                return Err(Fault::Other(format!("axis {axis} of shape {size:?} is not 1")));
            }
        }
        Ok(input.f_squeeze_dims(axes.as_slice())?)
    }))
}
