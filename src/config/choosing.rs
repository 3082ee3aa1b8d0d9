//! The sections that say which images are chosen, as plain data.

use super::auto::OrAuto;
use super::types::duration;
use super::words::{ClusterDistance, ClusterMode, Others, ScanAugment};
use std::path::PathBuf;
use std::time::Duration;

/// The first epoch's subset.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct InitialConfig {
    /// Share of the pool, in (0, 1].
    pub fraction: f64,
}

/// The scan of the pool.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MineConfig {
    /// The scan ends when so much of the next subset is found, as a share of the pool, in (0, 1].
    pub quota: OrAuto<f64>,
    /// Most that a scan may cost, as a share of the training visits that it feeds; at least 0.
    pub budget: f64,
    /// Right with at least this probability counts as known, in (0, 1].
    pub confident: f64,
    /// Epochs after which an answer of the model no longer counts; at least 1.
    pub stale: u32,
    /// Share of the scan that is drawn at random, whatever history says, in (0, 1]. By itself all of it under `confidence`, and
    /// little of it under `patent`.
    pub random: OrAuto<f64>,
    /// Augmentation in the scan.
    pub augment: ScanAugment,
}

/// What is done with the mined images.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClusterConfig {
    /// Thin clusters, expand them, or both.
    pub mode: ClusterMode,
    /// How many clusters; at least 1.
    pub groups: u32,
    /// How alike two embeddings are.
    pub distance: ClusterDistance,
    /// Most work that a clustering may take, as the time of a machine of a fixed speed.
    #[serde(serialize_with = "duration")]
    pub budget: Duration,
    /// Share of a cluster that is kept or added, in (0, 1].
    pub fraction: f64,
    /// Images of a cluster that are no further apart, as a share of the radius of clusters, are looked at as near-duplicates, in [0, 1];
    /// 0 = none.
    pub duplicates: f64,
}

/// Confidently right images that come back, so that nothing is forgotten.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ExtrasConfig {
    /// Share of them, in [0, 1].
    pub share: f64,
    /// Each one weighs 1 over the probability of being chosen, to this power, in [0, 1]: 0 = as much as any other. By itself
    /// 0, but 1 while suspects are kept out in a long run.
    pub exponent: OrAuto<f64>,
}

/// What classes of few images are to have.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClassesConfig {
    /// How much of what a class lacks of an even share is made up for, in [0, 1]; 0 = nothing.
    pub floor: f64,
}

/// Images whose label is probably wrong.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SuspectsConfig {
    /// An image is a suspect if the mean of p(label) over all models that have scored it is below this, in [0, 1]; 0 =
    /// nobody is.
    pub p_label: f64,
    /// Models that must have scored it, at least 1.
    pub scores: u8,
    /// Two classes are mixed up if more than this share of the one is confidently taken for the other, in [0, 1]; 1 = never.
    pub mixed_up: f64,
    /// Suspects are kept out of training from this share of the pool on, in [0, 1]; 1 = never.
    pub keep_out: f64,
    /// Epochs after which a suspect that is kept out is scored again; at least 1.
    pub recheck: u32,
    /// How the others are chosen while suspects are kept out.
    pub others: Others,
    /// What a person has said of them; nothing = `reviews.csv` in the folder of the lists.
    pub reviews: Option<PathBuf>,
}
