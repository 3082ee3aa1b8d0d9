//! What can go wrong with the state, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::files::PublishError;

/// The state could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds the state folder.
    #[error(
        "{}: another gleaner ({holder}) works on this state folder; stop it, or give this run a state.folder of its own",
        lock.display()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// The holder, as "process 1234".
        holder: String,
    },
    /// There is nothing to read.
    #[error("{}: there is no ledger here; look at state.folder, or start the service, which makes one", path.display())]
    Missing {
        /// Where the ledger should be.
        path: PathBuf,
    },
    /// The ledger cannot be understood.
    #[error(
        "{}: {problem}; put back a copy of the whole state folder, or move the folder away (and the lists folder with \
         it) to begin afresh",
        path.display()
    )]
    Corrupt {
        /// The ledger.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The ledger was written by a newer gleaner.
    #[error(
        "{}: is of version {found}, this gleaner knows versions up to {known}; run the newer gleaner that wrote it",
        path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// SQLite refused something; nothing of the attempted change is kept.
    #[error("{}: {action}: {source}{}", path.display(), remedy(source))]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// What was attempted, as "epoch 7 cannot be committed".
        action: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// What was to be recorded contradicts what is recorded.
    #[error("{}: {problem}", path.display())]
    Conflict {
        /// The ledger.
        path: PathBuf,
        /// The contradiction, and the remedy.
        problem: String,
    },
    /// The samples file is not the one that the ledger speaks of.
    #[error(
        "{}: is not the file that the ledger {} speaks of ({problem}); put back the state folder's copy that belongs \
         together, or move state and lists away to begin afresh",
        path.display(), ledger.display()
    )]
    SamplesLost {
        /// The samples file.
        path: PathBuf,
        /// The ledger.
        ledger: PathBuf,
        /// What was found instead.
        problem: String,
    },
    /// A Parquet file cannot be read.
    #[error("{}: {problem}; it was cut short, damaged or written by something else: put back a copy of the state folder", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file of scores cannot be understood.
    #[error(
        "{}: {problem}; a file of scores is Parquet with the columns {}: let what wrote it write it again, under another \
         name until it is whole, or remove it, and the scan scores its images",
        path.display(), super::SCORES_COLUMNS.join(", ")
    )]
    Scores {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file of scores holds a value that no model can have given.
    #[error(
        "{}: row {row}: {column} is {value}, but must be {wanted}; correct what wrote it (an image that was not seen has \
         nulls), or remove the file, and the scan scores its images",
        path.display()
    )]
    Score {
        /// The file.
        path: PathBuf,
        /// The row, counted from 1.
        row: u64,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: f64,
        /// What may stand there.
        wanted: &'static str,
    },
    /// A row does not fit the file that is being written.
    #[error("{}: {row:?} cannot be written: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The image's path.
        row: PathBuf,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A file could not be written; what stood there before is untouched.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The operating system refused something.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file or folder in question.
        path: PathBuf,
        /// What was attempted, as "cannot be read".
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Whether the index of the write-ahead log cannot grow, which SQLite calls an I/O error.
pub(super) fn is_for_want_of_space(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

fn remedy(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => "; free some space, what was recorded before is untouched",
        _ if is_for_want_of_space(error) => {
            "; the disk is probably full: free some space, what was recorded before is untouched"
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::PermissionDenied) => {
            "; give this user the right to write in the state folder"
        }
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            "; another program holds the ledger, close it"
        }
        Some(rusqlite::ErrorCode::CannotOpen) => "; look at the rights of the folder",
        _ => "",
    }
}

impl LedgerError {
    pub(super) fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }

    /// SQLite's complaint: what says that the file is no ledger becomes [`LedgerError::Corrupt`].
    pub(super) fn sqlite(path: impl Into<PathBuf>, action: impl Into<String>) -> impl FnOnce(rusqlite::Error) -> Self {
        let (path, action) = (path.into(), action.into());
        move |source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => {
                Self::Corrupt { path, problem: "is not an SQLite database".to_owned() }
            }
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                Self::Corrupt { path, problem: format!("is damaged ({source})") }
            }
            _ => Self::Sqlite { path, action, source },
        }
    }
}
