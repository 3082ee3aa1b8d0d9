//! What can go wrong with a list, and what to do about it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::files::PublishError;

/// A list could not be published or read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
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
    /// The epoch's list is there already, and says something else.
    #[error(
        "{}: is there already, with other content; an epoch's list never changes: move the file away if it is not \
         gleaner's, or give this run a lists.folder of its own",
        path.display()
    )]
    Immutable {
        /// The file that stands in the way.
        path: PathBuf,
    },
    /// A row cannot be written in a format.
    #[error("{}: {path:?} cannot be listed: {problem}", list.display())]
    Row {
        /// The list that was to be written.
        list: PathBuf,
        /// The image's path.
        path: OsString,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// Images have names that a format cannot hold.
    #[error("{count} {} be listed as lists.formats asks for:\n  {}", images(*count), named.join("\n  "))]
    Names {
        /// How many images.
        count: u64,
        /// The first of them: path, problem and remedy.
        named: Vec<String>,
    },
    /// The class names do not fit a folder tree.
    #[error("{}: class {label} is named {name:?}, which {problem}", list.display())]
    ClassName {
        /// The tree that was to be written.
        list: PathBuf,
        /// The class index.
        label: usize,
        /// The offending name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// `next` is not what gleaner put there.
    #[error("{}: is not a symbolic link, so it is not gleaner's; move it away, gleaner keeps the newest tree there", path.display())]
    NotALink {
        /// The thing in the way.
        path: PathBuf,
    },
    /// A manifest is not what [`read_manifest`](super::read_manifest) expects.
    #[error("{}:{line}: {problem}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong, and the remedy.
        problem: String,
    },
}

impl ListError {
    pub(super) fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }
}

fn images(count: u64) -> &'static str {
    if count == 1 { "image cannot" } else { "images cannot" }
}
