//! Which image of the pool is meant.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use rayon::prelude::*;

use crate::pool::Pool;

/// How many of the names that begin and end most alike are compared letter by letter, and how many are told.
const COMPARED: usize = 200;
const TOLD: usize = 3;
/// Comparing is quadratic in the lengths; of longer names only begin and end count.
const LONGEST_COMPARED: usize = 1000;

/// The sample of a path (as it is listed, absolute, or from the current folder) or of a number, as `#1234`.
///
/// Errors: there is none; the message names those that are nearest.
pub(super) fn find(pool: &Pool, image: &Path) -> anyhow::Result<u32> {
    let written = image.as_os_str().as_bytes();
    if let Some(digits) = written.strip_prefix(b"#").filter(|digits| is_number(digits)) {
        let number = String::from_utf8_lossy(digits);
        return match number.parse::<u32>() {
            Ok(id) if id < pool.len() => Ok(id),
            _ => bail!(
                "#{number}: the pool {} has {} images; name one from #0 to #{}",
                pool.source().display(),
                pool.len(),
                pool.len().saturating_sub(1)
            ),
        };
    }
    if let Some(id) = listed(pool, &[written.to_vec()]).or_else(|| elsewhere(pool, image)) {
        return Ok(id);
    }
    let near: Vec<String> = nearest(pool, written).into_iter().map(|name| format!("`{name}`")).collect();
    bail!(
        "{}: is not in the pool {}; the nearest names there are {}",
        image.display(),
        pool.source().display(),
        near.join(", ")
    )
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The first sample that is listed under one of these names.
fn listed(pool: &Pool, names: &[Vec<u8>]) -> Option<u32> {
    (0..pool.len()).into_par_iter().find_first(|&id| names.iter().any(|name| name == pool.listed(id)))
}

/// The sample whose file a path leads to from the current folder, or from the root.
fn elsewhere(pool: &Pool, image: &Path) -> Option<u32> {
    let places: Vec<PathBuf> =
        [std::path::absolute(image).map(|path| plain(&path)), fs::canonicalize(image)].into_iter().flatten().collect();
    let roots: Vec<PathBuf> =
        [Some(plain(pool.root())), fs::canonicalize(pool.root()).ok()].into_iter().flatten().collect();
    let below = places.iter().flat_map(|place| roots.iter().filter_map(|root| place.strip_prefix(root).ok()));
    let names = places.iter().map(PathBuf::as_path).chain(below);
    let names: Vec<Vec<u8>> = names.map(|name| name.as_os_str().as_bytes().to_vec()).collect();
    let detour = |id: u32| {
        let name = pool.listed(id);
        let winds = name.starts_with(b".") || name.windows(2).any(|pair| pair == b"/." || pair == b"//");
        winds && places.contains(&plain(&pool.path(id)))
    };
    listed(pool, &names).or_else(|| (0..pool.len()).into_par_iter().find_first(|&id| detour(id)))
}

/// A path without detours, by its words alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            _ => plain.push(part),
        }
    }
    plain
}

/// The listed names that are most like this one, the likest first.
fn nearest<'a>(pool: &'a Pool, written: &[u8]) -> Vec<Cow<'a, str>> {
    let mut ids: Vec<(Reverse<usize>, u32)> =
        (0..pool.len()).into_par_iter().map(|id| (Reverse(alike(written, pool.listed(id))), id)).collect();
    if ids.len() > COMPARED {
        ids.select_nth_unstable(COMPARED);
        ids.truncate(COMPARED);
    }
    let written = String::from_utf8_lossy(written);
    let mut near: Vec<_> = (ids.into_iter())
        .map(|(alike, id)| {
            let name = String::from_utf8_lossy(pool.listed(id));
            let short = name.len().max(written.len()) <= LONGEST_COMPARED;
            let distance = if short { strsim::damerau_levenshtein(&written, &name) } else { usize::MAX };
            (distance, alike, id, name)
        })
        .collect();
    near.sort();
    near.into_iter().take(TOLD).map(|(.., name)| name).collect()
}

/// How many bytes two names have in common at the begin and at the end.
fn alike(a: &[u8], b: &[u8]) -> usize {
    let begin = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    (begin + end).min(a.len()).min(b.len())
}
