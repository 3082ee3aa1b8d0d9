//! What was known of a candidate before the scan, in levels that the scan can learn from.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::ledger::{NEVER, NONE, Samples};

/// How much is told of a candidate: levels from here on are all the same.
const MOST: u32 = 3;

/// What is known of a candidate: candidates that agree in all of it cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Traits {
    /// Its class.
    label: u32,
    /// What the last model to score it took it for, or [`NONE`].
    predicted: u32,
    /// The group of similar images it was last seen in, or [`NONE`].
    cluster: u32,
    /// How the last score came out: 0 for never scored or not readable, then from clearly wrong to clearly right.
    margin: u8,
    /// Epochs since it was scored, 1 to 3 for three and more; 0 for never.
    scored: u8,
    /// Epochs since it was trained on, 1 to 3 for three and more; 0 for never.
    trained: u8,
    /// How often it was trained on, up to 3.
    visits: u8,
    /// How many scans in a row found it wrong, up to 3.
    streak: u8,
}

impl Traits {
    /// What `samples` knew of a sample of this class before the model of `epoch` came.
    pub(super) fn of(samples: &Samples, id: u32, label: u32, epoch: u32) -> Self {
        let at = id as usize;
        let last_scored = samples.last_scored.get(at).copied().unwrap_or(NEVER);
        let last_trained = samples.last_trained.get(at).copied().unwrap_or(NEVER);
        let scored = last_scored != NEVER;
        let bounded = |count: u32| u8::try_from(count.min(MOST)).unwrap_or(u8::MAX);
        let since = |then: i32| match u32::try_from(then) {
            Ok(then) => bounded(epoch.saturating_sub(then).max(1)),
            Err(_) => 0,
        };
        Self {
            label,
            predicted: if scored { samples.predicted.get(at).copied().unwrap_or(NONE) } else { NONE },
            cluster: samples.cluster.get(at).copied().unwrap_or(NONE),
            margin: if scored { band(samples.margin.get(at).copied().unwrap_or(f32::NAN)) } else { 0 },
            scored: since(last_scored),
            trained: since(last_trained),
            visits: bounded(samples.visits.get(at).copied().unwrap_or(0)),
            streak: bounded(u32::from(samples.streak.get(at).copied().unwrap_or(0))),
        }
    }

    pub(super) fn label(&self) -> u32 {
        self.label
    }

    /// The levels as the model of likelihood has them, each trait a key of its own.
    ///
    /// The class stands alone and together with what was predicted last: a model that has just learnt to tell trousers
    /// from dresses is wrong elsewhere. What became of a wrong answer since then differs from class to class, too.
    fn keys(&self) -> [u64; TRAITS] {
        let label = u64::from(self.label);
        let wrong = match self.margin {
            0 => 0,
            band if band <= WRONG => 1,
            _ => 2,
        };
        [
            label,
            label << 32 | u64::from(self.predicted),
            label << 8 | wrong << 4 | u64::from(self.scored),
            u64::from(self.margin),
            u64::from(self.scored),
            u64::from(self.trained),
            u64::from(self.visits),
            u64::from(self.streak),
            u64::from(self.cluster),
        ]
    }
}

/// How many levels describe a cell.
pub(super) const TRAITS: usize = 9;

/// Bands of the margin: below its number a margin belongs to the band.
const BANDS: [f32; 5] = [-0.9, -0.5, 0.0, 0.5, 0.9];
/// The last band that means a wrong answer.
const WRONG: u8 = 3;

fn band(margin: f32) -> u8 {
    if margin.is_nan() {
        return 0;
    }
    1 + u8::try_from(BANDS.iter().filter(|&&limit| margin >= limit).count()).unwrap_or(0)
}

/// The levels of each cell, cell by cell: each key of each trait gets a number, in the order in which keys first appear.
pub(super) fn levels(cells: impl IntoIterator<Item = Traits>) -> Vec<u32> {
    let mut known: [HashMap<u64, u32>; TRAITS] = std::array::from_fn(|_| HashMap::new());
    let mut levels = Vec::new();
    for cell in cells {
        for (key, known) in cell.keys().into_iter().zip(&mut known) {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            levels.push(match known.entry(key) {
                Entry::Occupied(level) => *level.get(),
                Entry::Vacant(place) => *place.insert(next),
            });
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::Prediction;

    fn said(predicted: u32, margin: f32) -> Prediction {
        Prediction { predicted, confidence: 0.9, p_label: 0.1, margin, loss: 1.0 }
    }

    #[test]
    fn traits_by_hand() {
        let mut samples = Samples::new(4);
        samples.record_visit(0, 2);
        samples.record_visit(0, 4);
        samples.record_score(1, 3, &said(7, -0.6));
        samples.record_answer(1, false);
        samples.record_cluster(1, 5);
        samples.record_unreadable(2, 1);
        let of = |id| Traits::of(&samples, id, 2, 5);
        let blank =
            Traits { label: 2, predicted: NONE, cluster: NONE, margin: 0, scored: 0, trained: 0, visits: 0, streak: 0 };
        assert_eq!(of(3), blank);
        assert_eq!(of(0), Traits { trained: 1, visits: 2, ..blank });
        assert_eq!(of(1), Traits { predicted: 7, cluster: 5, margin: 2, scored: 2, streak: 1, ..blank });
        assert_eq!(of(2), Traits { scored: 3, ..blank });
    }

    #[test]
    fn bands_by_hand() {
        let bands = [-1.0, -0.9, -0.1, 0.0, 0.7, 0.9, 1.0].map(band);
        assert_eq!(bands, [1, 2, 3, 4, 5, 6, 6]);
        assert_eq!(band(f32::NAN), 0);
        assert!(band(-1e-9) <= WRONG && band(0.0) > WRONG);
    }

    #[test]
    fn equal_traits_have_equal_levels() {
        let samples = Samples::new(3);
        let cell = |id, label| Traits::of(&samples, id, label, 1);
        let levels = levels([cell(0, 4), cell(1, 6), cell(2, 4)]);
        assert_eq!(levels[..TRAITS], levels[2 * TRAITS..]);
        assert_eq!(levels[TRAITS..2 * TRAITS], [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    }
}
