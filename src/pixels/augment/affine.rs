//! Affine maps with the nearest pixel, as Pillow's `Image.transform` with `AFFINE` and `NEAREST`.

use super::Canvas;

/// Pillow reckons with 16 bits of fraction.
const ONE: f64 = 65536.0;

/// Pixel (x, y) of the result is pixel (a x + b y + c, d x + e y + f) of the image, both taken at their centres; outside of
/// the image it is black.
pub(super) fn change([a, b, c, d, e, f]: [f64; 6], canvas: &mut Canvas) {
    let image = canvas.pixels.to_vec();
    let fixed = |number: f64| (number * ONE + 0.5).floor() as i64;
    let (across, down) = ([fixed(a), fixed(d)], [fixed(b), fixed(e)]);
    let mut row_start = [fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5)];
    let inside = |place: i64, side: usize| usize::try_from(place >> 16).ok().filter(|place| *place < side);
    let (width, height, channels) = (canvas.width, canvas.height, canvas.channels);
    for row in canvas.pixels.chunks_exact_mut(width * channels) {
        let [mut x, mut y] = row_start;
        for to in row.chunks_exact_mut(channels) {
            let from = inside(x, width).zip(inside(y, height)).map(|(x, y)| (y * width + x) * channels);
            match from.and_then(|from| image.get(from..from + channels)) {
                Some(pixel) => to.copy_from_slice(pixel),
                None => to.fill(0),
            }
            x += across[0];
            y += across[1];
        }
        row_start[0] += down[0];
        row_start[1] += down[1];
    }
}

/// The map that turns the image about its centre by so many degrees against the clock, as `Image.rotate` makes it.
pub(super) fn rotation(degrees: f64, canvas: &Canvas) -> [f64; 6] {
    let (sine, cosine) = (-degrees.to_radians()).sin_cos();
    let (x, y) = (canvas.width as f64 / 2.0, canvas.height as f64 / 2.0);
    [cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y]
}
