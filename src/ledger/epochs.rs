//! An epoch as the ledger holds it, as plain data: what was committed, what its training took, how far it has come.

use super::{Centroids, Review, Validation};
use crate::duplicates::Duplicate;

/// Rows of a list by stratum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strata {
    /// Of the first random list.
    pub initial: u64,
    /// Drawn evenly from the pool.
    pub uniform: u64,
    /// Not confidently right.
    pub mined: u64,
    /// Drawn from the confidently right.
    pub extra: u64,
    /// Of a list that holds the whole pool.
    pub full: u64,
}

impl Strata {
    /// All rows; `None` where the sum does not fit.
    pub fn size(&self) -> Option<u64> {
        [self.uniform, self.mined, self.extra, self.full].into_iter().try_fold(self.initial, u64::checked_add)
    }
}

/// What is known of an epoch when its list stands: committing it makes the epoch true.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochCommit {
    /// The epoch that trains on the list.
    pub epoch: u32,
    /// The list's files, by name within the lists folder, with their digests.
    pub lists: Vec<(String, String)>,
    /// The list's rows.
    pub strata: Strata,
    /// Images looked at to choose the list.
    pub scanned: u64,
    /// Of those, the ones that were not confidently right.
    pub mined: u64,
    /// Groups of similar images.
    pub clusters: u64,
    /// Images left out because they could not be read.
    pub skipped: u64,
    /// Images whose label is probably wrong.
    pub suspects: u64,
    /// Of those, the ones that were kept off the list.
    pub kept_out: u64,
    /// Forward passes of the scan.
    pub scan_forwards: u64,
    /// The cost of one scoring forward, in training visits.
    pub forward_ratio: f64,
    /// Seconds spent scanning.
    pub scan_s: f64,
    /// Seconds spent grouping.
    pub cluster_s: f64,
    /// Seconds spent choosing.
    pub select_s: f64,
    /// Where its groups are centred, if it has any. [`Ledger::centroids`](super::Ledger::centroids) reads them, not the
    /// record of the epoch.
    pub centroids: Option<Centroids>,
    /// What a person has said of images, if that has changed since the list before.
    /// [`Ledger::reviews`](super::Ledger::reviews) reads it, not the record of the epoch.
    pub reviews: Option<Vec<Review>>,
    /// Near-duplicates that were found for it. [`Ledger::duplicates`](super::Ledger::duplicates) reads all of them, not the
    /// record of the epoch.
    pub duplicates: Vec<Duplicate>,
}

/// What a training step took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Training {
    /// Images visited, each time counted.
    pub train_visits: u64,
    /// Seconds from start to end of the step, as the service saw it.
    pub train_s: Option<f64>,
    /// Seconds by the trainer's own account.
    pub step_s: Option<f64>,
}

/// How far an epoch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochStatus {
    /// The list is true; no checkpoint has been accepted.
    Committed,
    /// Its checkpoint has been accepted.
    Trained,
    /// A newer checkpoint was taken instead of its own.
    Skipped,
}

impl EpochStatus {
    /// The word for it, as the ledger writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Trained => "trained",
            Self::Skipped => "skipped",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Committed, Self::Trained, Self::Skipped].into_iter().find(|status| status.name() == name)
    }
}

/// An epoch as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// What was committed.
    pub commit: EpochCommit,
    /// When.
    pub committed: String,
    /// How far it has come.
    pub status: EpochStatus,
    /// What its training took; zero and `None` until it is recorded.
    pub training: Training,
    /// Of its accepted checkpoint.
    pub validation: Option<Validation>,
    /// Training visits, and scan forwards at their price, in training visits.
    pub cost: f64,
}
