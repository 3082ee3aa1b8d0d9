//! Why the loop cannot go on.

use std::io;
use std::path::PathBuf;

use super::choose::ChooseError;
use crate::files::PublishError;
use crate::launch::{CommandError, LaunchError, OrphanError};
use crate::ledger::LedgerError;
use crate::lists::ListError;
use crate::mine::ScanError;
use crate::onnx;
use crate::pool::PoolError;
use crate::score::ScoreError;
use crate::suspects::SuspectsError;
use crate::watch::{PatternError, WatchError};

/// What ends a run that no stop rule has ended. Every room's own error says what to do.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ServiceError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Onnx(#[from] onnx::Error),
    #[error(transparent)]
    Score(#[from] ScoreError),
    #[error("{0}")]
    Choose(String),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Suspects(#[from] SuspectsError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Orphan(#[from] OrphanError),
    /// The state folder belongs to something else.
    #[error(
        "{}: this ledger belongs to a run with another {what}; give the new run folders of its own (state.folder, \
         lists.folder, checkpoint.folder), or move the old ones away",
        folder.display()
    )]
    OtherRun { folder: PathBuf, what: &'static str },
    /// A new run finds checkpoints of an old one.
    #[error(
        "{}: stands where the new run's checkpoints will appear; move the checkpoints of the earlier run away, or name \
         another checkpoint.folder",
        path.display()
    )]
    OldCheckpoint { path: PathBuf },
    /// An accepted checkpoint is no longer what it was.
    #[error(
        "{}: has changed since it was accepted (SHA-256 {found}, accepted was {accepted}); put the accepted file back",
        path.display()
    )]
    CheckpointChanged { path: PathBuf, accepted: String, found: String },
    /// No image of a set could be read.
    #[error("{}: none of its {images} images could be read; the first: {first}", list.display())]
    NothingReadable { list: PathBuf, images: usize, first: String },
    /// A person has dropped everything.
    #[error("{}: drops every image of the pool, so that there is nothing to train on; take some of it back", reviews.display())]
    NobodyLeft { reviews: PathBuf },
    /// The trainer failed for good.
    #[error("the training step of epoch {epoch} failed {attempts} times, the last time so: {reason}")]
    Training { epoch: u32, attempts: u32, reason: String },
    /// A checkpoint was asked for that is none of this run's.
    #[error("{}: {reason}", path.display())]
    Checkpoint { path: PathBuf, reason: String },
    #[error("the config cannot be recorded: {0}")]
    Record(String),
    #[error("no thread can be started: {0}; allow this user more of them")]
    Thread(io::Error),
    #[error("signals cannot be listened to: {0}")]
    Signals(io::Error),
    #[error("a part of the service ended by a fault of its own; its message stands above in the log")]
    Panicked,
}

impl From<ChooseError> for ServiceError {
    fn from(error: ChooseError) -> Self {
        match error {
            ChooseError::Scan(ScanError::Score(error)) => Self::Score(error),
            ChooseError::Scan(ScanError::Spool(_)) | ChooseError::Cluster(_) => Self::Choose(error.to_string()),
        }
    }
}
