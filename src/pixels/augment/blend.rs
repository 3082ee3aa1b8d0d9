//! Between a plainer image and the image itself, and beyond it, as Pillow's `ImageEnhance`.

use super::super::colour::luma;
use super::Canvas;

/// Between `plain` (factor 0) and `level` (factor 1), or beyond; in single precision and cut off, as `Image.blend` does it.
fn mix(plain: u8, level: u8, factor: f32) -> u8 {
    let plain = f32::from(plain);
    // The conversion keeps within 0 to 255.
    (plain + factor * (f32::from(level) - plain)) as u8
}

/// Black is the plainer image.
pub(super) fn brightness(factor: f32, canvas: &mut Canvas) {
    canvas.pixels.iter_mut().for_each(|level| *level = mix(0, *level, factor));
}

/// The image's grey is the plainer image.
pub(super) fn saturation(factor: f32, canvas: &mut Canvas) {
    for pixel in canvas.pixels.as_chunks_mut::<3>().0 {
        let grey = luma(*pixel);
        *pixel = pixel.map(|level| mix(grey, level, factor));
    }
}

/// The mean of all greys is the plainer image.
pub(super) fn contrast(factor: f32, canvas: &mut Canvas) {
    let sum: u64 = match canvas.channels {
        3 => canvas.pixels.as_chunks::<3>().0.iter().map(|pixel| u64::from(luma(*pixel))).sum(),
        _ => canvas.pixels.iter().map(|level| u64::from(*level)).sum(),
    };
    let mean = (sum as f64 / (canvas.width * canvas.height) as f64 + 0.5) as u8;
    canvas.pixels.iter_mut().for_each(|level| *level = mix(mean, *level, factor));
}

/// The image smoothed by `ImageFilter.SMOOTH` is the plainer image: of 13 parts 5 are the pixel's own and 1 is each
/// neighbour's; at the rim it is left as it is.
pub(super) fn sharpness(factor: f32, canvas: &mut Canvas) {
    let image = canvas.pixels.to_vec();
    let (stride, step) = (canvas.width * canvas.channels, canvas.channels);
    let rows: Vec<&[u8]> = image.chunks_exact(stride).collect();
    for (around, to) in rows.windows(3).zip(canvas.pixels.chunks_exact_mut(stride).skip(1)) {
        let &[above, own, below] = around else { continue };
        let inner = step..stride.saturating_sub(step).max(step);
        for (column, to) in inner.clone().zip(to.get_mut(inner).unwrap_or_default()) {
            let three =
                |row: &[u8]| [column - step, column, column + step].map(|at| u32::from(row[at])).iter().sum::<u32>();
            let sum = three(above) + three(own) + three(below) + 4 * u32::from(own[column]);
            *to = mix(((2 * sum + 13) / 26) as u8, *to, factor);
        }
    }
}
