//! Reading a list of `path label` lines in one pass.
//!
//! The bytes of the file become the arena: each path is moved down over what came before it, so that the paths are
//! held once, also while they are read.

use super::arena::{Arena, LONGEST_PATH};
use super::error::{Faults, PoolError};
use super::{Pool, SampleId, absolute};
use crate::systemd;
use rayon::prelude::*;
use std::hash::Hasher;
use std::ops::Range;
use std::path::Path;

/// Labels end below this, so that 1 + the highest still is a number of classes.
const LABELS_END: u64 = u32::MAX as u64;

/// Makes a pool of the bytes of a list, with at most `limit` samples.
pub(super) fn load(source: &Path, bytes: Vec<u8>, limit: u32) -> Result<Pool, PoolError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(PoolError::Encoding { path: source.to_owned() });
    }
    let source_folder = absolute(source)?;
    let root = source_folder.parent().unwrap_or(&source_folder).to_owned();
    let mut pool = Pool {
        source: source.to_owned(),
        root,
        arena: Arena::over(bytes),
        labels: Vec::new(),
        classes: 0,
        names: None,
        blanks: Vec::new(),
    };
    let mut faults = Faults::default();
    take_lines(&mut pool, limit, &mut faults)?;
    faults.into_result(source)?;
    if pool.is_empty() {
        return Err(PoolError::Empty { path: source.to_owned() });
    }
    let mut faults = Faults::default();
    find_duplicates(&pool, &mut faults);
    faults.into_result(source)?;
    pool.classes = pool.labels.iter().max().map_or(0, |highest| highest + 1);
    Ok(pool)
}

fn take_lines(pool: &mut Pool, limit: u32, faults: &mut Faults) -> Result<(), PoolError> {
    let mut next = if pool.arena.bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let (mut line, mut blank) = (0_u64, 0_u64);
    while let Some(rest) = pool.arena.bytes.get(next..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let here = next..next + length;
        next = here.end + 1;
        line += 1;
        systemd::alive();
        let (path, label) = match split(&pool.arena.bytes, here) {
            Ok(Some(sample)) => sample,
            Ok(None) => {
                blank += 1;
                let first = pool.len();
                match pool.blanks.last_mut().filter(|(sample, _)| *sample == first) {
                    Some(run) => run.1 = blank,
                    None => pool.blanks.push((first, blank)),
                }
                continue;
            }
            Err(message) => {
                faults.add(line, || message);
                continue;
            }
        };
        if pool.len() >= limit {
            return Err(PoolError::TooMany { path: pool.source.clone(), limit });
        }
        let (length, end) = (path.len(), pool.arena.filled());
        pool.arena.bytes.copy_within(path, end);
        pool.arena.note(length);
        pool.labels.push(label);
    }
    pool.arena.shrink();
    pool.labels.shrink_to_fit();
    Ok(())
}

/// Where in `bytes` the path of a line lies, and its label; none for a blank line.
fn split(bytes: &[u8], line: Range<usize>) -> Result<Option<(Range<usize>, u32)>, String> {
    let text = bytes.get(line.clone()).unwrap_or_default();
    let from = line.start + (text.len() - text.trim_ascii_start().len());
    let text = text.trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    let (path, label) = match text.iter().rposition(|byte| matches!(byte, b' ' | b'\t')) {
        Some(at) => (text.get(..at).unwrap_or_default().trim_ascii_end(), text.get(at + 1..).unwrap_or_default()),
        None => {
            let shown = show(text);
            return Err(format!(
                "`{shown}` is one word, not a path and a label; write `path label` with a blank between"
            ));
        }
    };
    if path.len() > LONGEST_PATH {
        return Err(format!(
            "the path has {} bytes, and no system opens one of more than {LONGEST_PATH}; is this a list of paths?",
            path.len()
        ));
    }
    if path.contains(&0) {
        return Err("there is a zero byte in the path; is this a text file?".to_owned());
    }
    Ok(Some((from..from + path.len(), number(label)?)))
}

/// A label, read by hand: this runs for every line of ten million.
fn number(text: &[u8]) -> Result<u32, String> {
    let mut label = 0_u64;
    for byte in text {
        if !byte.is_ascii_digit() {
            let shown = show(text);
            let remedy = "end the line with a whole number from 0";
            return Err(
                match text
                    .strip_prefix(b"-")
                    .is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
                {
                    true => format!("label `{shown}` is negative; {remedy}"),
                    false => format!("label `{shown}` is not a whole number; {remedy}"),
                },
            );
        }
        label = label.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    }
    match u32::try_from(label) {
        Ok(small) if label < LABELS_END => Ok(small),
        _ => Err(format!("label `{}` is larger than any label; end the line with a whole number from 0", show(text))),
    }
}

fn show(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let short: String = text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(60).is_some() { format!("{short}...") } else { short }
}

/// Names the lines whose path stands in an earlier line.
///
/// Sorting pairs of a 64-bit hash and an id costs 16 bytes a sample for a moment, and walks memory in order; paths are
/// compared only where hashes are equal.
fn find_duplicates(pool: &Pool, faults: &mut Faults) {
    let mut keys: Vec<(u64, SampleId)> =
        (0..pool.len()).into_par_iter().map(|id| (hash(pool.listed(id)), id)).collect();
    keys.par_sort_unstable();
    let mut twice: Vec<(SampleId, SampleId)> = Vec::new();
    for group in keys.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
        let mut ids: Vec<_> = group.iter().map(|(_, id)| *id).collect();
        ids.sort_by(|a, b| pool.listed(*a).cmp(pool.listed(*b)).then(a.cmp(b)));
        for same in ids.chunk_by(|a, b| pool.listed(*a) == pool.listed(*b)) {
            let Some((first, others)) = same.split_first() else { continue };
            twice.extend(others.iter().map(|other| (*other, *first)));
        }
    }
    twice.sort_unstable();
    let line = |id| pool.line(id).unwrap_or_default();
    for (id, first) in twice {
        faults.add(line(id), || {
            let same = if pool.label(id) == pool.label(first) { "" } else { " with another label" };
            format!(
                "`{}` stands in line {} already{same}; keep one of the two lines",
                show(pool.listed(id)),
                line(first)
            )
        });
    }
}

fn hash(path: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(path);
    hasher.finish()
}
