//! What the others make of images, how far ours are from it, and draws to try it with.

use std::path::{Path, PathBuf};

use gleaner::pixels::{Channels, Crop, Limits, Preprocess, Resize};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/augment").join(name)
}

pub(crate) fn lines(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

pub(crate) fn settings(height: u32, width: u32, channels: Channels, resize: Resize) -> Preprocess {
    let count = channels.count();
    let (mean, std) = (vec![0.5; count], vec![0.5; count]);
    let crop = Crop::Center;
    Preprocess { height, width, channels, resize, crop, crop_fraction: 1.0, mean, std, limits: Limits::default() }
}

/// How many levels differ, and by how much at most.
pub(crate) fn distance(ours: &[u8], theirs: &[u8]) -> (usize, u8) {
    let differences = ours.iter().zip(theirs).map(|(ours, theirs)| ours.abs_diff(*theirs));
    (differences.clone().filter(|difference| *difference > 0).count(), differences.max().unwrap_or(0))
}

/// Draws that have nothing to do with the code.
pub(crate) fn bits(count: u64) -> impl Iterator<Item = u64> {
    let mix =
        |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..count).map(mix)
}

/// Fails unless the shares, of 0 to 1, are even: chi-squared with 19 degrees of freedom stays below 43.8 with probability
/// 0.999.
pub(crate) fn even(name: &str, shares: &[f64]) {
    let mut counts = [0.0; 20];
    shares.iter().for_each(|share| counts[(share * 20.0) as usize] += 1.0);
    let each = shares.len() as f64 / 20.0;
    let chi: f64 = counts.iter().map(|count: &f64| (count - each).powi(2) / each).sum();
    assert!(chi < 43.8, "{name}: {chi} by {counts:?}");
}
