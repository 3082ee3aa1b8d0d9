//! Paths as bytes and back: on Unix they are any bytes, elsewhere they are taken as UTF-8.

use std::borrow::Cow;
use std::path::Path;
#[cfg(not(unix))]
use std::path::PathBuf;

/// The bytes of a path.
#[cfg(unix)]
pub(super) fn bytes_of(path: &Path) -> Cow<'_, [u8]> {
    use std::os::unix::ffi::OsStrExt;
    Cow::Borrowed(path.as_os_str().as_bytes())
}

/// The path of bytes.
#[cfg(unix)]
pub(super) fn path_of(bytes: &[u8]) -> Cow<'_, Path> {
    use std::os::unix::ffi::OsStrExt;
    Cow::Borrowed(Path::new(std::ffi::OsStr::from_bytes(bytes)))
}

/// The bytes of a path.
#[cfg(not(unix))]
pub(super) fn bytes_of(path: &Path) -> Cow<'_, [u8]> {
    Cow::Owned(path.to_string_lossy().into_owned().into_bytes())
}

/// The path of bytes.
#[cfg(not(unix))]
pub(super) fn path_of(bytes: &[u8]) -> Cow<'_, Path> {
    Cow::Owned(PathBuf::from(String::from_utf8_lossy(bytes).into_owned()))
}
