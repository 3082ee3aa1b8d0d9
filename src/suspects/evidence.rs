//! Who is a suspect.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{NONE, Samples};
use crate::pool::Pool;

/// From when on an image is a suspect, whatever the pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The mean of p(label) is below this.
    pub p_label: f32,
    /// So many models, at least, have scored the image: one alone may be mistaken.
    pub scores: u8,
    /// Two classes are mixed up if more than this share of the one is confidently taken for the other; 1 for never.
    pub mixed_up: f64,
}

/// Whoever says less than this share of what a blind guess would give to a label doubts it, however many classes there are.
const OF_CHANCE: f64 = 0.6;

impl Rule {
    /// A mean below `p_label`, and below 0.6 of a blind guess among so many classes, over `scores` models; classes of which
    /// more than `mixed_up` is taken for one other are mixed up.
    pub fn new(p_label: f64, scores: u8, mixed_up: f64, classes: u32) -> Self {
        let chance = 1.0 / f64::from(classes.max(1));
        Self { p_label: p_label.min(OF_CHANCE * chance) as f32, scores, mixed_up }
    }
}

/// What speaks against a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Hardly any model gives it a chance.
    Unbelieved,
    /// Its class is mixed up with another one, and models take the image for that.
    MixedUp,
}

impl Doubt {
    /// The word for it in `suspects.csv`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unbelieved => "unbelieved",
            Self::MixedUp => "mixed_up",
        }
    }
}

/// What makes an image a suspect, as things stand in a pool. All of it goes by the mean m of p(label) over all models that
/// have scored the image so far, in scans and in training visits, in which the newest answers count most.
///
/// *Unbelieved*: m is low. The mean is the *confidence* of Swayamdipta et al. ("Dataset Cartography", EMNLP 2020), who found
/// wrong labels where it is lowest.
///
/// *Mixed up*: where people take one class for another, the network learns to take a part of it for that too, and m is not
/// low. With the mean belief t(c) of all m of class c, an image of the class i is confidently taken for the class j, if the
/// last model took it for j with at least the probability t(j), and 1 - m is at least t(j) as well: the *confident joint* of
/// Northcutt et al. ("Confident Learning", JAIR 2021), here without a network that has not seen the image. If that holds for
/// more than the share `mixed_up` of the class i, the two are mixed up, and those images of i are suspects that the last
/// model took for j, with 1 - m at least t(j).
///
/// `make bench-suspects` measures what both find. Only the unbelieved may be kept out of training: where classes are mixed up
/// the doubted are also those that lie between them, and a network that does not see these is worse. Measured on
/// Fashion-MNIST, with a fifth of two pairs of classes mixed up: 90.3% right with them kept out, 91.3% with them kept in.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    rule: Rule,
    /// The mean belief of each class; not a number where nothing was scored.
    beliefs: Vec<f32>,
    /// (label, other class).
    mixed_up: BTreeSet<(u32, u32)>,
}

impl Evidence {
    /// What the samples say of the labels that the pool has now.
    pub fn gather(rule: Rule, pool: &Pool, samples: &Samples) -> Self {
        let mut evidence = Self { rule, beliefs: Vec::new(), mixed_up: BTreeSet::new() };
        if rule.mixed_up >= 1.0 {
            return evidence;
        }
        let mut sums = vec![(0.0_f64, 0_u64); pool.classes() as usize];
        for id in 0..pool.len() {
            let (mean, scores) = samples.evidence(id, None);
            if let Some((sum, images)) = sums.get_mut(pool.label(id) as usize).filter(|_| scores > 0) {
                *sum += f64::from(mean);
                *images += 1;
            }
        }
        evidence.beliefs = sums.iter().map(|&(sum, images)| (sum / images as f64) as f32).collect();
        let mut taken: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for id in 0..pool.len() {
            let Some(said) = samples.score(id) else { continue };
            let label = pool.label(id);
            let sure = evidence.belief(said.predicted).is_some_and(|belief| said.confidence >= belief);
            if sure && evidence.is_taken_for_another(samples.evidence(id, None), label, said.predicted) {
                *taken.entry((label, said.predicted)).or_default() += 1;
            }
        }
        let many = |(label, _): (u32, u32), count: u64| {
            let images = sums.get(label as usize).map_or(0, |&(_, images)| images);
            count as f64 > rule.mixed_up * images as f64
        };
        evidence.mixed_up =
            taken.into_iter().filter(|&(pair, count)| many(pair, count)).map(|(pair, _)| pair).collect();
        evidence
    }

    /// What speaks against the label of a sample; nothing where it is no suspect.
    pub fn against(&self, samples: &Samples, id: u32, label: u32) -> Option<Doubt> {
        if self.is_unbelieved(samples, id) {
            return Some(Doubt::Unbelieved);
        }
        let predicted = samples.score(id).map_or(NONE, |said| said.predicted);
        let mixed_up = self.mixed_up.contains(&(label, predicted))
            && self.is_taken_for_another(samples.evidence(id, None), label, predicted);
        mixed_up.then_some(Doubt::MixedUp)
    }

    /// Whether a sample is unbelieved: those are the suspects that may be kept out of training.
    pub fn is_unbelieved(&self, samples: &Samples, id: u32) -> bool {
        self.unbelieved(samples.evidence(id, None))
    }

    /// Whether a sample would be unbelieved if one more model said `p_label`.
    pub fn would_be_unbelieved(&self, samples: &Samples, id: u32, p_label: f32) -> bool {
        self.unbelieved(samples.evidence(id, Some(p_label)))
    }

    fn unbelieved(&self, (mean, scores): (f32, u8)) -> bool {
        scores >= self.rule.scores && mean < self.rule.p_label
    }

    fn is_taken_for_another(&self, (mean, scores): (f32, u8), label: u32, predicted: u32) -> bool {
        let doubted = self.belief(predicted).is_some_and(|belief| 1.0 - mean >= belief);
        scores >= self.rule.scores && predicted != label && doubted
    }

    fn belief(&self, class: u32) -> Option<f32> {
        self.beliefs.get(class as usize).copied()
    }
}

/// Classes whose suspects are not kept out: where more than half of a class is unbelieved, the model is to blame.
#[derive(Clone, Debug, Default)]
pub struct Spared(Vec<bool>);

impl Spared {
    /// Those of a pool, if these are all whose labels are unbelieved.
    pub fn of(pool: &Pool, unbelieved: &[u32]) -> Self {
        let classes = pool.classes() as usize;
        let (mut suspected, mut images) = (vec![0_u64; classes], vec![0_u64; classes]);
        let count = |counts: &mut [u64], id| {
            if let Some(count) = counts.get_mut(pool.label(id) as usize) {
                *count += 1;
            }
        };
        unbelieved.iter().for_each(|&id| count(&mut suspected, id));
        (0..pool.len()).for_each(|id| count(&mut images, id));
        Self(suspected.iter().zip(&images).map(|(suspects, images)| 2 * suspects > *images).collect())
    }

    /// Whether the class of this label is one of them.
    pub fn has(&self, label: u32) -> bool {
        self.0.get(label as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
