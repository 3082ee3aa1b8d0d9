//! Blocks of pixels to channels, and back.

use super::super::reader::{Reader, Refusal};
use super::{Compute, one};
use crate::graph::Fault;
use tch::Tensor;

const LARGEST: i64 = 4096;

fn side(node: &mut Reader<'_>) -> Result<i64, Refusal> {
    match node.integer("blocksize")?.unwrap_or(0) {
        side @ 1..=LARGEST => Ok(side),
        side => Err(Refusal::new(format!("attribute \"blocksize\" is {side}; it must be 1 to {LARGEST}"))),
    }
}

fn extents(image: &Tensor) -> Result<[i64; 4], Fault> {
    let size = image.size();
    let wrong = |_| Fault::Other(format!("an input of shape {size:?} is no batch of images"));
    size.as_slice().try_into().map_err(wrong)
}

/// The channels of a block lie apart (`DCR`) or next to each other (`CRD`, PyTorch's `PixelShuffle`).
pub(super) fn depth_to_space(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let side = side(node)?;
    let apart = match node.text("mode")?.as_deref() {
        None | Some("DCR") => true,
        Some("CRD") => false,
        Some(other) => return Err(Refusal::new(format!("attribute \"mode\" is {other:?}; it must be DCR or CRD"))),
    };
    Ok(one(move |inputs, _| {
        let image = inputs.get(0)?;
        if !apart {
            return Ok(image.f_pixel_shuffle(side)?);
        }
        let [count, channels, height, width] = extents(image)?;
        let kept = channels / (side * side);
        let parts = image.f_reshape([count, side, side, kept, height, width])?;
        let shape = [count, kept, height * side, width * side];
        Ok(parts.f_permute([0, 3, 4, 1, 5, 2])?.f_reshape(shape)?)
    }))
}

pub(super) fn space_to_depth(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let side = side(node)?;
    Ok(one(move |inputs, _| {
        let image = inputs.get(0)?;
        let [count, channels, height, width] = extents(image)?;
        let (rows, columns) = (height / side, width / side);
        let parts = image.f_reshape([count, channels, rows, side, columns, side])?;
        let shape = [count, channels * side * side, rows, columns];
        Ok(parts.f_permute([0, 3, 5, 1, 2, 4])?.f_reshape(shape)?)
    }))
}
