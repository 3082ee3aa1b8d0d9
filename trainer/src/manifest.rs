//! What an epoch trains on: the manifest that gleaner publishes.

use gleaner::config::PoolConfig;
use gleaner::lists::{ListError, ManifestRow, read_manifest};
use std::path::{Path, PathBuf};

/// One image of an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The image file, as the manifest names it.
    pub path: PathBuf,
    /// Its class.
    pub label: u32,
    /// How often its gradient counts.
    pub weight: f32,
    /// Its line in the manifest, for messages.
    pub line: u64,
}

/// An epoch's images, in the order of the manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file.
    pub path: PathBuf,
    /// Where relative paths of images count from.
    pub root: PathBuf,
    /// Its images; at least one.
    pub samples: Vec<Sample>,
}

/// Why a manifest cannot be trained on.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read, or is no manifest.
    #[error(transparent)]
    List(#[from] ListError),
    /// There is nothing to train on.
    #[error("{}: it lists no image, so there is nothing to train on", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A label names a class that the model does not have.
    #[error(
        "{}:{line}: label {label} is outside the {classes} classes of {model}; \
         correct the label, or start from a model with more classes",
        path.display()
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The label.
        label: u32,
        /// How many classes the model tells apart.
        classes: i64,
        /// The model's file.
        model: String,
    },
}

impl Manifest {
    /// Reads a manifest. Relative paths of images count from `root`.
    pub fn read(path: &Path, root: &Path) -> Result<Self, ManifestError> {
        let sample =
            |row: ManifestRow| Sample { path: row.path.into(), label: row.label, weight: row.weight, line: row.line };
        let samples: Vec<Sample> = read_manifest(path)?.into_iter().map(sample).collect();
        if samples.is_empty() {
            return Err(ManifestError::Empty { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), root: root.to_owned(), samples })
    }

    /// Refuses labels that the model has no class for.
    pub fn check_labels(&self, classes: i64, model: &str) -> Result<(), ManifestError> {
        match self.samples.iter().find(|sample| i64::from(sample.label) >= classes) {
            None => Ok(()),
            Some(sample) => Err(ManifestError::Label {
                path: self.path.clone(),
                line: sample.line,
                label: sample.label,
                classes,
                model: model.to_owned(),
            }),
        }
    }
}

/// Where relative paths of images count from: the pool's folder, or the folder of the pool's list.
pub fn root(pool: &PoolConfig) -> PathBuf {
    if pool.train.is_dir() {
        return pool.train.clone();
    }
    pool.train.parent().map(Path::to_owned).unwrap_or_default()
}
