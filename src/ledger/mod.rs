//! What happened, and what is known of each sample.
//!
//! `state/ledger.sqlite` holds the runs, epochs, checkpoints, events and the outcome, or why the run has failed;
//! `state/samples.parquet` one row a sample of the pool. Both open with ordinary tools. `state/lock` keeps a second service
//! out; readers come and go.
//!
//! # The commit of an epoch
//!
//! 1. The lists of the epoch are published (room `lists`), and the samples as `samples.next.parquet`
//!    ([`Ledger::prepare_samples`]); all of it is flushed to the disk. None of it counts yet.
//! 2. One transaction records the epoch with the digests of its lists and of the samples file, and the centroids that the
//!    next epoch's groups go on from ([`Ledger::commit_epoch`]). From here on the epoch is true.
//! 3. `samples.next.parquet` is renamed to `samples.parquet`.
//! 4. The caller points `next.txt` at the list, and training starts.
//!
//! A process that dies between 2 and 3 leaves a samples file that is not the ledger's beside one that is: the next
//! [`Ledger::open`] finishes the rename. One that dies before 2 leaves files that nothing speaks of: `open` removes the
//! prepared samples, and the same draws write the same lists again. [`Ledger::standing`] says where to go on.

mod centroids;
mod checkpoints;
mod columns;
mod duplicates;
mod epochs;
mod error;
mod failure;
mod lock;
mod open;
mod parquet_file;
mod read;
mod records;
mod reviews;
mod samples;
mod samples_file;
mod scores;
mod scores_reader;
mod scores_table;
mod state_files;
mod step;
mod write;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use centroids::Centroids;
pub use epochs::{EpochCommit, EpochRecord, EpochStatus, Strata, Training};
pub use error::LedgerError;
pub use failure::Failure;
pub use records::{
    Checkpoint, CheckpointRecord, CheckpointStatus, Event, Outcome, Review, Run, RunRecord, RunStart, Standing, Totals,
    Validation,
};
pub use samples::{NEVER, NONE, Samples};
pub use scores::{SCORES_ENDING, ScoreRow, ScoresWriter, scores_beside};
pub use scores_reader::{SCORES_COLUMNS, ScoresRead, read_scores};
pub use state_files::PreparedSamples;
pub use step::Step;

/// The ledger's name within the state folder.
pub const LEDGER_FILE: &str = "ledger.sqlite";
/// The samples file's name within the state folder.
pub const SAMPLES_FILE: &str = "samples.parquet";
/// The name under which the next samples file is prepared.
pub const NEXT_SAMPLES_FILE: &str = "samples.next.parquet";
/// The lock's name within the state folder.
pub const LOCK_FILE: &str = "lock";

/// How a ledger is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For the one service that writes: takes the lock, makes what is missing, finishes what a crash left half done.
    Write,
    /// For everyone else, also while the service runs: changes nothing.
    Read,
}

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    path: PathBuf,
    connection: Connection,
    /// Held as long as the ledger is open for writing; the system lets go of it when the process ends, however it ends.
    _lock: Option<lock::StateLock>,
}

impl Ledger {
    /// Opens the ledger of a state folder.
    pub fn open(folder: &Path, access: Access) -> Result<Self, LedgerError> {
        match access {
            Access::Write => open::writer(folder),
            Access::Read => open::reader(folder),
        }
    }

    /// Opens the ledger of a state folder for reading, as `gleaner status` does while the service runs.
    pub fn open_read_only(folder: &Path) -> Result<Self, LedgerError> {
        Self::open(folder, Access::Read)
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Turns SQLite's complaint about a read into an error that names the ledger.
    fn reading(&self) -> impl FnOnce(rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, "cannot be read")
    }
}
