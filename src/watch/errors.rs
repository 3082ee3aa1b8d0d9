use std::io;
use std::path::PathBuf;

/// The folder of checkpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The folder is missing and cannot be made.
    #[error(
        "{}: the folder of checkpoints cannot be made: {source}; make it, or name another as checkpoint.folder",
        folder.display()
    )]
    Create {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder cannot be listed.
    #[error(
        "{}: the folder of checkpoints cannot be listed: {source}; give this user the right to read it, \
         or name another as checkpoint.folder",
        folder.display()
    )]
    List {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
