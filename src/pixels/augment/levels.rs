//! Changes of single levels by a table, as Pillow's `ImageOps`.

use super::Canvas;

type Table = [u8; 256];

fn table(of: impl Fn(u8) -> u8) -> Table {
    std::array::from_fn(|level| of(level as u8))
}

/// Keeps the highest bits.
pub(super) fn posterise(bits: u32, canvas: &mut Canvas) {
    let mask = 0xff00_u32.checked_shr(bits).unwrap_or(0xff) as u8;
    canvas.pixels.iter_mut().for_each(|level| *level &= mask);
}

/// Inverts from the threshold on.
pub(super) fn solarise(threshold: f64, canvas: &mut Canvas) {
    let table = table(|level| if f64::from(level) < threshold { level } else { 255 - level });
    canvas.pixels.iter_mut().for_each(|level| *level = table[usize::from(*level)]);
}

/// Each channel's lowest level becomes 0 and its highest 255.
pub(super) fn auto_contrast(canvas: &mut Canvas) {
    each_channel(canvas, |counts| {
        let used = || (0..=255_u8).zip(counts).filter(|(_, count)| **count > 0).map(|(level, _)| level);
        let (low, high) = (used().next()?, used().next_back()?);
        let scale = 255.0 / f64::from(high.checked_sub(low).filter(|range| *range > 0)?);
        let offset = -f64::from(low) * scale;
        Some(table(|level| (f64::from(level) * scale + offset) as u8))
    });
}

/// Each channel's levels become about equally frequent.
pub(super) fn equalise(canvas: &mut Canvas) {
    each_channel(canvas, |counts| {
        let sum: u64 = counts.iter().sum();
        let last = counts.iter().rev().find(|count| **count > 0)?;
        // Pillow leaves out the highest level, for which 255 is kept, and rounds down.
        let step = (sum - last) / 255;
        if step == 0 {
            return None;
        }
        let mut below = step / 2;
        Some(counts.map(|count| {
            let level = (below / step).min(255) as u8;
            below += count;
            level
        }))
    });
}

/// Changes each channel by the table that `make` finds for its counts of levels, if it finds one.
fn each_channel(canvas: &mut Canvas, make: impl Fn(&[u64; 256]) -> Option<Table>) {
    for channel in 0..canvas.channels {
        let mut counts = [0; 256];
        let levels = canvas.pixels.iter().skip(channel).step_by(canvas.channels);
        levels.for_each(|level| counts[usize::from(*level)] += 1);
        if let Some(table) = make(&counts) {
            let levels = canvas.pixels.iter_mut().skip(channel).step_by(canvas.channels);
            levels.for_each(|level| *level = table[usize::from(*level)]);
        }
    }
}
