//! What the ledger holds, as plain data. Times are ISO 8601 text in UTC, durations seconds, digests SHA-256 in hexadecimal.

use std::path::PathBuf;

use super::EpochRecord;

/// What a run was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The seed of every draw.
    pub seed: u64,
    /// The policy's name.
    pub policy: String,
    /// The digest of the config.
    pub config_digest: String,
    /// The digest of the pool's paths and labels: what is known of a sample holds only for the same pool.
    pub pool_digest: String,
    /// The config as it was read.
    pub config_text: String,
}

/// A run as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// Counted from 1.
    pub number: i64,
    /// When the service first started with it.
    pub started: String,
    /// What was asked for.
    pub run: Run,
}

/// How a start relates to what was asked for before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunStart {
    /// The ledger was empty.
    First,
    /// The same seed, policy, config and pool as before.
    Continued,
    /// Something differs from this, the run before; the new one is recorded.
    Changed(Box<RunRecord>),
}

/// What a person has said of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The image's number in the pool.
    pub sample: u32,
    /// `keep`, `drop` or `relabel`.
    pub verdict: String,
    /// The class to take it for, where it is `relabel`.
    pub new_label: Option<u32>,
}

/// How well a checkpoint does on the validation images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// The epoch that left the checkpoint.
    pub epoch: u32,
    /// The share of right predictions, 0 to 1.
    pub accuracy: f64,
    /// The mean cross-entropy.
    pub loss: f64,
    /// How many images it was measured on.
    pub images: u64,
    /// How long that took.
    pub seconds: f64,
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointStatus {
    /// Whole, fit, and used.
    Accepted,
    /// Not fit to be used, see the reason.
    Rejected,
    /// A newer one was there.
    Skipped,
}

/// A checkpoint to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The number in its name.
    pub epoch: u32,
    /// Where it stands.
    pub path: PathBuf,
    /// The digest of its content.
    pub digest: String,
    /// What became of it.
    pub status: CheckpointStatus,
    /// Why it was rejected or skipped.
    pub reason: Option<String>,
}

/// A checkpoint as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointRecord {
    /// What was recorded.
    pub checkpoint: Checkpoint,
    /// When it was first met with this content.
    pub seen_at: String,
    /// How well it does, once that is known.
    pub validation: Option<Validation>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which rule ended it.
    pub reason: String,
    /// The epoch of the best checkpoint.
    pub best_epoch: Option<u32>,
    /// Its validation accuracy, 0 to 1.
    pub best_accuracy: Option<f64>,
    /// Its accuracy on the test images, 0 to 1.
    pub test_accuracy: Option<f64>,
}

/// Something worth remembering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: String,
    /// A short word for the kind of thing.
    pub kind: String,
    /// What happened.
    pub text: String,
}

/// Sums over all epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Epochs committed.
    pub epochs: u64,
    /// Images visited in training.
    pub train_visits: u64,
    /// Forward passes of scans.
    pub scan_forwards: u64,
    /// In training visits; divided by the pool's size, in full-data epochs.
    pub cost: f64,
    /// Seconds of training.
    pub train_s: f64,
    /// Seconds of training by the trainer's own account.
    pub step_s: f64,
    /// Seconds of scanning.
    pub scan_s: f64,
    /// Seconds of grouping.
    pub cluster_s: f64,
    /// Seconds of choosing.
    pub select_s: f64,
}

/// Where a run stands: what a service that starts, for the first time or after a crash, does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Nothing is committed: choose the list of epoch 0.
    Fresh,
    /// The list of this epoch is true and no checkpoint of it, nor a later one, is accepted: point the stable names at
    /// the list, and have it trained.
    Committed(Box<EpochRecord>),
    /// This checkpoint is the newest accepted one: validate it if that is missing, scan it, and commit the next list.
    Trained(Box<CheckpointRecord>),
    /// The run is over.
    Stopped(Outcome),
}

impl CheckpointStatus {
    /// The word for it, as the ledger writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Skipped => "skipped",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Accepted, Self::Rejected, Self::Skipped].into_iter().find(|status| status.name() == name)
    }
}
