//! Publishing files so that a reader never sees half of one.
//!
//! A file is written under a temporary name in its own folder, flushed to the disk, and renamed; then the folder is
//! flushed, so that after a power failure either the old file or the new one is there, whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// How temporary files begin: a listing can tell them, and a start can sweep them away.
pub const TEMPORARY_PREFIX: &str = ".gleaner-tmp-";

/// A file could not be published; the file that stood there before, if any, is untouched.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written: {source}{}", path.display(), remedy(source))]
pub struct PublishError {
    /// The file that was to be published.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space, the file that stood there before is untouched"
        }
        io::ErrorKind::PermissionDenied => "; give this user the right to write in the folder",
        io::ErrorKind::ReadOnlyFilesystem => "; the file system is mounted read-only",
        _ => "",
    }
}

/// Writes a file atomically: `write` fills a temporary file, which then takes the place of `path`.
///
/// Missing parent folders are made. On any error the temporary file is removed and `path` stays as it was.
pub fn publish<F>(path: &Path, write: F) -> Result<(), PublishError>
where
    F: FnOnce(&mut BufWriter<File>) -> io::Result<()>,
{
    prepare(path, write)?.publish()
}

/// A file that stands whole on the disk under a temporary name. Dropped, it is gone.
#[derive(Debug)]
#[must_use = "a prepared file is gone unless it is published"]
pub struct Prepared {
    path: PathBuf,
    temporary: PathBuf,
}

/// The first half of [`publish`], for files that are to appear one after the other: `path` stays as it is.
pub fn prepare<F>(path: &Path, write: F) -> Result<Prepared, PublishError>
where
    F: FnOnce(&mut BufWriter<File>) -> io::Result<()>,
{
    let prepared = Prepared { path: path.to_owned(), temporary: temporary_beside(path) };
    let made = fs::create_dir_all(parent(path)).and_then(|()| fill(&prepared.temporary, write));
    made.map_err(|source| PublishError { path: path.to_owned(), source }).map(|()| prepared)
}

impl Prepared {
    /// Lets the file take its place.
    pub fn publish(self) -> Result<(), PublishError> {
        let placed = fs::rename(&self.temporary, &self.path).and_then(|()| sync_folder(parent(&self.path)));
        placed.map_err(|source| PublishError { path: self.path.clone(), source })
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // After a rename there is nothing under this name. The first error is the one to report; a leftover is swept away at
        // the next start.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// The temporary name under which `path` is prepared, in the same folder.
pub fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    parent(path).join(format!("{TEMPORARY_PREFIX}{}-{name}", std::process::id()))
}

/// Removes the temporary files that a killed process left in `folder`. A folder that is not there is clean.
pub fn sweep(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Flushes a folder's entries (names) to the disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn fill<F>(temporary: &Path, write: F) -> io::Result<()>
where
    F: FnOnce(&mut BufWriter<File>) -> io::Result<()>,
{
    let mut writer = BufWriter::new(File::create(temporary)?);
    write(&mut writer)?;
    writer.flush()?;
    writer.get_ref().sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
