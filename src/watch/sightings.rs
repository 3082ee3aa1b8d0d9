//! Since when each file has looked the way it looks now.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::identity::FileState;

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The clock that only goes forward: how long a file has been quiet is measured with it.
    pub monotonic: Instant,
    /// The clock that file times are written with; it may be set back or forth at any time.
    pub wall: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }
}

#[derive(Debug)]
struct Sighting {
    state: FileState,
    since: Instant,
    /// How long it had lain there untouched when we first looked.
    before: Duration,
    /// It came to its name by a rename.
    renamed: bool,
}

/// What is remembered of the files of one folder between two looks.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    files: BTreeMap<OsString, Sighting>,
    /// Renames that were heard of, but whose file has not been looked at since.
    renames: Vec<OsString>,
}

impl Sightings {
    pub(super) fn heard_of_rename(&mut self, name: OsString) {
        self.renames.push(name);
    }

    /// Notes how a file looks now. `first_look` says that nothing in the folder has been seen before.
    pub(super) fn see(&mut self, name: &OsStr, state: FileState, now: Now, first_look: bool) {
        let renamed = self.renames.iter().any(|renamed| renamed == name);
        match self.files.get_mut(name) {
            Some(sighting) if sighting.state == state => sighting.renamed |= renamed,
            _ => {
                // Only at the start: later on, a file server whose clock is behind ours would make every file look old
                // while it is still being written.
                let before = if first_look { age(state, now.wall).unwrap_or_default() } else { Duration::ZERO };
                self.files.insert(name.to_owned(), Sighting { state, since: now.monotonic, before, renamed });
            }
        }
    }

    /// Ends a look: forgets the files that are gone, and the renames, which have been noted by now.
    pub(super) fn keep_only(&mut self, present: impl Fn(&OsStr) -> bool) {
        self.files.retain(|name, _| present(name));
        self.renames.clear();
    }

    pub(super) fn is_renamed(&self, name: &OsStr) -> bool {
        self.files.get(name).is_some_and(|sighting| sighting.renamed)
    }

    /// How much longer the file has to stay as it is, until it has been so for `wanted`; zero when it has.
    pub(super) fn remaining(&self, name: &OsStr, wanted: Duration, now: Now) -> Duration {
        match self.files.get(name) {
            None => wanted,
            Some(sighting) => {
                let seen = now.monotonic.saturating_duration_since(sighting.since);
                wanted.saturating_sub(seen.saturating_add(sighting.before))
            }
        }
    }
}

/// How long ago the file was last written by the wall clock; `None` when that lies in the future.
fn age(state: FileState, wall: SystemTime) -> Option<Duration> {
    let modified =
        Duration::new(u64::try_from(state.modified_seconds).ok()?, u32::try_from(state.modified_nanoseconds).ok()?);
    wall.duration_since(UNIX_EPOCH).ok()?.checked_sub(modified)
}
