//! The section `train`: the built-in trainer's recipe.

use super::reader::Section;
use super::sections::{LARGEST_BATCH, MOST_THREADS};
use super::values::{BELOW_ONE, Limits, POSITIVE, SHARE};
use super::words::TrainPrecision;
use std::ops::Bound;

/// The built-in trainer's settings: stochastic gradient descent with momentum.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TrainConfig {
    /// Images a step; at least 1.
    pub batch: u32,
    /// The highest learning rate; above 0.
    pub learning_rate: f64,
    /// In [0, 1).
    pub momentum: f64,
    /// In [0, 1].
    pub weight_decay: f64,
    /// Share of the planned work in which the learning rate rises, in [0, 1).
    pub warmup: f64,
    /// 0 = all cores.
    pub threads: u32,
    /// How wide the numbers are in convolutions and matrix products.
    pub precision: TrainPrecision,
    /// Mixup: alpha of the Beta distribution that its shares are drawn from, in [0, 4]; 0 = none.
    pub mixup: f64,
    /// Likewise for CutMix.
    pub cutmix: f64,
    /// Share of the batches that are mixed, if any are, in [0, 1].
    pub mix_probability: f64,
}

/// Drawn by rejection, shares of a greater alpha would take ever more attempts, and are nearly all one half.
const ALPHA: Limits = (Bound::Included(0.0), Bound::Included(4.0));

pub(super) fn train(s: &Section<'_>) -> TrainConfig {
    TrainConfig {
        batch: s.count("batch", 128, 1..=LARGEST_BATCH),
        learning_rate: s.number("learning_rate", 0.05, POSITIVE),
        momentum: s.number("momentum", 0.9, BELOW_ONE),
        weight_decay: s.number("weight_decay", 0.0005, SHARE),
        warmup: s.number("warmup", 0.05, BELOW_ONE),
        threads: s.count("threads", 0, 0..=MOST_THREADS),
        precision: s.word("precision", TrainPrecision::Fp32),
        mixup: s.number("mixup", 0.0, ALPHA),
        cutmix: s.number("cutmix", 0.0, ALPHA),
        mix_probability: s.number("mix_probability", 1.0, SHARE),
    }
}
