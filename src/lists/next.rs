//! The stable names `next.txt`, `next.csv`, ..., which always stand for the newest list.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Format, ListError};
use crate::files;

/// Lets the stable names of `folder` stand for the published list of `epoch`.
///
/// Each name is replaced atomically, `next.txt` last; between the first and the last of them two names may stand for
/// different epochs, so a trainer that reads two files takes the epoch's own names. A stable name of a format that is no
/// longer asked for would stay behind for ever, and is removed. Doing it again does no harm.
pub fn point_next(folder: &Path, epoch: u32, formats: &[Format]) -> Result<(), ListError> {
    for format in Format::ALL {
        if !Format::written(formats).any(|written| written == format) {
            remove_stale(&folder.join(format.next_name()), format)?;
        }
    }
    for format in Format::written(formats) {
        let next = folder.join(format.next_name());
        let list = folder.join(format.epoch_name(epoch));
        match format {
            Format::Tree => swap_link(&list, &next)?,
            _ => replace_file(&list, &next)?,
        }
    }
    files::sync_folder(folder).map_err(ListError::io(folder, "cannot be flushed to the disk"))
}

/// A hard link costs nothing and survives the removal of either name; where there are none, the content is copied.
fn replace_file(list: &Path, next: &Path) -> Result<(), ListError> {
    let temporary = cleared_temporary(next)?;
    match fs::hard_link(list, &temporary) {
        Ok(()) => {
            fs::rename(&temporary, next).map_err(ListError::io(next, "cannot be replaced"))?;
            // A rename between two names of the same file does nothing and leaves both.
            remove_if_there(&temporary)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ListError::io(list, "cannot be read")(error)),
        Err(_) => copy(list, next),
    }
}

fn copy(list: &Path, next: &Path) -> Result<(), ListError> {
    let mut content = fs::File::open(list).map_err(ListError::io(list, "cannot be read"))?;
    files::publish(next, |file| io::copy(&mut content, file).and_then(|_| file.flush()))?;
    Ok(())
}

fn swap_link(list: &Path, next: &Path) -> Result<(), ListError> {
    list.metadata().map_err(ListError::io(list, "cannot be read"))?;
    if next.symlink_metadata().is_ok_and(|standing| !standing.is_symlink()) {
        return Err(ListError::NotALink { path: next.to_owned() });
    }
    let temporary = cleared_temporary(next)?;
    // Relative, so that the lists folder may be moved or mounted elsewhere.
    let target = list.file_name().unwrap_or_default();
    symlink(target, &temporary)
        .and_then(|()| fs::rename(&temporary, next))
        .map_err(ListError::io(next, "cannot be replaced"))
}

fn remove_stale(next: &Path, format: Format) -> Result<(), ListError> {
    match next.symlink_metadata() {
        Ok(standing) if format == Format::Tree && !standing.is_symlink() => Ok(()),
        Ok(_) => remove_if_there(next),
        Err(_) => Ok(()),
    }
}

fn cleared_temporary(next: &Path) -> Result<PathBuf, ListError> {
    let temporary = files::temporary_beside(next);
    remove_if_there(&temporary)?;
    Ok(temporary)
}

fn remove_if_there(path: &Path) -> Result<(), ListError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ListError::io(path, "cannot be removed")(error)),
        _ => Ok(()),
    }
}
