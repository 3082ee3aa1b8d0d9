//! One writer a state folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;

use super::LedgerError;

/// The advisory lock on a state folder, held by whoever has the file open and locked. The text in the file only names
/// the holder: what counts is the system's lock, so a file left behind by a dead process keeps nobody out.
#[derive(Debug)]
pub(super) struct StateLock {
    _file: File,
}

impl StateLock {
    pub(super) fn take(path: &Path) -> Result<Self, LedgerError> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(LedgerError::io(path, "cannot be opened"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(path).unwrap_or_default();
                let holder = match holder.trim() {
                    "" => "of unknown process number".to_owned(),
                    number => format!("process {number}"),
                };
                return Err(LedgerError::Locked { lock: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => {
                return Err(LedgerError::io(path, "cannot be locked")(source));
            }
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(LedgerError::io(path, "cannot be written"))?;
        Ok(Self { _file: file })
    }
}
