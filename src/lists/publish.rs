//! Publishing an epoch's list.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::rows::each;
use super::{Format, ListError, Published, Rows, render, tree};
use crate::digest::{self, DigestingWriter};
use crate::files;

/// Writes the list of `epoch` into `folder` (made if missing): the manifest, and a file of every other format asked for.
///
/// Nothing is written before every row has been found fit for every format. Publishing the same rows again is fine, and
/// is what happens after a crash; other rows under the same epoch are refused with [`ListError::Immutable`].
/// `class_names` (label by label) name the folders of a tree and are not looked at otherwise; see
/// [`numbered_classes`](super::numbered_classes).
pub fn publish_epoch(
    folder: &Path,
    epoch: u32,
    formats: &[Format],
    class_names: &[String],
    rows: &dyn Rows,
) -> Result<Published, ListError> {
    let list = |format: Format| folder.join(format.epoch_name(epoch));
    if formats.contains(&Format::Tree) {
        tree::check_class_names(&list(Format::Tree), class_names)?;
    }
    each(rows, |_, row| {
        Format::written(formats).try_for_each(|format| {
            let problem = match format {
                Format::Tree => tree::problem(row, class_names),
                _ => None,
            };
            problem.or_else(|| render::problem(format, row)).map_or(Ok(()), |problem| {
                Err(ListError::Row { list: list(format), path: row.path.to_owned(), problem })
            })
        })
    })?;
    let mut published = Published { files: Vec::new() };
    for format in Format::written(formats) {
        let path = list(format);
        let digest = match format {
            Format::Tree => tree::publish(&path, class_names, rows)?,
            _ => publish_file(&path, format, rows)?,
        };
        published.files.push((path, digest));
    }
    Ok(published)
}

/// Removes every file of an epoch's list, of whatever format. For lists that never became true; what was published stays.
pub fn withdraw(folder: &Path, epoch: u32) -> Result<(), ListError> {
    for format in Format::ALL {
        let path = folder.join(format.epoch_name(epoch));
        let removed = if format == Format::Tree { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ListError::Io { path, action: "cannot be removed", source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

fn publish_file(path: &Path, format: Format, rows: &dyn Rows) -> Result<String, ListError> {
    let mut digest = String::new();
    if let Some(standing) = standing_digest(path)? {
        let mut writer = DigestingWriter::new(io::sink());
        render::render(format, rows, &mut writer).map_err(ListError::io(path, "cannot be prepared"))?;
        digest = writer.finish();
        return if standing == digest { Ok(digest) } else { Err(ListError::Immutable { path: path.to_owned() }) };
    }
    files::publish(path, |file| {
        let mut writer = DigestingWriter::new(file);
        render::render(format, rows, &mut writer)?;
        digest = writer.finish();
        Ok(())
    })?;
    Ok(digest)
}

/// The digest of the file that stands at `path`, if any does.
fn standing_digest(path: &Path) -> Result<Option<String>, ListError> {
    match digest::of_file(path) {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => Ok(None),
        Err(source) => Err(ListError::Io { path: PathBuf::from(path), action: "cannot be read", source }),
    }
}
