//! The default policy: skip most of what is already known.

use super::pick::{bounded, by_group, groups, keep};
use super::{Choice, Member, Stratum, settle};
use crate::draw::{Draws, Stream};

/// Draws from here on round a group's count; lower ids are samples.
const ROUNDING: u64 = 1 << 32;

/// An image whose score is known, and how it came to be looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The image.
    pub member: Member,
    /// The probability with which it was looked at, in (0, 1]: 1 where everything is. Anything else counts as 1.
    pub reach: f32,
}

/// How much likelier an image was made than others for the sake of its class ([`quotas`](super::quotas)). No weight makes up
/// for that: a class that is favoured is to count for more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Favour {
    /// How many times likelier to be looked at, at least 1; the reach of the [`Candidate`] is what came of it.
    pub reach: f64,
    /// The probability of being drawn from the known, where that is more than the share of the others.
    pub share: f64,
}

impl Favour {
    /// As likely as others.
    pub const NONE: Self = Self { reach: 1.0, share: 0.0 };
}

/// How much of what is known comes back, and what it weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extras {
    /// The share of the confidently right, in `[0, 1]`.
    pub share: f64,
    /// The power of the weights, in `[0, 1]`: 1 for unbiased sums, 0 for equal weights.
    pub exponent: f64,
}

/// A weight makes up for a small probability of being looked at by no more than this factor, and for a large one by no
/// less than its inverse.
const CLIP: f64 = 4.0;

/// All `mined` images (not confidently right), all that are taken `unseen`, and of the `known` (confidently right) a share,
/// drawn evenly over their groups.
///
/// From a group of n known images `share × n` are drawn without replacement. Where that is not a whole number it is
/// rounded up with the probability of its fractional part, by a draw of the group's own. So the expected count is exactly
/// `share × n`, and every known image has the same probability of being drawn: the share. Drawing within groups lowers
/// the variance of sums over the subset as far as images of a group resemble each other.
///
/// An image that was looked at, or taken unseen, with the probability r and then drawn with the probability d (1 but for
/// known ones) weighs
///
/// (c(m / r) / d)^exponent, with c(x) = min(max(x, 1/4), 4),
///
/// where m is the harmonic mean of all r. With the exponent 1 and without the clipping, sums over the subset, such as the
/// gradient, are unbiased estimates of sums over all images that could have been looked at, but for one common factor
/// that brings the mean weight of the images looked at to 1 (Horvitz and Thompson, "A Generalization of Sampling Without
/// Replacement From a Finite Universe", 1952; with that factor Hájek, "Comment on An Essay on the Logical Foundations of
/// Survey Sampling", 1971). Clipping gives up some of that for a bounded variance (Ionides, "Truncated Importance
/// Sampling", 2008).
///
/// An image that `favour` makes likelier to be looked at, or to be drawn, weighs as if it had been as likely as others.
///
/// With a share of 0 no known image is chosen and with 1 all are. An image that is both mined and known is mined.
pub fn confidence(
    mined: &[Candidate],
    unseen: &[Candidate],
    known: &[Candidate],
    extras: Extras,
    favour: impl Fn(u32) -> Favour,
    seed: u64,
    epoch: u32,
) -> Vec<Choice> {
    let (share, exponent) = (bounded(extras.share), bounded(extras.exponent));
    let plain = |candidate: &Candidate| candidate.reach() / favour(candidate.member.sample).reach.max(1.0);
    let inverse: f64 = mined.iter().chain(unseen).chain(known).map(|candidate| 1.0 / candidate.reach()).sum();
    let mean = (mined.len() + unseen.len() + known.len()) as f64 / inverse.max(1.0);
    let choice = |candidate: &Candidate, stratum, drawn: f64, favoured: f64| {
        let weight = ((mean / plain(candidate)).clamp(1.0 / CLIP, CLIP) / drawn).powf(exponent);
        candidate.member.choice(stratum, weight as f32, candidate.reach() * favoured)
    };
    let draws = Draws::new(seed, epoch, Stream::Extras);
    let mut choices: Vec<Choice> = mined.iter().map(|candidate| choice(candidate, Stratum::Mined, 1.0, 1.0)).collect();
    choices.extend(unseen.iter().map(|candidate| choice(candidate, Stratum::Uniform, 1.0, 1.0)));
    let drawn = |candidate: &Candidate| bounded(favour(candidate.member.sample).share).max(share);
    if known.iter().any(|candidate| drawn(candidate) > 0.0) {
        let mut samples: Vec<u32> = mined.iter().map(|candidate| candidate.member.sample).collect();
        samples.sort_unstable();
        let mut known = by_group(known, |candidate| candidate.member);
        known.retain(|candidate| samples.binary_search(&candidate.member.sample).is_err());
        for group in groups(&known, |candidate| candidate.member) {
            let mut group = group.to_vec();
            group.sort_by(|a, b| drawn(a).total_cmp(&drawn(b)));
            for (part, alike) in (0..).zip(group.chunk_by(|a, b| drawn(a) == drawn(b))) {
                let Some(first) = alike.first() else { continue };
                let (drawn, draw) = (drawn(first), rounding_draw(&draws, first.member.cluster, part));
                let count = round_at_random(alike.len(), drawn, draw);
                let mut alike = alike.to_vec();
                keep(&mut alike, count, &draws, |candidate| candidate.member.sample);
                // Where no others are drawn, there is nobody else to count like.
                let counts = if share > 0.0 { share } else { drawn };
                choices.extend(alike.iter().map(|candidate| choice(candidate, Stratum::Extra, counts, drawn)));
            }
        }
    }
    settle(choices)
}

impl Candidate {
    fn reach(&self) -> f64 {
        if self.reach > 0.0 && self.reach <= 1.0 { f64::from(self.reach) } else { 1.0 }
    }
}

/// The number in `[0, 1)` that rounds the count of this part of a group.
fn rounding_draw(draws: &Draws, cluster: Option<u32>, part: u64) -> f64 {
    draws.unit((2 * part + 1) * ROUNDING + cluster.map_or(ROUNDING, u64::from))
}

/// `share × count`, rounded up if `draw` is below its fractional part.
fn round_at_random(count: usize, share: f64, draw: f64) -> usize {
    let exact = count as f64 * share;
    let up = draw < exact.fract();
    (exact.floor() as usize + usize::from(up)).min(count)
}

#[cfg(test)]
mod tests {
    use super::round_at_random;

    #[test]
    fn fractional_parts_are_probabilities() {
        // 0.25 × 10 = 2.5: up for the lower half of the draws. 0.25 × 8 = 2 is never rounded.
        assert_eq!(round_at_random(10, 0.25, 0.0), 3);
        assert_eq!(round_at_random(10, 0.25, 0.499), 3);
        assert_eq!(round_at_random(10, 0.25, 0.5), 2);
        assert_eq!(round_at_random(8, 0.25, 0.0), 2);
        assert_eq!(round_at_random(1, 1.0, 0.0), 1);
    }
}
