//! Random draws that depend on nothing but their key.
//!
//! Every draw in gleaner is a pure function of (seed, epoch, stream, sample id), so a result is the same whatever the
//! thread count, the order of the work, or the number of times a killed run was started again.
//!
//! The mixing function is the output function of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom
//! Number Generators", OOPSLA 2014), applied once per word of the key.

use rayon::prelude::*;

/// What a draw is for. Two streams never share numbers; the discriminants are part of the reproducibility contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// The initial random subset (S1).
    Initial = 1,
    /// A fresh uniform subset.
    Uniform = 2,
    /// The order in which the scan visits images.
    Scan = 3,
    /// Which members of a cluster are kept.
    Cluster = 4,
    /// Which confidently right images come back as extras.
    Extras = 5,
    /// The order of the lines in a published list.
    Order = 6,
    /// Starting points of the clustering.
    Centroids = 7,
    /// Random changes of images in training.
    Augment = 8,
    /// The order of the batches in training.
    Batches = 9,
    /// Masks of Dropout in training.
    Dropout = 10,
    /// Random starting weights of a new graph.
    Weights = 11,
    /// Random changes of images in the scan (`mine.augment`).
    ScanAugment = 12,
    /// Which images stay when a subset is cut to the planned work.
    Cut = 13,
    /// Which images a validation split takes.
    Split = 14,
    /// Which images with a fresh score are looked at for the next subset.
    Fresh = 15,
    /// How the images of a training batch are mixed.
    Mixing = 16,
}

/// A family of draws: one number for every id.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    key: u64,
}

impl Draws {
    /// The draws of one stream in one epoch of a run with this seed.
    pub fn new(seed: u64, epoch: u32, stream: Stream) -> Self {
        let key = [seed, u64::from(epoch), stream as u64].into_iter().fold(0, absorb);
        Self { key }
    }

    /// 64 uniformly distributed bits for `id`.
    pub fn bits(&self, id: u64) -> u64 {
        absorb(self.key, id)
    }

    /// A number in `[0, 1)` for `id`, with 53 random bits.
    pub fn unit(&self, id: u64) -> f64 {
        (self.bits(id) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Brings `ids` into this family's random order: by drawn number, equal numbers by id. The order that `ids` came in
    /// does not matter.
    pub fn shuffle(&self, ids: &mut [u32]) {
        ids.par_sort_unstable_by_key(|&id| (self.bits(u64::from(id)), id));
    }
}

/// Draws one after another, where one id needs several.
#[derive(Clone, Debug)]
pub struct Sequence {
    draws: Draws,
    next: u64,
}

impl Sequence {
    /// The draws that follow from `bits`, themselves a draw, for one of several parts that know nothing of each other.
    pub fn new(bits: u64, part: u64) -> Self {
        Self { draws: Draws { key: absorb(bits, part) }, next: 0 }
    }

    /// A number in `[low, high)`, evenly; `low` if they are the same.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = self.draws.unit(self.next);
        self.next += 1;
        low + unit * (high - low)
    }

    /// One of the whole numbers from 0 that are below `count`, evenly but for a part in 2^32; 0 if there are none.
    pub fn below(&mut self, count: u32) -> u32 {
        let bits = self.draws.bits(self.next);
        self.next += 1;
        ((u128::from(bits) * u128::from(count)) >> 64) as u32
    }
}

/// SplitMix64's step and output function on the state `key ^ word`, offset so that the zero key does not map to zero.
fn absorb(key: u64, word: u64) -> u64 {
    let mut z = (key ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_is_splitmix64() {
        // First outputs of the reference implementation for the seeds 0 and 1234567.
        assert_eq!(absorb(0, 0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(absorb(1_234_567, 0), 6_457_827_717_110_365_317);
    }

    #[test]
    fn streams_epochs_and_seeds_are_apart() {
        let base = Draws::new(1, 1, Stream::Scan).bits(7);
        for other in [Draws::new(2, 1, Stream::Scan), Draws::new(1, 2, Stream::Scan), Draws::new(1, 1, Stream::Uniform)]
        {
            assert_ne!(other.bits(7), base);
        }
    }

    #[test]
    fn unit_is_uniform() {
        let draws = Draws::new(3, 0, Stream::Uniform);
        let mut counts = [0u32; 10];
        for id in 0..100_000 {
            counts[(draws.unit(id) * 10.0) as usize] += 1;
        }
        // Chi-squared with 9 degrees of freedom stays below 27.9 with probability 0.999.
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 27.9, "chi-squared {chi}");
    }

    #[test]
    fn shuffle_ignores_the_incoming_order() {
        let draws = Draws::new(3, 0, Stream::Order);
        let mut forwards: Vec<u32> = (0..1000).collect();
        let mut backwards: Vec<u32> = (0..1000).rev().collect();
        draws.shuffle(&mut forwards);
        draws.shuffle(&mut backwards);
        assert_eq!(forwards, backwards);
        assert_ne!(forwards, (0..1000).collect::<Vec<_>>());
    }
}
