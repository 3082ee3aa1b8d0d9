//! Near-duplicates of the pool: images that are so alike that one stands for the other.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::files::{self, PublishError};
use crate::pool::Pool;

/// The name of the list in the folder of the lists.
pub const LIST_FILE: &str = "duplicates.csv";
/// Its columns.
pub const HEADER: [&str; 7] = ["path", "label", "kept_path", "kept_label", "distance", "epoch", "thinned"];

/// An image, and another one that is nearly the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duplicate {
    /// The image's number in the pool.
    pub sample: u32,
    /// The number of the image that stands for it.
    pub kept: u32,
    /// How far apart they were to the model, as a share of the radius of the clusters.
    pub distance: f32,
    /// The epoch whose model found it.
    pub epoch: u32,
}

/// All that are known.
#[derive(Clone, Debug, Default)]
pub struct Duplicates(HashMap<u32, Duplicate>);

impl Extend<Duplicate> for Duplicates {
    fn extend<I: IntoIterator<Item = Duplicate>>(&mut self, duplicates: I) {
        for duplicate in duplicates {
            if self.takes(&duplicate) {
                self.0.insert(duplicate.sample, duplicate);
            }
        }
    }
}

impl Duplicates {
    /// Whether a pair is news, and fits: of an image the first one found stands for it, and nobody stands for itself by way of
    /// others.
    pub fn takes(&self, duplicate: &Duplicate) -> bool {
        let mut at = duplicate.kept;
        // Nobody is met twice, as no circle was ever let in.
        while let Some(next) = self.of(at).filter(|_| at != duplicate.sample) {
            at = next.kept;
        }
        at != duplicate.sample && self.of(duplicate.sample).is_none()
    }

    /// The image that stands for this one, if there is one.
    pub fn of(&self, id: u32) -> Option<Duplicate> {
        self.0.get(&id).copied()
    }

    /// The image that this one is left out for: one with the same label. Where labels differ one of them is wrong, and
    /// nobody knows which.
    pub fn left_out_for(&self, pool: &Pool, id: u32) -> Option<u32> {
        self.of(id).map(|duplicate| duplicate.kept).filter(|&kept| pool.label(kept) == pool.label(id))
    }

    /// Whether none are known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by the number of the image that is left out.
    pub fn sorted(&self) -> Vec<Duplicate> {
        let mut all: Vec<Duplicate> = self.0.values().copied().collect();
        all.sort_unstable_by_key(|duplicate| duplicate.sample);
        all
    }
}

/// Writes the list of near-duplicates, atomically, in the pool's order: each image with the one that stands for it. `thinned`
/// is no where the two have different labels: one of these is wrong. `absolute`: paths are not as the pool's list has them.
///
/// # Errors
/// The file cannot be written; what stood there before is untouched.
pub fn publish(path: &Path, duplicates: &[Duplicate], pool: &Pool, absolute: bool) -> Result<(), PublishError> {
    files::publish(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(HEADER)?;
        for &Duplicate { sample, kept, distance, epoch } in duplicates {
            let same = pool.label(sample) == pool.label(kept);
            for (id, cells) in [(sample, vec![]), (kept, vec![format!("{distance:.4}"), epoch.to_string()])] {
                let path = absolute.then(|| pool.path(id));
                writer.write_field(path.as_ref().map_or(pool.listed(id), |path| path.as_os_str().as_bytes()))?;
                writer.write_field(pool.label(id).to_string())?;
                for cell in cells {
                    writer.write_field(cell)?;
                }
            }
            writer.write_record([if same { "yes" } else { "no" }])?;
        }
        writer.flush()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_stands_for_itself() {
        let pair = |sample, kept| Duplicate { sample, kept, distance: 0.01, epoch: 1 };
        let mut known = Duplicates::default();
        known.extend([pair(1, 2), pair(2, 3), pair(2, 1), pair(3, 1), pair(1, 9), pair(4, 1), pair(5, 5)]);
        assert_eq!(known.sorted(), [pair(1, 2), pair(2, 3), pair(4, 1)]);
        assert!(known.takes(&pair(3, 9)) && !known.takes(&pair(3, 4)) && !known.takes(&pair(1, 7)));
    }
}
