//! What an epoch trains on: the manifest that gleaner publishes.

use csv::ByteRecord;
use gleaner::config::PoolConfig;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One image of an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The image file.
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
    /// Its images; at least one.
    pub samples: Vec<Sample>,
}

/// Why a manifest cannot be trained on.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read, or is no CSV.
    #[error("{}: {source}; give the .csv file that gleaner writes into its lists folder", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: csv::Error,
    },
    /// A column is missing.
    #[error(
        "{}: there is no column {column:?}; the header must be order,path,label,stratum,cluster,predicted,\
         confidence,margin,weight",
        path.display()
    )]
    Column {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: &'static str,
    },
    /// A value is not what its column holds.
    #[error("{}:{line}: {column} {value:?} is not {wanted}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        wanted: &'static str,
    },
    /// The file was not written to its end.
    #[error("{}: it is cut short: its last line does not end; let gleaner write the list again", path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
    },
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
        let fail = |source| ManifestError::Csv { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(|error| fail(error.into()))?;
        if bytes.last().is_some_and(|&last| last != b'\n') {
            return Err(ManifestError::CutShort { path: path.to_owned() });
        }
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let columns = Columns::find(path, reader.byte_headers().map_err(fail)?)?;
        let mut samples = Vec::new();
        for record in reader.byte_records() {
            samples.push(columns.sample(&record.map_err(fail)?, root)?);
        }
        if samples.is_empty() {
            return Err(ManifestError::Empty { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), samples })
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

/// Where the columns stand that training needs.
struct Columns<'a> {
    manifest: &'a Path,
    path: usize,
    label: usize,
    weight: usize,
}

impl<'a> Columns<'a> {
    fn find(manifest: &'a Path, headers: &ByteRecord) -> Result<Self, ManifestError> {
        let place = |column: &'static str| {
            let found = headers.iter().position(|header| header == column.as_bytes());
            found.ok_or_else(|| ManifestError::Column { path: manifest.to_owned(), column })
        };
        Ok(Self { manifest, path: place("path")?, label: place("label")?, weight: place("weight")? })
    }

    fn sample(&self, record: &ByteRecord, root: &Path) -> Result<Sample, ManifestError> {
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |index: usize| record.get(index).unwrap_or_default();
        let wrong = |column, value: &[u8], wanted| ManifestError::Value {
            path: self.manifest.to_owned(),
            line,
            column,
            value: String::from_utf8_lossy(value).into_owned(),
            wanted,
        };
        if cell(self.path).is_empty() {
            return Err(wrong("path", b"", "the name of an image file"));
        }
        let label = number(cell(self.label));
        let weight = number(cell(self.weight)).filter(|weight: &f32| weight.is_finite() && *weight >= 0.0);
        Ok(Sample {
            path: root.join(OsStr::from_bytes(cell(self.path))),
            label: label.ok_or_else(|| wrong("label", cell(self.label), "a class number from 0 on"))?,
            weight: weight.ok_or_else(|| wrong("weight", cell(self.weight), "a number from 0 on"))?,
            line,
        })
    }
}

fn number<T: FromStr>(cell: &[u8]) -> Option<T> {
    std::str::from_utf8(cell).ok()?.trim().parse().ok()
}

/// Where relative paths of images count from: the pool's folder, or the folder of the pool's list.
pub fn root(pool: &PoolConfig) -> PathBuf {
    if pool.train.is_dir() {
        return pool.train.clone();
    }
    pool.train.parent().map(Path::to_owned).unwrap_or_default()
}
