//! A list as a folder a class, of symbolic links to the images.
//!
//! ImageFolder and timm number the classes by sorting the folders' names, so every class of the pool gets its folder,
//! also one that has no image on this list: without it all later classes would move down by one, silently in timm.
//! (torchvision refuses empty folders unless told `allow_empty=True`; that is loud, and right.)

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::rows::each;
use super::{ListError, Row, Rows};
use crate::digest;
use crate::files;

/// The longest file name that Linux file systems take, in bytes.
const LONGEST_NAME: usize = 255;

/// Refuses class names that cannot be folder names, or whose sorted order is not the order of the labels.
pub(super) fn check_class_names(list: &Path, class_names: &[String]) -> Result<(), ListError> {
    let mut before: Option<&String> = None;
    for (label, name) in class_names.iter().enumerate() {
        let problem = if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            Some("cannot be a folder's name; rename the class")
        } else if name.len() > LONGEST_NAME {
            Some("is too long for a folder's name; shorten it to 255 bytes")
        } else if before.is_some_and(|before| before >= name) {
            Some("does not sort after the class before it, so that a trainer would number the classes otherwise")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(ListError::ClassName { list: list.to_owned(), label, name: name.clone(), problem });
        }
        before = Some(name);
    }
    Ok(())
}

/// Why a row cannot stand in a tree, or `None` if it can.
pub(super) fn problem(row: &Row<'_>, class_names: &[String]) -> Option<String> {
    let path = Path::new(row.path);
    if !path.is_absolute() {
        Some("a link needs an absolute path; set lists.paths: absolute, or leave out the format tree".to_owned())
    } else if path.file_name().is_none() {
        Some("its path does not end with a file's name".to_owned())
    } else if class_name(row, class_names).is_none() {
        Some(format!("its label {} is outside the {} classes; correct the pool's list", row.label, class_names.len()))
    } else {
        None
    }
}

/// Publishes the tree at `path` and returns the digest of its links. Rows and names must have been found fit.
pub(super) fn publish(path: &Path, class_names: &[String], rows: &dyn Rows) -> Result<String, ListError> {
    let links = links(class_names, rows);
    let wanted = digest_of(class_names.iter().map(OsString::from).collect(), &links);
    if path.symlink_metadata().is_ok() {
        let standing = digest_of_standing(path).map_err(ListError::io(path, "cannot be read as a tree of links"))?;
        return if standing == wanted { Ok(wanted) } else { Err(ListError::Immutable { path: path.to_owned() }) };
    }
    let temporary = files::temporary_beside(path);
    let outcome = build(&temporary, class_names, &links).and_then(|()| fs::rename(&temporary, path)).and_then(|()| {
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => files::sync_folder(folder),
            _ => files::sync_folder(Path::new(".")),
        }
    });
    outcome.map_err(|source| {
        // The first error is the one to report; a leftover is swept away at the next start.
        let _ = fs::remove_dir_all(&temporary);
        ListError::Io { path: path.to_owned(), action: "cannot be written", source }
    })?;
    Ok(wanted)
}

/// A link's place below the tree, and what it points at.
type Link = (PathBuf, OsString);

/// The links in the order of their places, so that digests do not depend on how a folder lists them.
fn links(class_names: &[String], rows: &dyn Rows) -> Vec<Link> {
    // The order in front makes names unique, and keeps the list's order where a trainer sorts by name.
    let width = rows.count().saturating_sub(1).to_string().len();
    let link = |order: usize, row: &Row<'_>| {
        let name = link_name(format!("{order:0width$}-"), Path::new(row.path).file_name()?);
        Some((Path::new(class_name(row, class_names)?).join(name), row.path.to_owned()))
    };
    let mut links = Vec::new();
    let Ok(()) = each::<Infallible>(rows, |order, row| {
        links.extend(link(order, row));
        Ok(())
    });
    links.sort();
    links
}

fn class_name<'n>(row: &Row<'_>, class_names: &'n [String]) -> Option<&'n String> {
    class_names.get(usize::try_from(row.label).ok()?)
}

/// Prefix and name, the name cut at its front where both are too long: its end carries the extension.
fn link_name(prefix: String, name: &OsStr) -> OsString {
    let mut bytes = prefix.into_bytes();
    let name = name.as_bytes();
    let room = LONGEST_NAME.saturating_sub(bytes.len());
    bytes.extend_from_slice(name.get(name.len().saturating_sub(room)..).unwrap_or(name));
    OsString::from_vec(bytes)
}

fn build(temporary: &Path, class_names: &[String], links: &[Link]) -> io::Result<()> {
    match fs::remove_dir_all(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(temporary)?,
    }
    for name in class_names {
        fs::create_dir(temporary.join(name))?;
    }
    for (place, target) in links {
        symlink(target, temporary.join(place))?;
    }
    for name in class_names {
        files::sync_folder(&temporary.join(name))?;
    }
    files::sync_folder(temporary)
}

fn digest_of(mut class_names: Vec<OsString>, links: &[Link]) -> String {
    class_names.sort();
    let mut text = Vec::new();
    // A zero byte occurs in no path, so no two trees give the same text.
    for name in class_names {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"\0\0");
    }
    for (place, target) in links {
        text.extend_from_slice(place.as_os_str().as_bytes());
        text.push(0);
        text.extend_from_slice(target.as_bytes());
        text.push(0);
    }
    digest::of_bytes(&text)
}

fn digest_of_standing(path: &Path) -> io::Result<String> {
    let mut class_names = Vec::new();
    let mut standing = Vec::new();
    for class in fs::read_dir(path)? {
        let class = class?;
        class_names.push(class.file_name());
        for link in fs::read_dir(class.path())? {
            let link = link?;
            let place = Path::new(&class.file_name()).join(link.file_name());
            standing.push((place, fs::read_link(link.path())?.into_os_string()));
        }
    }
    standing.sort();
    Ok(digest_of(class_names, &standing))
}
