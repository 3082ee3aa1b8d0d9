//! The resize, as Pillow's `Image.resize`: which filter goes which way.
//!
//! The triangle is left to fast_image_resize, which is several times faster than Pillow. Its weights of 16 bits are
//! within one level of Pillow's there, but not for filters with negative lobes: those go through
//! [`Convolution`](super::convolve::Convolution), which is Pillow's to the bit.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{InnerPixel, U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::convolve::Convolution;
use super::geometry::Plan;
use super::{Channels, PixelError, Resize};

/// The resizers of one thread with their buffers.
#[derive(Debug, Default)]
pub(super) struct Scaler {
    convolution: Convolution,
    resizer: Resizer,
    /// As wide as the scaled image, as high as the source.
    narrow: Vec<u8>,
    scaled: Vec<u8>,
}

impl Scaler {
    /// Scales `source` and writes the kept part to `out`.
    pub fn scale(
        &mut self,
        source: &[u8],
        channels: Channels,
        filter: Resize,
        plan: &Plan,
        out: &mut [u8],
    ) -> Result<(), PixelError> {
        match (filter, channels) {
            (Resize::Nearest, _) => nearest(source, channels.count(), plan, out),
            (Resize::Bilinear, Channels::Grey) => return self.bilinear::<U8>(source, plan, out),
            (Resize::Bilinear, Channels::Rgb) => return self.bilinear::<U8x3>(source, plan, out),
            (_, Channels::Grey) => self.convolution.scale::<1>(source, filter, plan, out),
            (_, Channels::Rgb) => self.convolution.scale::<3>(source, filter, plan, out),
        }
        Ok(())
    }

    /// Gives back what one odd image made larger than `limit` bytes.
    pub fn trim(&mut self, limit: usize) {
        self.convolution.trim(limit);
        if self.resizer.size_of_internal_buffers() > limit {
            self.resizer.reset_internal_buffers();
        }
        for buffer in [&mut self.narrow, &mut self.scaled] {
            if buffer.capacity() > limit {
                *buffer = Vec::new();
            }
        }
    }

    /// Columns first, then rows, as Pillow does it; in one call the crate would take the rows first.
    fn bilinear<P: PixelTrait + InnerPixel>(
        &mut self,
        source: &[u8],
        plan: &Plan,
        out: &mut [u8],
    ) -> Result<(), PixelError> {
        let between = (plan.scaled.0, plan.source.1);
        let mut from = source;
        if plan.source.0 != plan.scaled.0 {
            self.narrow.resize(area(between) * P::size(), 0);
            pass::<P>(&mut self.resizer, source, plan.source, &mut self.narrow, between)?;
            from = &self.narrow;
        }
        if plan.scaled == plan.kept {
            return pass::<P>(&mut self.resizer, from, between, out, plan.scaled);
        }
        self.scaled.resize(area(plan.scaled) * P::size(), 0);
        pass::<P>(&mut self.resizer, from, between, &mut self.scaled, plan.scaled)?;
        cut(&self.scaled, P::size(), plan, out);
        Ok(())
    }
}

/// Resizes along one side (or copies, where the sizes are the same); sizes are (width, height).
fn pass<P: PixelTrait + InnerPixel>(
    resizer: &mut Resizer,
    from: &[u8],
    from_size: (u32, u32),
    to: &mut [u8],
    to_size: (u32, u32),
) -> Result<(), PixelError> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    let from = TypedImageRef::<P>::from_buffer(from_size.0, from_size.1, from).map_err(failed)?;
    let mut to = TypedImage::<P>::from_buffer(to_size.0, to_size.1, to).map_err(failed)?;
    resizer.resize_typed(&from, &mut to, &options).map_err(failed)
}

/// Both sides were checked against the limit of pixels before.
fn area((width, height): (u32, u32)) -> usize {
    (width as usize).saturating_mul(height as usize)
}

/// Copies the kept part of a scaled image.
fn cut(scaled: &[u8], size: usize, plan: &Plan, out: &mut [u8]) {
    let stride = plan.scaled.0 as usize * size;
    let kept = plan.kept.0 as usize * size;
    let left = plan.offset.0 as usize * size;
    let rows = scaled.chunks_exact(stride).skip(plan.offset.1 as usize);
    for (to, row) in out.chunks_exact_mut(kept).zip(rows) {
        if let Some(part) = row.get(left..left + kept) {
            to.copy_from_slice(part);
        }
    }
}

/// The nearest pixel. Positions are summed up step by step like Pillow's, so that ties fall to the same side.
fn nearest(source: &[u8], channels: usize, plan: &Plan, out: &mut [u8]) {
    let columns = positions(plan.source.0, plan.scaled.0, plan.offset.0, plan.kept.0);
    let rows = positions(plan.source.1, plan.scaled.1, plan.offset.1, plan.kept.1);
    let stride = plan.source.0 as usize * channels;
    for (to, row) in out.chunks_exact_mut(plan.kept.0 as usize * channels).zip(rows) {
        let Some(from) = source.get(row * stride..(row + 1) * stride) else { continue };
        for (to, column) in to.chunks_exact_mut(channels).zip(&columns) {
            if let Some(pixel) = from.get(column * channels..(column + 1) * channels) {
                to.copy_from_slice(pixel);
            }
        }
    }
}

/// For each kept pixel of one side, the source pixel it is taken from.
fn positions(source: u32, scaled: u32, offset: u32, kept: u32) -> Vec<usize> {
    let step = f64::from(source) / f64::from(scaled.max(1));
    let last = source.saturating_sub(1) as usize;
    let mut position = step * 0.5;
    let mut found = Vec::with_capacity(kept as usize);
    for index in 0..offset.saturating_add(kept) {
        if index >= offset {
            found.push((position as usize).min(last));
        }
        position += step;
    }
    found
}

/// The sizes given to the crate are right by construction; should it refuse them all the same, it is said.
fn failed(error: impl std::fmt::Display) -> PixelError {
    PixelError::Settings { reason: format!("the resize failed ({error}); please report it") }
}
