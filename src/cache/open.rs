//! Finding the file of a preprocessing, or making it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use super::error::CacheError;
use super::layout::{Key, Layout};
use crate::files::TEMPORARY_PREFIX;

/// How the name of a cache file ends.
pub(super) const ENDING: &str = ".pixels";

/// How often another process that is just making the file is waited for.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// A cache file that is as it should be.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) layout: Layout,
    pub(super) writable: bool,
}

/// What is to be found, or made.
pub(super) struct Wanted<'a> {
    pub(super) path: &'a Path,
    pub(super) key: &'a Key,
    pub(super) image: u64,
    /// The measures of a new file; without them nothing is made.
    pub(super) new: Option<Layout>,
    /// Slots that an old file must have to be kept.
    pub(super) slots: u64,
    pub(super) max_bytes: u64,
}

enum Found {
    Good(Opened),
    /// There is a file, and it is not what is wanted.
    Unfit(File),
    Nothing,
}

impl Wanted<'_> {
    /// Opens the file; makes it, or takes another's place with it, if that is asked for. None if there is no good file
    /// and none is to be made.
    pub(super) fn open(&self) -> Result<Option<Opened>, CacheError> {
        for _ in 0..TRIES {
            let old = match self.find().map_err(CacheError::system(self.path, "cannot be opened"))? {
                Found::Good(opened) => {
                    // For whoever looks which cache was used last.
                    let _ = opened.file.set_modified(SystemTime::now());
                    return Ok(Some(opened));
                }
                Found::Unfit(file) => Some(file),
                Found::Nothing => None,
            };
            let Some(layout) = self.new else { return Ok(None) };
            if let Some(made) = self.make(layout, old).map_err(CacheError::system(self.path, "cannot be made"))? {
                return Ok(Some(made));
            }
            thread::sleep(PAUSE);
        }
        Err(CacheError::Busy(self.path.to_owned()))
    }

    fn find(&self) -> io::Result<Found> {
        let open = |writable| OpenOptions::new().read(true).write(writable).open(self.path);
        let (file, writable) = match open(true) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                (open(false)?, false)
            }
            Err(error) => return Err(error),
        };
        let mut header = vec![0; Layout::header_bytes()];
        match file.read_exact_at(&mut header, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Found::Unfit(file)),
            Err(error) => return Err(error),
        }
        let length = file.metadata()?.len();
        let whole = Layout::read(&header, self.key, self.image).filter(|layout| layout.length == length);
        Ok(match whole {
            Some(layout) if self.fits(&layout) => Found::Good(Opened { file, layout, writable }),
            _ => Found::Unfit(file),
        })
    }

    fn fits(&self, found: &Layout) -> bool {
        self.new.is_none() || (found.slots >= self.slots && found.length <= self.max_bytes)
    }

    /// Makes the file under another name and gives it its own when it is whole: nobody sees half of one, and who still
    /// uses the old file keeps it. None if another process was faster.
    fn make(&self, layout: Layout, old: Option<File>) -> io::Result<Option<Opened>> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        if let Some(old) = &old {
            match old.try_lock() {
                Ok(()) if is_still(self.path, old) => {}
                Ok(()) | Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(folder)?;
        // By this lock a file that is being made is told from one whose process has died. Where it cannot be had the file
        // may be taken away meanwhile, and is made once more.
        let _ = temporary.as_file().try_lock();
        temporary.as_file().set_len(layout.length)?;
        // The table takes its place on the disk now: on a tmpfs that is full, to read a hole through a map is fatal.
        let nothing = vec![0; 1 << 20];
        let mut offset = 0;
        while offset < layout.first {
            let length = usize::try_from(layout.first - offset).unwrap_or(usize::MAX).min(nothing.len());
            temporary.as_file().write_all_at(nothing.get(..length).unwrap_or_default(), offset)?;
            offset += length as u64;
        }
        temporary.as_file().write_all_at(&layout.header(self.key), 0)?;
        let placed = match old {
            Some(_) => temporary.persist(self.path),
            None => temporary.persist_noclobber(self.path),
        };
        match placed {
            Ok(file) => {
                let _ = file.unlock();
                Ok(Some(Opened { file, layout, writable: true }))
            }
            Err(failed) if matches!(failed.error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Ok(None),
            Err(failed) => Err(failed.error),
        }
    }
}

/// Whether the path of an open file still names it.
fn is_still(path: &Path, file: &File) -> bool {
    let named = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let there = fs::metadata(path).map(named);
    there.is_ok_and(|there| file.metadata().is_ok_and(|here| named(here) == there))
}

/// Whether nobody is making this file any more: a process that was killed lets go of its lock.
fn is_abandoned(temporary: &Path) -> bool {
    File::open(temporary).is_ok_and(|file| file.try_lock().is_ok())
}

/// Deletes temporary files of processes that died, and caches of other preprocessings, those first that were not used for
/// longest, until what all of them take on the disk leaves room for this one under the bound. A process that still uses
/// one keeps it until it ends.
pub(super) fn make_room(own: &Path, length: u64, max_bytes: u64) {
    let Some(entries) = own.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return };
    let mut others = Vec::new();
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(metadata) = entry.metadata() else { continue };
        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if name.starts_with(TEMPORARY_PREFIX) && is_abandoned(&path) {
            let _ = fs::remove_file(&path);
        }
        let key = name.strip_suffix(ENDING).unwrap_or_default();
        if metadata.is_file() && key.len() == size_of::<Key>() && Some(name.as_ref()) != own.file_name() {
            others.push((used, path, metadata.blocks().saturating_mul(512)));
        }
    }
    others.sort();
    let mut taken = others.iter().fold(length, |sum, (_, _, bytes)| sum.saturating_add(*bytes));
    for (_, path, bytes) in others {
        if taken <= max_bytes {
            break;
        }
        if fs::remove_file(path).is_ok() {
            taken -= bytes;
        }
    }
}
