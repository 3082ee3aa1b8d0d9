//! What is wrong with a pool, with the line and the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// So many bad lines are told one by one; the rest are counted.
pub(super) const MOST_SHOWN: usize = 20;

/// A pool that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The list, the folder or something in it cannot be read.
    #[error("{}: cannot be read: {source}{}", path.display(), remedy(source))]
    Unreadable {
        /// What was read.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No images.
    #[error("{}: there are no images in this list; write one `path label` a line", path.display())]
    Empty {
        /// The list.
        path: PathBuf,
    },
    /// Lines that are wrong, each message begins with `file:line`; or images of a folder, and each begins with the folder.
    #[error("{}", lines(path, faults, *more))]
    Lines {
        /// The list.
        path: PathBuf,
        /// The first of them, in the order of the file; never empty.
        faults: Vec<LineFault>,
        /// How many more there are.
        more: u64,
    },
    /// Text in another encoding than UTF-8 or plain bytes.
    #[error("{}: this is UTF-16 text; save the list as UTF-8", path.display())]
    Encoding {
        /// The list.
        path: PathBuf,
    },
    /// More samples than ids.
    #[error("{}: there are more than {limit} images, which is all that fit; split the pool", path.display())]
    TooMany {
        /// The list or the folder.
        path: PathBuf,
        /// The most there can be.
        limit: u32,
    },
    /// A folder without a folder per class.
    #[error("{}: there are no sub-folders in this folder; make one for each class, with its images, or name a list of `path label` lines", path.display())]
    NoClasses {
        /// The folder.
        path: PathBuf,
    },
    /// Folders of classes without an image.
    #[error("{}: no images in the class folders {}; images end in {}; fill these folders or take them away", path.display(), names.join(", "), super::folder::EXTENSIONS.join(", "))]
    EmptyClasses {
        /// The folder of the classes.
        path: PathBuf,
        /// The names of the empty ones.
        names: Vec<String>,
    },
    /// A symbolic link that leads back to a folder above it.
    #[error("{}: this folder contains itself by a symbolic link; take the link away", path.display())]
    Loop {
        /// The link.
        path: PathBuf,
    },
    /// A file name that no list can carry.
    #[error("{path:?}: there is a line break in this name, which no list can carry; rename it")]
    LineBreak {
        /// The file.
        path: PathBuf,
    },
    /// More class folders than the model has classes.
    #[error("{}: there are {found} class folders, but the model has {classes} classes; take a model with {found} outputs, or the folders away that it does not know", path.display())]
    TooManyClasses {
        /// The folder of the classes.
        path: PathBuf,
        /// How many there are.
        found: u32,
        /// How many there may be.
        classes: u32,
    },
}

/// A line that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFault {
    /// From 1; 0 in a folder, which has no lines.
    pub line: u64,
    /// What is wrong, and the remedy.
    pub message: String,
}

/// Faults as they come; the first are kept, the others counted.
#[derive(Default)]
pub(super) struct Faults {
    kept: Vec<LineFault>,
    more: u64,
}

impl Faults {
    /// Records a fault; `message` is only made if it is shown.
    pub(super) fn add(&mut self, line: u64, message: impl FnOnce() -> String) {
        if self.kept.len() < MOST_SHOWN {
            self.kept.push(LineFault { line, message: message() });
        } else {
            self.more += 1;
        }
    }

    /// An error, if there was a fault.
    pub(super) fn into_result(mut self, path: &Path) -> Result<(), PoolError> {
        if self.kept.is_empty() {
            return Ok(());
        }
        self.kept.sort_by_key(|fault| fault.line);
        Err(PoolError::Lines { path: path.to_owned(), faults: self.kept, more: self.more })
    }
}

fn lines(path: &Path, faults: &[LineFault], more: u64) -> String {
    let line = |fault: &LineFault| match fault.line {
        0 => format!("{}: {}", path.display(), fault.message),
        line => format!("{}:{line}: {}", path.display(), fault.message),
    };
    let mut text: Vec<_> = faults.iter().map(line).collect();
    if more > 0 {
        text.push(format!("and {more} more"));
    }
    text.join("\n")
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; name a list of `path label` lines, or a folder with a sub-folder for each class",
        io::ErrorKind::PermissionDenied => "; give this user the right to read it",
        _ => "",
    }
}
