//! Putting a bad checkpoint aside.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Candidate;
use super::folder::marker_of;
use crate::files::{self, PublishError};

/// Where rejected checkpoints go, inside the watched folder: on the same file system, so that a rename can move them.
pub const REJECTED_FOLDER: &str = "rejected";

const REASON_FILE: &str = "reason.txt";
const DIGITS_OF_DIGEST: usize = 12;

/// A bad checkpoint could not be put aside; it still lies in the watched folder unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The file was replaced since it was judged: judge the new one instead.
    #[error("{}: the checkpoint has changed since it was found bad; it is left where it is and will be looked at again", path.display())]
    Changed {
        /// The checkpoint.
        path: PathBuf,
    },
    /// The digest cannot be part of a file name.
    #[error("{}: \"{digest}\" is no digest of 12 hexadecimal digits or more", path.display())]
    Digest {
        /// The checkpoint.
        path: PathBuf,
        /// What was given.
        digest: String,
    },
    /// The reason could not be written, so nothing was moved.
    #[error("the reason for a rejection: {0}")]
    Reason(#[from] PublishError),
    /// A file could not be moved.
    #[error(
        "{}: cannot be moved to {}: {source}; give this user the right to write in both folders, or move it by hand",
        path.display(), to.display()
    )]
    Move {
        /// The file.
        path: PathBuf,
        /// Where it was to go.
        to: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Moves a bad checkpoint to `rejected/<first 12 digits of the digest>-<name without extension>/` beside it, under its
/// own name and with its `.data` file, so that the graph still finds its weights; `reason.txt` there says why. Its
/// `.done` marker is removed. Returns the folder it now lies in.
///
/// `digest` is that of the content, in hexadecimal. The same content rejected again takes the place of the first.
///
/// # Errors
/// [`QuarantineError`]; the caller then tells the [`Reconciler`](super::Reconciler) to pass the file over.
pub fn quarantine(candidate: &Candidate, digest: &str, reason: &str) -> Result<PathBuf, QuarantineError> {
    let path = &candidate.path;
    let refuse = || QuarantineError::Digest { path: path.clone(), digest: digest.to_owned() };
    if !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    let (Some(short), Some(name)) = (digest.get(..DIGITS_OF_DIGEST), path.file_name()) else {
        return Err(refuse());
    };
    if !candidate.is_unchanged() {
        return Err(QuarantineError::Changed { path: path.clone() });
    }
    let watched = path.parent().unwrap_or(Path::new("."));
    let stem = path.file_stem().unwrap_or(name);
    let folder = watched.join(REJECTED_FOLDER).join(format!("{short}-{}", stem.to_string_lossy()));
    // The reason goes first: without its file it does no harm, while a file without its reason is a riddle.
    files::publish(&folder.join(REASON_FILE), |writer| {
        writeln!(
            writer,
            "{}: {reason}\nsize {} bytes, digest {digest}",
            name.to_string_lossy(),
            candidate.identity.graph.size
        )
    })?;
    move_into(path, &folder)?;
    if let Some(data) = &candidate.data {
        move_into(data, &folder)?;
    }
    match fs::remove_file(watched.join(marker_of(name))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(checkpoint = %path.display(), %error, "the .done marker of a rejected checkpoint stays");
        }
        _ => {}
    }
    Ok(folder)
}

fn move_into(path: &Path, folder: &Path) -> Result<(), QuarantineError> {
    let to = folder.join(path.file_name().unwrap_or_default());
    fs::rename(path, &to).map_err(|source| QuarantineError::Move { path: path.to_owned(), to, source })
}
