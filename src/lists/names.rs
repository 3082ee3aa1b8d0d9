//! Which paths a format can hold, asked before any list is written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::{Format, ListError};

/// What separates lines for some reader of text, beside the line break: Python's `splitlines` takes all of these.
const SEPARATORS: [&[u8]; 8] =
    [b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9"];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// So many paths are named in an error.
const NAMED: usize = 20;

/// Why a path cannot stand in a file of this format, or `None` if it reads back as it is.
pub(super) fn problem(format: Format, path: &OsStr) -> Option<String> {
    let bytes = path.as_bytes();
    // This runs for every row of a list.
    if is_plain(bytes) {
        return None;
    }
    if bytes.is_empty() {
        return Some("the path is empty".to_owned());
    }
    let reason = match format {
        Format::Txt | Format::Paths => in_lines(bytes).map(|reason| (reason, "the formats txt and paths")),
        Format::Jsonl => {
            path.to_str().is_none().then_some(("its path is not UTF-8, and JSON holds nothing else", "jsonl"))
        }
        Format::Csv | Format::Tree => None,
    };
    reason.map(|(reason, formats)| format!("{reason}; rename the file, or leave out {formats}"))
}

fn in_lines(bytes: &[u8]) -> Option<&'static str> {
    let has = |separator: &[u8]| bytes.windows(separator.len()).any(|part| part == separator);
    if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')) || SEPARATORS.into_iter().any(has) {
        Some("its path contains a line break")
    } else if bytes.trim_ascii() != bytes {
        Some("its path begins or ends with a blank, which readers of lines take away")
    } else if bytes.starts_with(BYTE_ORDER_MARK) {
        Some("its path begins with a byte order mark, which readers of text take away")
    } else {
        None
    }
}

/// Whether every format holds a path, which most paths are: printable ASCII.
pub fn is_plain(path: &[u8]) -> bool {
    path.iter().all(|byte| matches!(byte, b' '..=b'~')) && path.trim_ascii() == path && !path.is_empty()
}

/// Refuses paths that one of the formats, or the manifest, cannot hold.
///
/// # Errors
/// [`ListError::Names`], with the first twenty of them.
pub fn check_names(formats: &[Format], paths: impl Iterator<Item = impl AsRef<OsStr>>) -> Result<(), ListError> {
    let (mut count, mut named) = (0, Vec::new());
    for path in paths {
        let path = path.as_ref();
        if let Some(problem) = Format::written(formats).find_map(|format| problem(format, path)) {
            count += 1;
            if named.len() < NAMED {
                named.push(format!("{path:?}: {problem}"));
            }
        }
    }
    if count == 0 { Ok(()) } else { Err(ListError::Names { count, named }) }
}
