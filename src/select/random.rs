//! Subsets drawn at random from the whole pool.

use super::pick::{keep, rounded_at_least_one};
use super::{Choice, Member, Stratum, proportion, settle};
use crate::draw::{Draws, Stream};

/// How many images `fraction` of a pool of `len` is: halves rounded up, and at least one of a pool that is not empty.
pub fn share_count(len: u32, fraction: f64) -> u32 {
    // A share is never more than the whole, so it fits.
    rounded_at_least_one(len as usize, fraction) as u32
}

/// Epoch 0: `count` of `samples` (all if there are no more), at random without replacement, at weight 1 (S1).
pub fn initial(samples: impl Iterator<Item = u32>, count: u32, seed: u64) -> Vec<Choice> {
    draw(samples, count, &Draws::new(seed, 0, Stream::Initial), Stratum::Initial)
}

/// `count` of `samples` (all if there are no more), at random without replacement and anew in each epoch, at weight 1: the
/// control that a policy has to beat.
pub fn uniform(samples: impl Iterator<Item = u32>, count: u32, seed: u64, epoch: u32) -> Vec<Choice> {
    draw(samples, count, &Draws::new(seed, epoch, Stream::Uniform), Stratum::Uniform)
}

/// All of `samples`, at weight 1.
pub fn full(samples: impl Iterator<Item = u32>) -> Vec<Choice> {
    settle(samples.map(|sample| Member { sample, cluster: None }.choice(Stratum::Full, 1.0, 1.0)).collect())
}

fn draw(candidates: impl Iterator<Item = u32>, count: u32, draws: &Draws, stratum: Stratum) -> Vec<Choice> {
    // In one piece: a list that grows takes up to three times the room, and a pool may have ten million images.
    let mut samples = Vec::with_capacity(candidates.size_hint().1.unwrap_or_default());
    samples.extend(candidates);
    let inclusion = proportion(count as usize, samples.len());
    keep(&mut samples, count as usize, draws, |&sample| sample);
    let choice = |sample| Member { sample, cluster: None }.choice(stratum, 1.0, inclusion);
    settle(samples.into_iter().map(choice).collect())
}
