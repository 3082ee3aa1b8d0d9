//! The resize, as Pillow's `Image.resize`.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{InnerPixel, U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::geometry::Plan;
use super::{Channels, PixelError, Resize};

/// The resizer of one thread with its buffers.
#[derive(Debug, Default)]
pub(super) struct Scaler {
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
        let channels = channels.count();
        let filter = match filter {
            Resize::Nearest => {
                nearest(source, channels, plan, out);
                return Ok(());
            }
            Resize::Bilinear => FilterType::Bilinear,
            Resize::Bicubic => FilterType::CatmullRom,
            Resize::Lanczos => FilterType::Lanczos3,
        };
        if channels == 1 {
            self.convolve::<U8>(source, filter, plan, out)
        } else {
            self.convolve::<U8x3>(source, filter, plan, out)
        }
    }

    /// Columns first, then rows, each rounded to bytes: Pillow's order. It matters, as overshoots of the wider filters
    /// are clipped between the two; in one call the crate would take the rows first.
    fn convolve<P: PixelTrait + InnerPixel>(
        &mut self,
        source: &[u8],
        filter: FilterType,
        plan: &Plan,
        out: &mut [u8],
    ) -> Result<(), PixelError> {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
        let size = P::size();
        let (width, height) = plan.source;
        let (scaled_width, scaled_height) = plan.scaled;
        let narrow_size = scaled_width as usize * height as usize * size;
        let scaled_size = scaled_width as usize * scaled_height as usize * size;
        let cropped = plan.scaled != plan.kept;
        if cropped {
            self.scaled.resize(scaled_size, 0);
        }
        let target = if cropped { self.scaled.as_mut_slice() } else { &mut *out };

        let wide = TypedImageRef::<P>::from_buffer(width, height, source).map_err(failed)?;
        if width == scaled_width && height == scaled_height {
            target.copy_from_slice(source);
        } else if height == scaled_height {
            let mut to = TypedImage::<P>::from_buffer(scaled_width, scaled_height, target).map_err(failed)?;
            self.resizer.resize_typed(&wide, &mut to, &options).map_err(failed)?;
        } else if width == scaled_width {
            let mut to = TypedImage::<P>::from_buffer(scaled_width, scaled_height, target).map_err(failed)?;
            self.resizer.resize_typed(&wide, &mut to, &options).map_err(failed)?;
        } else {
            self.narrow.resize(narrow_size, 0);
            let mut narrow = TypedImage::<P>::from_buffer(scaled_width, height, &mut self.narrow).map_err(failed)?;
            self.resizer.resize_typed(&wide, &mut narrow, &options).map_err(failed)?;
            let mut to = TypedImage::<P>::from_buffer(scaled_width, scaled_height, target).map_err(failed)?;
            self.resizer.resize_typed(&narrow, &mut to, &options).map_err(failed)?;
        }
        if cropped {
            cut(&self.scaled, size, plan, out);
        }
        Ok(())
    }
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
