//! Symbolic links that lead out of the pool.

use super::error::Faults;
use super::paths::{bytes_of, path_of};
use super::{Pool, PoolError};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What is known of a folder in which images lie.
enum Folder {
    /// It is inside the pool; these of its entries are links.
    Inside(HashSet<Vec<u8>>),
    /// It is outside, namely there.
    Outside(PathBuf),
    /// It is not there, or cannot be listed: who opens its images will be told.
    Unknown,
}

impl Pool {
    /// Whether every image lies inside of the pool's own folder, that of the classes or that of the list, wherever symbolic
    /// links lead.
    ///
    /// What a list says openly is its own word: a path that is absolute, or that begins with `..`, is not looked at. Of each
    /// folder only the names are read, not the images.
    ///
    /// # Errors
    /// The images that lie outside, or that the pool's own folder cannot be found.
    pub fn check_links(&self) -> Result<(), PoolError> {
        let unreadable = |source| PoolError::Unreadable { path: self.root.clone(), source };
        let inside = fs::canonicalize(&self.root).map_err(unreadable)?;
        let mut folders: HashMap<&[u8], Folder> = HashMap::new();
        let mut faults = Faults::default();
        for id in 0..self.len() {
            let listed = self.listed(id);
            if is_open(&path_of(listed)) {
                continue;
            }
            let end = listed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
            let (parent, name) = listed.split_at(end);
            let outside = match folders.entry(parent).or_insert_with(|| look(&self.root.join(path_of(parent)), &inside))
            {
                Folder::Outside(place) => Some(place.join(path_of(name))),
                Folder::Inside(links) if links.contains(name) => {
                    fs::canonicalize(self.path(id)).ok().filter(|place| !place.starts_with(&inside))
                }
                Folder::Inside(_) | Folder::Unknown => None,
            };
            if let Some(place) = outside {
                faults.add(self.line(id).unwrap_or_default(), || {
                    format!(
                        "`{}` lies at {} by a symbolic link, outside of {}; put the image itself there, or allow such links \
                         by pool.links: anywhere",
                        path_of(listed).display(),
                        place.display(),
                        inside.display()
                    )
                });
            }
        }
        faults.into_result(&self.source)
    }
}

/// Whether a path says itself that it may be elsewhere.
fn is_open(listed: &Path) -> bool {
    let first = listed.components().find(|part| *part != Component::CurDir);
    matches!(first, Some(Component::RootDir | Component::ParentDir))
}

/// Where a folder truly is, and which of its entries are links.
fn look(folder: &Path, inside: &Path) -> Folder {
    let Ok(place) = fs::canonicalize(folder) else { return Folder::Unknown };
    if !place.starts_with(inside) {
        return Folder::Outside(place);
    }
    let Ok(entries) = fs::read_dir(&place) else { return Folder::Unknown };
    let is_link = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
    let names = entries.flatten().filter(is_link).map(|entry| bytes_of(Path::new(&entry.file_name())).into_owned());
    Folder::Inside(names.collect())
}
