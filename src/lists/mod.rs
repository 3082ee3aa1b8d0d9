//! Subset files: what the next epoch trains on, in every format that trainers read.
//!
//! An epoch's list is immutable: `epoch-0007.txt` is written once and never again with other bytes, so that a trainer
//! may hold it open for as long as it likes. `next.txt` is the stable name that always stands for the newest list.
//! Every file takes its place whole, by a rename; a reader never sees half of one.
//!
//! | format | names | for |
//! | --- | --- | --- |
//! | [`Format::Txt`] | `epoch-0007.txt`, `next.txt` | `path label` a line: MMPretrain, DALI |
//! | [`Format::Csv`] | `epoch-0007.csv`, `next.csv` | the manifest, always written; read back by [`read_manifest`] |
//! | [`Format::Paths`] | `epoch-0007.paths`, `next.paths` | one path a line: Ultralytics |
//! | [`Format::Jsonl`] | `epoch-0007.jsonl`, `next.jsonl` | `{"file_name": ..., "label": ...}` a line: Hugging Face |
//! | [`Format::Tree`] | `epoch-0007/`, `next` | symbolic links `CLASS/ORDER-NAME`: ImageFolder, timm |
//!
//! This room does not know how the rows were chosen.

mod error;
mod manifest;
mod names;
mod next;
mod publish;
mod render;
mod rows;
mod tree;

use std::path::PathBuf;

pub use error::ListError;
pub use manifest::{ManifestRow, read_manifest, walk_manifest};
pub use names::{check_names, is_plain};
pub use next::point_next;
pub use publish::{publish_epoch, withdraw};
pub use rows::{Row, Rows};

/// The names a row's stratum may have: why the image is on the list.
pub const STRATA: [&str; 5] = ["initial", "uniform", "mined", "extra", "full"];

/// A kind of subset file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `path label` a line.
    Txt,
    /// The manifest: everything known of each row, with a header.
    Csv,
    /// One path a line.
    Paths,
    /// One JSON object a line.
    Jsonl,
    /// A folder a class, of symbolic links to the images.
    Tree,
}

impl Format {
    /// Every format, in the order in which files are published: `txt`, which trainers follow, comes last.
    pub const ALL: [Self; 5] = [Self::Tree, Self::Jsonl, Self::Paths, Self::Csv, Self::Txt];

    /// The extension of the file, `None` for the folder.
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Self::Txt => Some("txt"),
            Self::Csv => Some("csv"),
            Self::Paths => Some("paths"),
            Self::Jsonl => Some("jsonl"),
            Self::Tree => None,
        }
    }

    /// The name of this format's file for `epoch`: `epoch-0007.txt`, or `epoch-0007` for the folder.
    pub fn epoch_name(self, epoch: u32) -> String {
        self.with_extension(format!("epoch-{epoch:04}"))
    }

    /// The stable name of this format's newest file: `next.txt`, or `next` for the folder.
    pub fn next_name(self) -> String {
        self.with_extension("next".to_owned())
    }

    fn with_extension(self, stem: String) -> String {
        match self.extension() {
            Some(extension) => format!("{stem}.{extension}"),
            None => stem,
        }
    }

    /// What is written for `formats`: those, and the manifest in any case; each once, in the order of publication.
    pub fn written(formats: &[Self]) -> impl Iterator<Item = Self> + '_ {
        Self::ALL.into_iter().filter(|format| *format == Self::Csv || formats.contains(format))
    }
}

/// What stands in the folder after [`publish_epoch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Every file (and the tree's folder) with its SHA-256 digest in hexadecimal. The tree's digest is taken over its
    /// links' names and targets.
    pub files: Vec<(PathBuf, String)>,
}

impl Published {
    /// The names within the lists folder and the digests, as the ledger keeps them.
    pub fn names(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.files.iter().map(|(path, digest)| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (name, digest.clone())
        })
    }
}

/// Class names for a pool that has only numbers: padded so that sorting them, as ImageFolder does, keeps the order of
/// the labels. `numbered_classes(11)` begins with `00` and ends with `10`.
pub fn numbered_classes(count: u32) -> Vec<String> {
    let width = count.saturating_sub(1).to_string().len();
    (0..count).map(|label| format!("{label:0width$}")).collect()
}
