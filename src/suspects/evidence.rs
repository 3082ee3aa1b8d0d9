//! Who is a suspect.

use crate::ledger::Samples;
use crate::pool::Pool;

/// What makes an image a suspect: the mean of p(label) over all models that have scored it so far, in scans and in
/// training visits, is low; the newest answers count most.
///
/// The mean is the *confidence* of Swayamdipta et al. ("Dataset Cartography", EMNLP 2020), who found wrong labels where it
/// is lowest. `make bench-suspects` measures what a threshold finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The mean is below this.
    pub p_label: f32,
    /// So many models, at least, have scored the image: one alone may be mistaken.
    pub scores: u8,
}

/// Whoever says less than this share of what a blind guess would give to a label doubts it, however many classes there are.
const OF_CHANCE: f64 = 0.6;

impl Evidence {
    /// A mean below `p_label`, and below 0.6 of a blind guess among so many classes, over `scores` models.
    pub fn new(p_label: f64, scores: u8, classes: u32) -> Self {
        let chance = 1.0 / f64::from(classes.max(1));
        Self { p_label: p_label.min(OF_CHANCE * chance) as f32, scores }
    }

    /// Whether a sample is a suspect.
    pub fn suspects(self, samples: &Samples, id: u32) -> bool {
        self.holds(samples.evidence(id, None))
    }

    /// Whether it would be one if one more model said `p_label`.
    pub fn would_suspect(self, samples: &Samples, id: u32, p_label: f32) -> bool {
        self.holds(samples.evidence(id, Some(p_label)))
    }

    fn holds(self, (mean, scores): (f32, u8)) -> bool {
        scores >= self.scores && mean < self.p_label
    }
}

/// Classes whose suspects are not kept out: where more than half of a class is suspected, the model is to blame.
#[derive(Clone, Debug, Default)]
pub struct Spared(Vec<bool>);

impl Spared {
    /// Those of a pool, if these are all its suspects.
    pub fn of(pool: &Pool, suspects: &[u32]) -> Self {
        let classes = pool.classes() as usize;
        let (mut suspected, mut images) = (vec![0_u64; classes], vec![0_u64; classes]);
        let count = |counts: &mut [u64], id| {
            if let Some(count) = counts.get_mut(pool.label(id) as usize) {
                *count += 1;
            }
        };
        suspects.iter().for_each(|&id| count(&mut suspected, id));
        (0..pool.len()).for_each(|id| count(&mut images, id));
        Self(suspected.iter().zip(&images).map(|(suspects, images)| 2 * suspects > *images).collect())
    }

    /// Whether the class of this label is one of them.
    pub fn has(&self, label: u32) -> bool {
        self.0.get(label as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::Prediction;

    #[test]
    fn many_classes_leave_little_for_each() {
        assert_eq!(Evidence::new(0.06, 2, 2).p_label, 0.06);
        assert_eq!(Evidence::new(0.06, 2, 100).p_label, 0.006);
        assert_eq!(Evidence::new(0.0, 2, 100).p_label, 0.0);
    }

    #[test]
    fn by_hand() {
        let evidence = Evidence { p_label: 0.05, scores: 2 };
        let mut samples = Samples::new(2);
        let mut say = |epoch, p_label| {
            let answer = Prediction { predicted: 1, confidence: 0.9, p_label, margin: p_label - 0.9, loss: 3.0 };
            samples.record_score(0, epoch, &answer);
            samples.clone()
        };
        let once = say(1, 0.01);
        assert!(!evidence.suspects(&once, 0), "one model is not enough");
        assert!(evidence.would_suspect(&once, 0, 0.08), "(0.01 + 0.08) / 2 = 0.045");
        assert!(!evidence.would_suspect(&once, 0, 0.10), "(0.01 + 0.10) / 2 = 0.055");
        let twice = say(2, 0.08);
        assert!(evidence.suspects(&twice, 0) && !evidence.suspects(&twice, 1) && !evidence.suspects(&twice, 2));
        assert!(evidence.would_suspect(&twice, 0, f32::NAN), "an image that cannot be read says nothing");
        // (0.045 + 0.5) / 2 = 0.27: the prediction has turned.
        assert!(!evidence.suspects(&say(3, 0.5), 0));
    }
}
