//! Near-duplicates among the images of a scan: found by what the model makes of them, and then looked at.

use rayon::prelude::*;

use super::choose::{ChooseError, Choosing};
use crate::cluster::{self, Points};
use crate::duplicates::Duplicate;
use crate::pixels::Loader;
use crate::settings;

/// How much the pixels of two images may differ that are nearly the same: the root of the mean squared difference, of 255.
/// What a lossy format does to an image is well below that, and another picture of the same thing well above.
const LEVELS: f64 = 12.0;

impl Choosing<'_> {
    /// The near-duplicates among `samples`, whose embeddings are `points` and whose clusters are `assignment`.
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
        let pairs = cluster::near_duplicates(points, width, distance, assignment, share)?;
        let preprocess = settings::preprocess(self.config);
        let sample = |row: u32| samples.get(row as usize).copied();
        let tools = || (Loader::new(&preprocess), vec![0; preprocess.bytes()], vec![0; preprocess.bytes()]);
        let looked_at = pairs.par_iter().map_init(tools, |(loader, one, other), pair| {
            let (sample, kept) = (sample(pair.row)?, sample(pair.of)?);
            let mut read = |id: u32, into: &mut [u8]| {
                let path = self.pool.path(id);
                // What cannot be read resembles nothing.
                self.cache.load(&path, into, |into| loader.load(&path, into)).is_ok()
            };
            let alike = read(sample, one) && read(kept, other) && difference(one, other) <= LEVELS;
            alike.then_some(Duplicate { sample, kept, distance: pair.distance, epoch: self.epoch })
        });
        let found: Vec<Duplicate> = looked_at.collect::<Vec<_>>().into_iter().flatten().collect();
        if !pairs.is_empty() {
            tracing::info!(alike_to_the_model = pairs.len(), near_duplicates = found.len(), "compared");
        }
        Ok(found)
    }
}

impl Choosing<'_> {
    /// The images among them that are left out for another one; sorted.
    pub(super) fn thinned(&self, found: &[Duplicate]) -> Vec<u32> {
        let same = |duplicate: &&Duplicate| self.pool.label(duplicate.sample) == self.pool.label(duplicate.kept);
        let mut thinned: Vec<u32> = found.iter().filter(same).map(|duplicate| duplicate.sample).collect();
        thinned.sort_unstable();
        thinned
    }
}

/// The root of the mean squared difference.
fn difference(one: &[u8], other: &[u8]) -> f64 {
    let squared = |(&one, &other): (&u8, &u8)| u64::from(one.abs_diff(other)).pow(2);
    let sum: u64 = one.iter().zip(other).map(squared).sum();
    (sum as f64 / one.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    #[test]
    fn differences_by_hand() {
        // (3² + 4² + 0 + 0) / 4 = 6.25.
        assert_eq!(super::difference(&[10, 4, 7, 255], &[13, 0, 7, 255]), 2.5);
        assert_eq!(super::difference(&[0, 0], &[255, 255]), 255.0);
    }
}
