//! Keeping `samples.parquet` and the ledger of one mind, whatever moment the process dies at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension as _;

use super::{Ledger, LedgerError, NEXT_SAMPLES_FILE, SAMPLES_FILE, Samples};
use crate::{digest, files};

/// A samples file that stands whole under its provisional name, and counts once it is committed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "prepared samples count only when they are committed"]
pub struct PreparedSamples {
    pub(super) digest: String,
    pub(super) rows: usize,
}

impl PreparedSamples {
    /// The file's SHA-256 digest in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl Ledger {
    /// Writes `samples` to the disk under a provisional name, see [`Samples::write`] for `name`.
    ///
    /// Hand the result to [`Ledger::commit_epoch`]; preparing again before that replaces it.
    pub fn prepare_samples(
        &self,
        samples: &Samples,
        name: &mut dyn FnMut(u32, &mut Vec<u8>) -> u32,
    ) -> Result<PreparedSamples, LedgerError> {
        let digest = samples.write(&self.folder.join(NEXT_SAMPLES_FILE), name)?;
        Ok(PreparedSamples { digest, rows: samples.len() })
    }

    /// Reads the committed samples, or `None` if none were ever committed.
    ///
    /// `expected_len` is the size of the pool. The file is checked against the ledger's digest before it is looked into.
    pub fn read_samples(&self, expected_len: usize) -> Result<Option<Samples>, LedgerError> {
        let Some(expected) = self.samples_digest()? else { return Ok(None) };
        let path = self.folder.join(SAMPLES_FILE);
        let found = digest_if_there(&path)?;
        if found.as_ref() == Some(&expected) {
            return Samples::read(&path, expected_len).map(Some);
        }
        // Between a commit and the rename that follows it, or after a crash there, a reader meets it under the other name.
        let next = self.folder.join(NEXT_SAMPLES_FILE);
        if digest_if_there(&next)?.as_ref() == Some(&expected) {
            return Samples::read(&next, expected_len).map(Some);
        }
        Err(self.lost(&path, found.as_deref(), &expected))
    }

    /// Finishes, or clears away, what a process that died left half done.
    pub(super) fn recover_samples(&self) -> Result<(), LedgerError> {
        let path = self.folder.join(SAMPLES_FILE);
        let next = self.folder.join(NEXT_SAMPLES_FILE);
        let Some(expected) = self.samples_digest()? else {
            if path.exists() {
                return Err(LedgerError::SamplesLost {
                    path,
                    ledger: self.path.clone(),
                    problem: "the ledger speaks of none".to_owned(),
                });
            }
            return remove_if_there(&next);
        };
        // The next file first: it exists only for a moment, so that this is nearly always all there is to read twice.
        let prepared = digest_if_there(&next)?;
        if prepared.as_ref() == Some(&expected) {
            return self.finish_samples();
        }
        let found = digest_if_there(&path)?;
        if found.as_ref() != Some(&expected) {
            return Err(self.lost(&path, found.as_deref(), &expected));
        }
        // Prepared, and never committed.
        remove_if_there(&next)
    }

    /// Gives the prepared file its name; it must be the one that the ledger speaks of.
    pub(super) fn finish_samples(&self) -> Result<(), LedgerError> {
        let path = self.folder.join(SAMPLES_FILE);
        fs::rename(self.folder.join(NEXT_SAMPLES_FILE), &path)
            .and_then(|()| files::sync_folder(&self.folder))
            .map_err(LedgerError::io(path, "cannot be replaced, though it is committed; the next start finishes this"))
    }

    fn samples_digest(&self) -> Result<Option<String>, LedgerError> {
        self.connection
            .query_row("SELECT digest FROM samples_file", [], |row| row.get(0))
            .optional()
            .map_err(self.reading())
    }

    fn lost(&self, path: &Path, found: Option<&str>, expected: &str) -> LedgerError {
        let short = |digest: &str| digest.chars().take(12).collect::<String>();
        let problem = match found {
            None => format!("there is no such file, its digest should be {}...", short(expected)),
            Some(found) => format!("its digest is {}..., not {}...", short(found), short(expected)),
        };
        LedgerError::SamplesLost { path: path.to_owned(), ledger: self.path.clone(), problem }
    }
}

fn digest_if_there(path: &Path) -> Result<Option<String>, LedgerError> {
    match digest::of_file(path) {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::io(path, "cannot be read")(error)),
    }
}

fn remove_if_there(path: &PathBuf) -> Result<(), LedgerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LedgerError::io(path, "cannot be removed")(error)),
        _ => Ok(()),
    }
}
