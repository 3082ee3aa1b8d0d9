//! Step S4 of patent application CN112733932A, in both readings of its "extract a second preset proportion of images for
//! each group": thin the mistakes of each group, or expand each group by images that resemble it.

use std::collections::BTreeSet;

use super::pick::{by_group, groups, keep, rounded, rounded_at_least_one};
use super::{Choice, Member, Stratum, proportion, settle};
use crate::draw::{Draws, Stream};

/// Of each group of `mined` images the `fraction`, at random without replacement, at weight 1: halves rounded up, and at
/// least one of each group.
pub fn patent_thin(mined: &[Member], fraction: f64, seed: u64, epoch: u32) -> Vec<Choice> {
    let draws = Draws::new(seed, epoch, Stream::Cluster);
    let mined = by_group(mined, |&member| member);
    let mut choices = Vec::new();
    for group in groups(&mined, |&member| member) {
        let mut group = group.to_vec();
        let count = rounded_at_least_one(group.len(), fraction);
        let inclusion = proportion(count, group.len());
        keep(&mut group, count, &draws, |member| member.sample);
        choices.extend(group.iter().map(|member| member.choice(Stratum::Mined, 1.0, inclusion)));
    }
    settle(choices)
}

/// All `mined` images, and for each group the `fraction` of its size (halves rounded up) from the start of its list in
/// `expansions`, all at weight 1.
///
/// `expansions[cluster]` lists samples that resemble the cluster, nearest first. Samples that are mined, or that a
/// lower-numbered cluster has taken, are passed over. Images without a group are not expanded.
pub fn patent_expand(mined: &[Member], expansions: &[Vec<u32>], fraction: f64) -> Vec<Choice> {
    let mined_choices = mined.iter().map(|member| member.choice(Stratum::Mined, 1.0, 1.0));
    settle(mined_choices.chain(extras(mined, expansions, fraction)).collect())
}

/// The mined of [`patent_thin`] and the extras of [`patent_expand`]; the latter are counted by the size that a group has
/// before it is thinned.
pub fn patent_thin_and_expand(
    mined: &[Member],
    expansions: &[Vec<u32>],
    fraction: f64,
    seed: u64,
    epoch: u32,
) -> Vec<Choice> {
    let mut choices = patent_thin(mined, fraction, seed, epoch);
    choices.extend(extras(mined, expansions, fraction));
    settle(choices)
}

/// How many others each of `clusters` groups wants when it is expanded: what `nearest_others` is to be asked for.
pub fn expansion_counts(mined: &[Member], clusters: usize, fraction: f64) -> Vec<usize> {
    let mut counts = vec![0; clusters];
    for group in groups(&by_group(mined, |&member| member), |&member| member) {
        let cluster = group.first().and_then(|member| member.cluster);
        if let Some(count) = cluster.and_then(|cluster| counts.get_mut(cluster as usize)) {
            *count = rounded(group.len(), fraction);
        }
    }
    counts
}

fn extras(mined: &[Member], expansions: &[Vec<u32>], fraction: f64) -> Vec<Choice> {
    let counts = expansion_counts(mined, expansions.len(), fraction);
    let mut taken: BTreeSet<u32> = mined.iter().map(|member| member.sample).collect();
    let mut extras = Vec::with_capacity(counts.iter().sum());
    for ((cluster, expansion), count) in (0u32..).zip(expansions).zip(counts) {
        let fresh = expansion.iter().filter(|&&sample| taken.insert(sample)).take(count);
        extras.extend(fresh.map(|&sample| Member { sample, cluster: Some(cluster) }.choice(Stratum::Extra, 1.0, 1.0)));
    }
    extras
}
