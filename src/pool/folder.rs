//! Reading a folder with a sub-folder for each class.

use super::arena::Arena;
use super::error::PoolError;
use super::paths::bytes_of;
use super::{Pool, absolute};
use crate::systemd;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How the names of images end, in small or capital letters.
pub const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "bmp", "gif"];

/// Makes a pool of a folder, with at most `limit` samples.
pub(super) fn load(source: &Path, limit: u32) -> Result<Pool, PoolError> {
    let root = absolute(source)?;
    let true_root = fs::canonicalize(&root).map_err(unreadable(&root))?;
    let classes: Vec<_> = entries(&root)?.into_iter().filter(|entry| entry.is_folder).collect();
    let too_many = || PoolError::TooMany { path: source.to_owned(), limit };
    let mut pool = Pool {
        source: source.to_owned(),
        root,
        arena: Arena::default(),
        labels: Vec::new(),
        classes: u32::try_from(classes.len()).map_err(|_| too_many())?,
        names: Some(classes.iter().map(|class| class.name().into_owned()).collect()),
        blanks: Vec::new(),
    };
    let mut empty = Vec::new();
    for (label, class) in (0..pool.classes).zip(&classes) {
        let mut images = Vec::new();
        walk(&class.path, &mut vec![true_root.clone()], &mut images)?;
        let mut listed: Vec<_> = images.iter().map(|path| bytes_of(below(path, &pool.root))).collect();
        listed.sort_unstable();
        if listed.is_empty() {
            empty.push(class.name().into_owned());
        }
        for path in listed {
            if pool.len() >= limit {
                return Err(too_many());
            }
            pool.arena.bytes.extend_from_slice(&path);
            pool.arena.note(path.len());
            pool.labels.push(label);
        }
    }
    if classes.is_empty() {
        return Err(PoolError::NoClasses { path: source.to_owned() });
    }
    if !empty.is_empty() {
        return Err(PoolError::EmptyClasses { path: source.to_owned(), names: empty });
    }
    pool.arena.shrink();
    pool.labels.shrink_to_fit();
    Ok(pool)
}

fn below<'a>(path: &'a Path, root: &Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

struct Found {
    path: PathBuf,
    is_folder: bool,
}

impl Found {
    fn name(&self) -> std::borrow::Cow<'_, str> {
        self.path.file_name().unwrap_or_default().to_string_lossy()
    }
}

/// What is in a folder, in the order of the names' bytes. Symbolic links are followed; one that leads nowhere is an
/// error only if its name is that of an image.
fn entries(folder: &Path) -> Result<Vec<Found>, PoolError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        systemd::alive();
        let entry = entry.map_err(unreadable(folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(unreadable(&path))?;
        let is_folder = match kind.is_symlink() {
            false => kind.is_dir(),
            true => match fs::metadata(&path) {
                Ok(target) => target.is_dir(),
                Err(_) if !is_image(&path) => continue,
                Err(error) => return Err(unreadable(&path)(error)),
            },
        };
        found.push(Found { path, is_folder });
    }
    found.sort_by(|a, b| bytes_of(&a.path).cmp(&bytes_of(&b.path)));
    Ok(found)
}

/// Collects the images below a folder. `above` are the true places of the folders that led here, so that a link back to
/// one of them is seen.
fn walk(folder: &Path, above: &mut Vec<PathBuf>, images: &mut Vec<PathBuf>) -> Result<(), PoolError> {
    let true_place = fs::canonicalize(folder).map_err(unreadable(folder))?;
    if above.contains(&true_place) {
        return Err(PoolError::Loop { path: folder.to_owned() });
    }
    above.push(true_place);
    for entry in entries(folder)? {
        if entry.is_folder {
            walk(&entry.path, above, images)?;
        } else if is_image(&entry.path) {
            if bytes_of(&entry.path).contains(&b'\n') {
                return Err(PoolError::LineBreak { path: entry.path });
            }
            images.push(entry.path);
        }
    }
    above.pop();
    Ok(())
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> PoolError {
    move |source| PoolError::Unreadable { path: path.to_owned(), source }
}
