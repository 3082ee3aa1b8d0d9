//! The pool: every labelled image, by number.
//!
//! A sample is a path and a label, and its id is its position. Ten million of them, with paths of 40 bytes, take half a
//! gigabyte: all paths lie in one run of bytes.

mod arena;
mod error;
mod folder;
mod links;
mod list;
mod paths;
#[cfg(test)]
mod tests;

pub use error::{LineFault, PoolError};
pub use folder::EXTENSIONS;

use crate::systemd;
use arena::Arena;
use error::Faults;
use paths::path_of;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Bytes of a list that are read at a time, lest a slow file server look like one that has died.
const CHUNK: u64 = 1 << 20;

/// The number of an image: its position in the pool, from 0.
pub type SampleId = u32;

/// The samples of a list or of a folder per class.
#[derive(Clone, Debug)]
pub struct Pool {
    source: PathBuf,
    root: PathBuf,
    arena: Arena,
    labels: Vec<u32>,
    classes: u32,
    /// For a folder per class.
    names: Option<Vec<String>>,
    /// Where a list has blank lines: a sample, and how many are above it. One entry a run of them.
    blanks: Vec<(SampleId, u64)>,
}

impl Pool {
    /// Reads a list of `path label` lines, or a folder with a sub-folder for each class.
    ///
    /// In a list the label is what follows the last blank of a line, so that paths may hold blanks; empty lines and
    /// blanks at the ends of a line mean nothing. Line ends may be those of Windows, and a byte order mark may be at
    /// the start. Paths are bytes and need not be UTF-8. Classes run from 0 to the highest label.
    ///
    /// In a folder the sub-folders are the classes, in the order of their names' bytes, as torchvision's
    /// `ImageFolder` numbers them; the images of a class are all files below it whose names end like images, again in
    /// the order of their paths' bytes.
    ///
    /// # Errors
    /// If the source cannot be read, holds no images, or holds bad lines or a path twice; of bad lines the first
    /// twenty are told at once.
    pub fn load(source: &Path) -> Result<Self, PoolError> {
        let unreadable = |error| PoolError::Unreadable { path: source.to_owned(), source: error };
        if std::fs::metadata(source).map_err(unreadable)?.is_dir() {
            return folder::load(source, u32::MAX);
        }
        list::load(source, read(source).map_err(unreadable)?, u32::MAX)
    }

    /// How many samples there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.labels.len()).unwrap_or(u32::MAX)
    }

    /// Whether there are none; a pool that was loaded has some.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The label of a sample; 0 for an id that is outside the pool.
    pub fn label(&self, id: SampleId) -> u32 {
        self.labels.get(index(id)).copied().unwrap_or_default()
    }

    /// Gives a sample another label than its list does; an id that is outside the pool is passed over.
    ///
    /// For what a person has said of an image: neither [`Pool::classes`] nor what the list says changes.
    pub fn relabel(&mut self, id: SampleId, label: u32) {
        if let Some(place) = self.labels.get_mut(index(id)) {
            *place = label;
        }
    }

    /// The path as the list has it, or from the folder on; empty for an id that is outside the pool.
    pub fn listed(&self, id: SampleId) -> &[u8] {
        self.arena.get(index(id))
    }

    /// The path to open: absolute, with a relative one taken from the list's own folder or from the folder of classes.
    pub fn path(&self, id: SampleId) -> PathBuf {
        self.root.join(path_of(self.listed(id)))
    }

    /// How many classes there are: 1 + the highest label, or the number of class folders.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// The names of the classes by label, if they are known.
    pub fn class_names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The list or the folder, as it was named.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The folder from which relative paths are taken; absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The line of a sample in its list, from 1; none for a folder or an id that is outside the pool.
    pub fn line(&self, id: SampleId) -> Option<u64> {
        if self.names.is_some() || id >= self.len() {
            return None;
        }
        let runs = self.blanks.partition_point(|(first, _)| *first <= id);
        let blank = runs.checked_sub(1).and_then(|last| self.blanks.get(last)).map_or(0, |(_, blank)| *blank);
        Some(u64::from(id) + 1 + blank)
    }

    /// Whether a model with so many classes knows every label.
    ///
    /// # Errors
    /// The lines whose labels are outside, or that there are more class folders than classes.
    pub fn check(&self, classes: u32) -> Result<(), PoolError> {
        if self.classes <= classes {
            return Ok(());
        }
        if self.names.is_some() {
            return Err(PoolError::TooManyClasses { path: self.source.clone(), found: self.classes, classes });
        }
        let mut faults = Faults::default();
        for (id, label) in (0..self.len()).zip(&self.labels) {
            if *label >= classes {
                faults.add(self.line(id).unwrap_or_default(), || {
                    let known = match classes {
                        0 => "the model, which has no classes".to_owned(),
                        classes => format!("the {classes} classes of the model, 0 to {}", classes - 1),
                    };
                    format!("label {label} is outside {known}; correct the label, or take a model with more outputs")
                });
            }
        }
        faults.into_result(&self.source)
    }

    /// What the samples take in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let blanks = self.blanks.capacity() * size_of::<(SampleId, u64)>();
        self.arena.memory_bytes() + self.labels.capacity() * size_of::<u32>() + blanks
    }
}

/// The folder that relative paths start from, absolute so that it stays true if the process goes elsewhere.
fn absolute(path: &Path) -> Result<PathBuf, PoolError> {
    std::path::absolute(path).map_err(|source| PoolError::Unreadable { path: path.to_owned(), source })
}

fn index(id: SampleId) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// The bytes of a file.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or_default());
    while (&mut file).take(CHUNK).read_to_end(&mut bytes)? > 0 {
        systemd::alive();
    }
    Ok(bytes)
}
