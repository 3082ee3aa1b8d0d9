//! The words in which the folder's state is told.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileState, Identity};

/// Why a checkpoint is believed to be complete, before anybody has read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// `epoch-0007.onnx.done` stands beside it and is not older.
    Marked,
    /// It was renamed to its name.
    Renamed,
    /// It has not changed for `checkpoint.quiet`.
    Quiet,
}

/// One file that is named like a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The epoch in its name.
    pub epoch: u32,
    /// The graph.
    pub path: PathBuf,
    /// The `.data` file beside it, when there is one.
    pub data: Option<PathBuf>,
    /// How both look to the file system.
    pub identity: Identity,
}

impl Candidate {
    /// Whether the files are still the ones that were listed; ask again after reading them, as they may have been
    /// replaced meanwhile.
    pub fn is_unchanged(&self) -> bool {
        self.look().is_ok_and(|identity| identity == self.identity)
    }

    fn look(&self) -> io::Result<Identity> {
        let state = |path: &Path| path.metadata().map(|metadata| FileState::of(&metadata));
        Ok(Identity { graph: state(&self.path)?, data: self.data.as_deref().map(state).transpose()? })
    }
}

/// What the judge of [`Reconciler::look`](super::Reconciler::look) says of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It reads to its end and is what is wanted.
    Whole,
    /// It breaks off, or a part is missing: bad, unless it is still being written. The reason is for a person.
    Unfinished(String),
    /// It is bad and no further byte can mend it. The reason is for a person.
    Bad(String),
}

/// A candidate that has to be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYet {
    /// The candidate.
    pub candidate: Candidate,
    /// What is waited for, for a person.
    pub reason: String,
    /// When to look again, from now.
    pub look_again_in: Duration,
}

/// A candidate found bad in this look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The candidate; hand it to [`quarantine`](super::quarantine).
    pub candidate: Candidate,
    /// Why, for a person.
    pub reason: String,
}

/// What one look at the folder has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The newest checkpoint that is whole.
    pub ready: Option<Candidate>,
    /// Older ones, down to the wanted epoch, that `ready` makes superfluous; newest first. They were not judged.
    pub skipped: Vec<Candidate>,
    /// Candidates newer than `ready` that are not complete yet; newest first.
    pub waiting: Vec<NotYet>,
    /// Candidates found bad, each told once until its file changes; newest first.
    pub rejected: Vec<Rejection>,
    /// Files whose names do not follow the pattern, each told once; by name.
    pub ignored: Vec<PathBuf>,
}

impl Reconciled {
    /// How long until a look can find more without any further event; `None` when only an event can bring more.
    pub fn look_again_in(&self) -> Option<Duration> {
        self.waiting.iter().map(|not_yet| not_yet.look_again_in).min()
    }
}
