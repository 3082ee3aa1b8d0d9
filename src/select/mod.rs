//! The next subset: which images the next epoch trains on, and with what weight.
//!
//! Pure functions of tables and a seed. A policy ([`confidence`], [`patent_thin`], [`patent_expand`],
//! [`patent_thin_and_expand`], [`uniform`], or [`initial`] for epoch 0) makes the choices, [`cut`] trims them to the planned
//! work, and [`order`] brings them into the order in which they are published.
//!
//! Except for [`order`], every function returns its choices by ascending sample number and each sample once, whatever the
//! order of its input. A sample that was given twice counts once, as the lowest of its entries (mined before extra). Shares
//! outside `[0, 1]` are brought inside, and a share that is not a number is 0; the config refuses both long before.

mod confidence;
mod patent;
mod pick;
mod publish;
mod quota;
mod random;

pub use confidence::{Candidate, Extras, Favour, confidence};
pub use patent::{expansion_counts, patent_expand, patent_thin, patent_thin_and_expand};
pub use publish::{cut, order};
pub use quota::{Quota, Stock, quotas};
pub use random::{full, initial, share_count, uniform};

/// Why an image is in a subset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stratum {
    /// Drawn at random for the first epoch (the patent application's S1).
    Initial,
    /// Drawn at random for a later epoch.
    Uniform,
    /// The model does not get it right, or not confidently (S3).
    Mined,
    /// Added to the mined: a share of the confidently right, or what resembles a group of mistakes (S4).
    Extra,
    /// The whole pool is trained on.
    Full,
}

impl Stratum {
    /// The name that stands in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Uniform => "uniform",
            Self::Mined => "mined",
            Self::Extra => "extra",
            Self::Full => "full",
        }
    }
}

impl std::fmt::Display for Stratum {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One image of the next subset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The image's number in the pool.
    pub sample: u32,
    /// Why it was chosen.
    pub stratum: Stratum,
    /// Its group of similar images, where there are groups.
    pub cluster: Option<u32>,
    /// What its loss counts for in training: 1, or more for what stands for others.
    pub weight: f32,
    /// The probability with which it was chosen.
    pub inclusion: f64,
}

/// An image and its group of similar images. All images without a group count as one group of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The group, if there is one.
    pub cluster: Option<u32>,
    /// The image's number in the pool.
    pub sample: u32,
}

impl Member {
    fn choice(self, stratum: Stratum, weight: f32, inclusion: f64) -> Choice {
        Choice { sample: self.sample, stratum, cluster: self.cluster, weight, inclusion }
    }
}

/// `part` of `whole`.
fn proportion(part: usize, whole: usize) -> f64 {
    part.min(whole) as f64 / whole.max(1) as f64
}

/// By sample, each once.
fn settle(mut choices: Vec<Choice>) -> Vec<Choice> {
    choices.sort_unstable_by_key(|choice| (choice.sample, choice.stratum, choice.cluster, choice.weight.to_bits()));
    choices.dedup_by_key(|choice| choice.sample);
    choices
}
