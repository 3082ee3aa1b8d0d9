//! The convolution of Pillow's `Image.resize`, to the bit.
//!
//! Pillow keeps the filter's weights in 22 bits of fraction and rounds and clips to bytes after the columns and again
//! after the rows. In a smooth gradient whole columns lie exactly between two levels, and that rounding decides to which
//! they fall; a filter with negative lobes then widens the step of one level. So more exact weights are no better:
//! with them single values came out two levels from Pillow's. Described in Pillow's documentation of
//! "Image.Resampling"; the fixed point is that of `libImaging`.

use super::Resize;
use super::geometry::Plan;

const FRACTION_BITS: u32 = 22;
const ONE: f64 = (1 << FRACTION_BITS) as f64;
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// The source pixels and their weights for each wanted pixel of one side.
#[derive(Debug, Default)]
struct Weights {
    /// First source pixel, and where its weights lie in `values`.
    windows: Vec<(usize, std::ops::Range<usize>)>,
    values: Vec<i32>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Convolution {
    columns: Weights,
    rows: Weights,
    narrow: Vec<u8>,
    sums: Vec<i32>,
}

impl Convolution {
    /// Scales `source` with `N` channels and writes the kept part to `out`.
    pub fn scale<const N: usize>(&mut self, source: &[u8], filter: Resize, plan: &Plan, out: &mut [u8]) {
        self.columns.fill(filter, plan.source.0, plan.scaled.0, plan.offset.0, plan.kept.0);
        self.rows.fill(filter, plan.source.1, plan.scaled.1, plan.offset.1, plan.kept.1);
        let kept = plan.kept.0 as usize * N;
        let (first, end) = self.rows.reach();
        self.narrow.resize((end - first) * kept, 0);
        let wide = source.chunks_exact(plan.source.0 as usize * N).skip(first);
        for (to, from) in self.narrow.chunks_exact_mut(kept).zip(wide) {
            across::<N>(&self.columns, from, to);
        }
        self.sums.resize(kept, 0);
        for (to, (start, range)) in out.chunks_exact_mut(kept).zip(&self.rows.windows) {
            let rows = self.narrow.chunks_exact(kept).skip(start - first);
            down(self.rows.of(range), rows, &mut self.sums, to);
        }
    }

    /// Gives back what one odd image made larger than `limit` bytes.
    pub fn trim(&mut self, limit: usize) {
        if self.narrow.capacity() > limit {
            self.narrow = Vec::new();
        }
    }
}

impl Weights {
    /// The weights that scale `source` pixels to `scaled`, for the `kept` pixels from `offset` on.
    fn fill(&mut self, filter: Resize, source: u32, scaled: u32, offset: u32, kept: u32) {
        self.windows.clear();
        self.values.clear();
        if source == scaled {
            // Pillow leaves a side alone that keeps its size.
            for pixel in offset..offset.saturating_add(kept) {
                let at = self.values.len();
                self.windows.push((pixel as usize, at..at + 1));
                self.values.push(ONE as i32);
            }
            return;
        }
        let scale = f64::from(source) / f64::from(scaled);
        let stretch = scale.max(1.0);
        let reach = radius(filter) * stretch;
        let mut exact = Vec::new();
        for pixel in offset..offset.saturating_add(kept) {
            let centre = (f64::from(pixel) + 0.5) * scale;
            let start = (centre - reach + 0.5).max(0.0) as u32;
            let end = ((centre + reach + 0.5) as u32).min(source);
            exact.clear();
            exact.extend((start..end).map(|at| curve(filter, (f64::from(at) - centre + 0.5) * (1.0 / stretch))));
            let sum: f64 = exact.iter().sum();
            let at = self.values.len();
            // Rounds half away from zero.
            self.values.extend(exact.iter().map(|weight| (weight / sum * ONE).round() as i32));
            self.windows.push((start as usize, at..self.values.len()));
        }
    }

    fn of(&self, range: &std::ops::Range<usize>) -> &[i32] {
        self.values.get(range.clone()).unwrap_or_default()
    }

    /// The source pixels that are needed at all: first, and one after the last.
    fn reach(&self) -> (usize, usize) {
        let first = self.windows.iter().map(|(start, _)| *start).min().unwrap_or(0);
        let end = self.windows.iter().map(|(start, range)| start + range.len()).max().unwrap_or(0);
        (first, end.max(first))
    }
}

/// One row to fewer or more columns.
fn across<const N: usize>(columns: &Weights, from: &[u8], to: &mut [u8]) {
    let (from, _) = from.as_chunks::<N>();
    let (to, _) = to.as_chunks_mut::<N>();
    for (to, (start, range)) in to.iter_mut().zip(&columns.windows) {
        let weights = columns.of(range);
        let Some(window) = from.get(*start..*start + weights.len()) else { continue };
        let mut sums = [HALF; N];
        for (pixel, weight) in window.iter().zip(weights) {
            for (sum, level) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(*level) * weight;
            }
        }
        *to = sums.map(level);
    }
}

/// One row out of several.
fn down<'a>(weights: &[i32], rows: impl Iterator<Item = &'a [u8]>, sums: &mut [i32], to: &mut [u8]) {
    sums.fill(HALF);
    for (weight, row) in weights.iter().zip(rows) {
        for (sum, level) in sums.iter_mut().zip(row) {
            *sum += i32::from(*level) * weight;
        }
    }
    for (to, sum) in to.iter_mut().zip(sums) {
        *to = level(*sum);
    }
}

/// The sums stay within 32 bits: the magnitudes of a filter's weights add up to less than 2.
fn level(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// How far a filter reaches, in pixels of the coarser side.
fn radius(filter: Resize) -> f64 {
    match filter {
        Resize::Nearest | Resize::Bilinear => 1.0,
        Resize::Bicubic => 2.0,
        Resize::Lanczos => 3.0,
    }
}

/// The weight at distance `x`: the triangle; Keys' cubic with a = -0.5 ("Cubic Convolution Interpolation for Digital
/// Image Processing", 1981); the sinc windowed by its own central lobe of three ("Filters for Common Resampling Tasks",
/// Turkowski 1990).
fn curve(filter: Resize, x: f64) -> f64 {
    let distance = x.abs();
    match filter {
        Resize::Nearest | Resize::Bilinear => (1.0 - distance).max(0.0),
        Resize::Bicubic if distance < 1.0 => (1.5 * distance - 2.5) * distance * distance + 1.0,
        Resize::Bicubic if distance < 2.0 => (((distance - 5.0) * distance + 8.0) * distance - 4.0) * -0.5,
        Resize::Lanczos if distance < 3.0 => sinc(distance) * sinc(distance / 3.0),
        _ => 0.0,
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let angle = x * std::f64::consts::PI;
    angle.sin() / angle
}
