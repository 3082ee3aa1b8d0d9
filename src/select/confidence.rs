//! The default policy: skip most of what is already known.

use super::pick::{bounded, by_group, groups, keep};
use super::{Choice, Member, Stratum, settle};
use crate::draw::{Draws, Stream};

/// Draws from here on round a group's count; lower ids are samples.
const ROUNDING: u64 = 1 << 32;

/// All `mined` images (not confidently right) at weight 1, and of the `known` (confidently right) a share, drawn evenly
/// over their groups, at weight `1 / share`.
///
/// From a group of n known images `share × n` are drawn without replacement. Where that is not a whole number it is
/// rounded up with the probability of its fractional part, by a draw of the group's own. So the expected count is exactly
/// `share × n`, and every known image has the same probability of being drawn: the share. Weighting each by the inverse of
/// that probability makes any weighted sum over the subset, such as the gradient, an unbiased estimate of the sum over all
/// mined and known images: the estimator of Horvitz and Thompson, "A Generalization of Sampling Without Replacement From a
/// Finite Universe" (Journal of the American Statistical Association, 1952). Drawing within groups lowers its variance as
/// far as images of a group resemble each other.
///
/// With a share of 0 no known image is chosen and with 1 all are, at weight 1. An image that is both mined and known is
/// mined.
pub fn confidence(mined: &[Member], known: &[Member], share: f64, seed: u64, epoch: u32) -> Vec<Choice> {
    let share = bounded(share);
    let draws = Draws::new(seed, epoch, Stream::Extras);
    let mut choices: Vec<Choice> = mined.iter().map(|member| member.choice(Stratum::Mined, 1.0, 1.0)).collect();
    if share > 0.0 {
        let mut samples: Vec<u32> = mined.iter().map(|member| member.sample).collect();
        samples.sort_unstable();
        let mut known = by_group(known);
        known.retain(|member| samples.binary_search(&member.sample).is_err());
        let weight = (1.0 / share) as f32;
        for group in groups(&known) {
            let mut group = group.to_vec();
            let count = round_at_random(group.len(), share, rounding_draw(&draws, &group));
            keep(&mut group, count, &draws, |member| member.sample);
            choices.extend(group.iter().map(|member| member.choice(Stratum::Extra, weight, share)));
        }
    }
    settle(choices)
}

/// The number in `[0, 1)` that rounds this group's count.
fn rounding_draw(draws: &Draws, group: &[Member]) -> f64 {
    let cluster = group.first().and_then(|member| member.cluster);
    draws.unit(ROUNDING + cluster.map_or(ROUNDING, u64::from))
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
