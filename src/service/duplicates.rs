//! Near-duplicates among the images of a scan: found by what the model makes of them, and then looked at.

use std::sync::atomic::Ordering;

use super::choose::{ChooseError, Choosing};
use crate::cluster::{self, Points};
use crate::duplicates::Duplicate;
use crate::pixels::{Loader, Preprocess};
use crate::settings;

/// How much the pixels of two images may differ that are nearly the same: the root of the mean squared difference, of 255,
/// and as a share of the standard deviation of either. What a lossy format does to an image is well below that, and another
/// picture of the same thing well above.
const LEVELS: f64 = 12.0;
const CONTRAST: f64 = 0.15;

impl Choosing<'_> {
    /// The near-duplicates among `samples`, whose embeddings are `points` and whose clusters are `assignment`, that nobody
    /// knew of.
    ///
    /// The model tells which pairs are worth looking at; whether they are nearly the same is for the pixels to say, as the
    /// model sees them. A model that has gone blind finds everything alike.
    pub(super) fn duplicates(
        &self,
        samples: &[u32],
        points: Points<'_>,
        width: usize,
        assignment: &[u32],
    ) -> Result<Vec<Duplicate>, ChooseError> {
        let share = self.config.cluster.duplicates;
        if share == 0.0 || width == 0 {
            return Ok(Vec::new());
        }
        let distance = settings::distance(self.config);
        let preprocess = settings::preprocess(self.config);
        let sample = |row: u32| samples.get(row as usize).copied();
        let alike = |row: u32, of: u32| {
            sample(row).zip(sample(of)).is_some_and(|(one, other)| self.look_alike(&preprocess, one, other))
        };
        let pairs = cluster::near_duplicates(points, width, distance, assignment, share, alike)?;
        let (mut known, mut found) = (self.aside.duplicates.clone(), Vec::new());
        for pair in pairs {
            let Some((sample, kept)) = sample(pair.row).zip(sample(pair.of)) else { continue };
            let duplicate = Duplicate { sample, kept, distance: pair.distance, epoch: self.epoch };
            if known.takes(&duplicate) {
                known.extend([duplicate]);
                found.push(duplicate);
            }
        }
        Ok(found)
    }

    /// Whether the pixels of two images say that they are nearly the same. What cannot be read resembles nothing.
    fn look_alike(&self, preprocess: &Preprocess, one: u32, other: u32) -> bool {
        if self.cancel.load(Ordering::Relaxed) {
            return false;
        }
        let mut loader = Loader::new(preprocess);
        let mut read = |id: u32| {
            let (path, mut pixels) = (self.pool.path(id), vec![0; preprocess.bytes()]);
            self.cache.load(&path, &mut pixels, |into| loader.load(&path, into)).is_ok().then_some(pixels)
        };
        read(one).zip(read(other)).is_some_and(|(one, other)| nearly_the_same(&one, &other))
    }

    /// The images among them that are left out for another one; sorted.
    pub(super) fn thinned(&self, found: &[Duplicate]) -> Vec<u32> {
        let same = |duplicate: &&Duplicate| self.pool.label(duplicate.sample) == self.pool.label(duplicate.kept);
        let mut thinned: Vec<u32> = found.iter().filter(same).map(|duplicate| duplicate.sample).collect();
        thinned.sort_unstable();
        thinned
    }
}

fn nearly_the_same(one: &[u8], other: &[u8]) -> bool {
    difference(one, other) <= LEVELS.min(CONTRAST * deviation(one).min(deviation(other)))
}

/// The root of the mean squared difference.
fn difference(one: &[u8], other: &[u8]) -> f64 {
    let squared = |(&one, &other): (&u8, &u8)| u64::from(one.abs_diff(other)).pow(2);
    let sum: u64 = one.iter().zip(other).map(squared).sum();
    (sum as f64 / one.len().max(1) as f64).sqrt()
}

/// The standard deviation.
fn deviation(pixels: &[u8]) -> f64 {
    let count = pixels.len().max(1) as f64;
    let mean = pixels.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    (pixels.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_by_hand() {
        // (3² + 4² + 0 + 0) / 4 = 6.25.
        assert_eq!(difference(&[10, 4, 7, 255], &[13, 0, 7, 255]), 2.5);
        assert_eq!(difference(&[0, 0], &[255, 255]), 255.0);
        assert_eq!(deviation(&[10, 20]), 5.0);
    }

    #[test]
    fn what_is_faint_differs_by_less() {
        // Bright checks: 12 levels of a deviation of 100 are too many only from 13 on.
        let checks = |low: u8, high: u8| [low, high].repeat(50);
        assert!(
            nearly_the_same(&checks(0, 200), &checks(12, 212)) && !nearly_the_same(&checks(0, 200), &checks(13, 213))
        );
        // Faint ones, with a deviation of 10: 1 level is 0.10 of it, 2 levels 0.20.
        assert!(nearly_the_same(&checks(100, 120), &checks(101, 121)));
        assert!(!nearly_the_same(&checks(100, 120), &checks(102, 122)));
        // Nothing to see: only the very same.
        assert!(nearly_the_same(&[7; 9], &[7; 9]) && !nearly_the_same(&[7; 9], &[8; 9]));
    }
}
