//! Reading and writing at positions that a tensor holds. Negative positions count from the end.

use super::super::reader::{Reader, Refusal};
use super::{Compute, axis_of, extent_of, one};
use crate::graph::Fault;
use tch::{Device, Kind, TchError, Tensor};

/// Positions within `0..extent`, beside the data.
fn positions(index: &Tensor, extent: i64, device: Device) -> Result<Tensor, TchError> {
    let index = index.f_to_kind(Kind::Int64)?.f_to_device(device)?;
    index.f_add_scalar(extent)?.f_where_self(&index.f_lt(0)?, &index)
}

pub(super) fn gather(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(0);
    Ok(one(move |inputs, _| {
        let (input, index) = (inputs.get(0)?, inputs.get(1)?);
        let axis = axis_of(axis, input.dim())?;
        if index.dim() == 0 && index.device() == Device::Cpu {
            return Ok(input.f_select(axis, index.f_int64_value(&[])?)?);
        }
        let size = input.size();
        let flat = positions(index, extent_of(&size, axis), input.device())?.f_reshape([-1])?;
        let place = usize::try_from(axis).unwrap_or(0);
        let (before, after) = (size.iter().take(place), size.iter().skip(place + 1));
        let target: Vec<i64> = before.copied().chain(index.size()).chain(after.copied()).collect();
        Ok(input.f_index_select(axis, &flat)?.f_reshape(target)?)
    }))
}

pub(super) fn gather_elements(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let axis = node.integer("axis")?.unwrap_or(0);
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let axis = axis_of(axis, input.dim())?;
        let index = positions(inputs.get(1)?, extent_of(&input.size(), axis), input.device())?;
        Ok(input.f_gather(axis, &index, false)?)
    }))
}

/// One tensor of positions for each indexed axis: the first ones are counted off where they are axes of the batch, the
/// others stand in the last axis of `index`.
fn coordinates(size: &[i64], index: &Tensor, batch: i64, device: Device) -> Result<Vec<Option<Tensor>>, Fault> {
    let shape = index.size();
    let depth = shape.last().copied().unwrap_or(0);
    if batch.saturating_add(depth) > i64::try_from(size.len()).unwrap_or(0) || batch < 0 {
        return Err(Fault::Other(format!("positions of shape {shape:?} do not fit data of shape {size:?}")));
    }
    let mut coordinates = Vec::new();
    for axis in 0..batch {
        let mut spread = vec![1; shape.len().saturating_sub(1)];
        if let Some(extent) = usize::try_from(axis).ok().and_then(|axis| spread.get_mut(axis)) {
            *extent = extent_of(size, axis);
        }
        let counted = Tensor::f_arange(extent_of(size, axis), (Kind::Int64, device))?;
        coordinates.push(Some(counted.f_reshape(spread)?));
    }
    for place in 0..depth {
        let extent = extent_of(size, batch + place);
        coordinates.push(Some(positions(&index.f_select(-1, place)?, extent, device)?));
    }
    Ok(coordinates)
}

pub(super) fn gather_nd(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let batch = node.integer("batch_dims")?.unwrap_or(0);
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        Ok(input.f_index(&coordinates(&input.size(), inputs.get(1)?, batch, input.device())?)?)
    }))
}

pub(super) fn scatter_nd(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let accumulate = match node.text("reduction")?.as_deref() {
        None | Some("none") => false,
        Some("add") => true,
        Some(other) => {
            let reason = format!("attribute \"reduction\" is {other:?}, but only \"none\" and \"add\" are supported");
            return Err(Refusal::new(reason));
        }
    };
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let places = coordinates(&input.size(), inputs.get(1)?, 0, input.device())?;
        let updates = inputs.get(2)?.f_to_kind(input.kind())?.f_to_device(input.device())?;
        Ok(input.f_index_put(&places, &updates, accumulate)?)
    }))
}
