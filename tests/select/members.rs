//! Members of groups, what the policy `confidence` chooses of them, and whether each came up as often as it should.

use gleaner::select::{self, Candidate, Choice, Extras, Favour, Member};

pub(crate) fn member(sample: u32, cluster: u32) -> Member {
    Member { sample, cluster: Some(cluster) }
}

/// The policy `confidence` where every image is looked at, at weights that keep sums unbiased.
pub(crate) fn confidence(mined: &[Member], known: &[Member], share: f64, seed: u64, epoch: u32) -> Vec<Choice> {
    let all = |members: &[Member]| -> Vec<Candidate> {
        members.iter().map(|&member| Candidate { member, reach: 1.0 }).collect()
    };
    select::confidence(&all(mined), &[], &all(known), Extras { share, exponent: 1.0 }, |_| Favour::NONE, seed, epoch)
}

pub(crate) fn samples(choices: &[Choice]) -> Vec<u32> {
    choices.iter().map(|choice| choice.sample).collect()
}

pub(crate) fn ascending(choices: &[Choice]) -> bool {
    choices.is_sorted_by(|a, b| a.sample < b.sample)
}

/// Chi-squared of how often each of `counts` came up in `rounds` draws with `probability`; its mean is `counts.len()`.
pub(crate) fn chi_squared(counts: &[u32], rounds: u32, probability: f64) -> f64 {
    let mean = f64::from(rounds) * probability;
    let variance = mean * (1.0 - probability);
    counts.iter().map(|&count| (f64::from(count) - mean).powi(2) / variance).sum()
}

/// Exceeded with probability 0.001 by chi-squared with 100 degrees of freedom.
pub(crate) const CHI_100: f64 = 149.4;
