//! One listing of the folder: what is named like a checkpoint, and what is not.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

use super::{Candidate, FileState, Identity, Pattern, WatchError};
use crate::ledger::SCORES_ENDING;

/// How unfinished files of other programs end; they are passed over in silence.
const TEMPORARY_ENDINGS: [&str; 6] = [".tmp", ".temp", ".part", ".partial", ".swp", "~"];
const MARKER: &str = ".done";
const DATA: &str = ".data";

pub(super) struct Found {
    pub(super) name: OsString,
    pub(super) data_name: Option<OsString>,
    pub(super) candidate: Candidate,
    /// A `.done` marker stands beside it that is not older than the files it speaks of.
    pub(super) marked: bool,
}

#[derive(Default)]
pub(super) struct Listing {
    /// Newest first; of several names for one epoch the four-digit one first.
    pub(super) found: Vec<Found>,
    /// Names that follow no rule, in order.
    pub(super) strangers: Vec<OsString>,
}

/// Lists what is there from the wanted epoch on. A folder that is not there is empty.
pub(super) fn list(folder: &Path, pattern: &Pattern, wanted: u32) -> Result<Listing, WatchError> {
    let fail = |source| WatchError::List { folder: folder.to_owned(), source };
    let mut names = BTreeSet::new();
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
        Err(error) => return Err(fail(error)),
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(fail)?;
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    names.insert(entry.file_name());
                }
            }
        }
    }
    let mut listing = Listing::default();
    for name in &names {
        match pattern.epoch_of(name) {
            Some(epoch) if epoch >= wanted => listing.found.extend(examine(folder, name, epoch, &names)),
            Some(_) => {}
            None if is_silent(name, pattern) => {}
            None => listing.strangers.push(name.clone()),
        }
    }
    let rank = |found: &Found| {
        let epoch = found.candidate.epoch;
        (std::cmp::Reverse(epoch), found.name != OsStr::new(&pattern.name(epoch)))
    };
    // Stable, so that the rest of the order is by name.
    listing.found.sort_by_key(rank);
    Ok(listing)
}

/// The name of the file that belongs to `name` and ends in `ending`.
pub(super) fn companion(name: &OsStr, ending: &str) -> OsString {
    let mut companion = name.to_owned();
    companion.push(ending);
    companion
}

/// The marker that says that `name` is complete.
pub(super) fn marker_of(name: &OsStr) -> OsString {
    companion(name, MARKER)
}

fn examine(folder: &Path, name: &OsStr, epoch: u32, names: &BTreeSet<OsString>) -> Option<Found> {
    // A file may vanish between the listing and here, and a link may lead nowhere: then it is simply not there.
    let state = |name: &OsStr| {
        let metadata = folder.join(name).metadata().ok()?;
        metadata.is_file().then(|| FileState::of(&metadata))
    };
    let beside = |ending: &str| {
        let companion = companion(name, ending);
        if names.contains(&companion) { state(&companion).map(|state| (companion, state)) } else { None }
    };
    let graph = state(name)?;
    let data = beside(DATA);
    let written = data.as_ref().map_or(graph.modified(), |(_, data)| data.modified().max(graph.modified()));
    let marked = beside(MARKER).is_some_and(|(_, marker)| marker.modified() >= written);
    let candidate = Candidate {
        epoch,
        path: folder.join(name),
        data: data.as_ref().map(|(name, _)| folder.join(name)),
        identity: Identity { graph, data: data.as_ref().map(|(_, state)| *state) },
    };
    Some(Found { name: name.to_owned(), data_name: data.map(|(name, _)| name), candidate, marked })
}

/// Whether a name outside the pattern needs no word: hidden, temporary, scores, or a companion of a checkpoint.
fn is_silent(name: &OsStr, pattern: &Pattern) -> bool {
    let text = name.to_string_lossy();
    let of_a_checkpoint = [MARKER, DATA].iter().any(|ending| {
        text.strip_suffix(ending).is_some_and(|checkpoint| pattern.epoch_of(OsStr::new(checkpoint)).is_some())
    });
    let is_scores = text.ends_with(SCORES_ENDING);
    text.starts_with('.')
        || is_scores
        || of_a_checkpoint
        || TEMPORARY_ENDINGS.iter().any(|ending| text.ends_with(ending))
}
