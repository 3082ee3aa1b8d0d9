//! Putting images in: which slot, how much room, and when to stop.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::layout::{Layout, NEXT, WORD};
use super::table::{Probe, Record, Table};

/// Slots taken from the file at a time, so that processes seldom have to agree. A process that is killed leaves at most
/// so many unused.
const RUN: u64 = 32;

/// How a process waits for another that is just entering something, which takes microseconds.
const YIELDS: u32 = 100;
const PAUSES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(1);

/// The least share of the file system that is kept free is 1 in so many bytes, unless [`super::KEEP_FREE`] is more.
const FREE_SHARE: u64 = 20;

/// Why no further images are taken in.
#[derive(Clone, Debug)]
enum Ended {
    /// There is no free slot; images that have one may still be renewed.
    Full(String),
    /// Nothing can be written.
    Stopped(String),
}

/// Slots that belong to this process and hold nothing that is in the table.
#[derive(Debug, Default)]
struct Own {
    run: Range<u64>,
    /// Of images that somebody else entered first.
    spare: Vec<u64>,
}

/// The side of a cache that writes.
#[derive(Debug)]
pub(super) struct Fill {
    file: File,
    keep_free: u64,
    /// Who holds this lock may also write to the table.
    own: Mutex<Own>,
    ended: OnceLock<Ended>,
}

impl Fill {
    /// For a file that was opened to be written to, or only to be read.
    pub(super) fn new(file: File, writable: bool, keep_free: u64) -> Self {
        let ended = OnceLock::new();
        if !writable {
            let reason = "this user has no right to write to it, so only what it holds already is used";
            let _ = ended.set(Ended::Stopped(reason.to_owned()));
        }
        Self { file, keep_free, own: Mutex::default(), ended }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Why no further images are taken in, if that is so.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.get().map(|(Ended::Full(reason) | Ended::Stopped(reason))| reason.as_str())
    }

    /// Whether an image without a slot may still get one.
    pub(super) fn is_open(&self) -> bool {
        self.ended.get().is_none()
    }

    /// Writes an image over what its slot holds.
    pub(super) fn renew(&self, layout: &Layout, slot: u64, record: &Record, pixels: &[u8]) -> bool {
        !matches!(self.ended.get(), Some(Ended::Stopped(_))) && self.write(layout, slot, record, pixels)
    }

    /// Writes an image to a new slot and then enters it in the table: whoever finds it there finds it whole. Gives the
    /// slot, if all went well.
    pub(super) fn add(&self, table: Table<'_>, record: &Record, pixels: &[u8]) -> Option<u64> {
        let layout = table.layout;
        let slot = self.slot(layout)?;
        if !self.write(layout, slot, record, pixels) {
            return None;
        }
        let mut own = self.own();
        let entered = self.alone(|| match table.probe(record.hash) {
            Probe::Free(cell) => {
                let word = Table::cell_of(record.hash, slot).to_ne_bytes();
                self.file.write_all_at(&word, layout.cell(cell)).map(|()| true)
            }
            Probe::Taken(_) | Probe::Crowded => Ok(false),
        });
        match entered {
            Ok(Some(true)) => return Some(slot),
            Ok(Some(false) | None) => own.spare.push(slot),
            Err(error) => {
                self.good(Err(error));
            }
        }
        None
    }

    /// Makes good what a loss of power did: no slot in the table is given out again.
    pub(super) fn pass_over(&self, slots: u64) {
        let _ = self.alone(|| self.advance(|next| (next < slots).then_some(slots)));
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot that nobody else has.
    fn slot(&self, layout: &Layout) -> Option<u64> {
        if !self.is_open() {
            return None;
        }
        let mut own = self.own();
        if let Some(slot) = own.spare.pop().or_else(|| own.run.next()) {
            return Some(slot);
        }
        self.look_for_space(layout)?;
        let end = |next: u64| next.saturating_add(RUN).min(layout.slots);
        match self.alone(|| self.advance(|next| (next < layout.slots).then(|| end(next)))) {
            Ok(Some(next)) if next < layout.slots => own.run = next..end(next),
            Ok(Some(_)) => {
                let _ = self.ended.set(Ended::Full(format!(
                    "there is room for {} images, and all of it is taken: further ones are decoded each time; \
                     raise cache.max_gib, or delete the file if the pool has become another",
                    layout.slots
                )));
            }
            Ok(None) => {}
            Err(error) => {
                self.good(Err(error));
            }
        }
        own.run.next()
    }

    /// Does something while no other process does. None if one that was stopped in the middle keeps all others from it:
    /// what was to be put in then waits for another time. Of this process's threads, the one with [`Own`] may ask.
    fn alone<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<Option<T>> {
        for attempt in 0..YIELDS + PAUSES {
            match self.file.try_lock() {
                Ok(()) => {
                    let outcome = work();
                    self.file.unlock()?;
                    return outcome.map(Some);
                }
                Err(TryLockError::WouldBlock) if attempt < YIELDS => thread::yield_now(),
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Changes the number of the next free slot, and gives what it was.
    fn advance(&self, change: impl FnOnce(u64) -> Option<u64>) -> io::Result<u64> {
        let mut word = [0; WORD as usize];
        self.file.read_exact_at(&mut word, NEXT)?;
        let next = u64::from_ne_bytes(word);
        if let Some(changed) = change(next) {
            self.file.write_all_at(&changed.to_ne_bytes(), NEXT)?;
        }
        Ok(next)
    }

    /// Stops before the file system is full: there are files that matter more than this one.
    fn look_for_space(&self, layout: &Layout) -> Option<()> {
        // Where the system cannot tell, the first write that fails will.
        let Ok(system) = rustix::fs::fstatvfs(&self.file) else { return Some(()) };
        let keep = self.keep_free.max(system.f_blocks.saturating_mul(system.f_frsize) / FREE_SHARE);
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        if free >= keep.saturating_add(RUN * layout.stride) {
            return Some(());
        }
        let mebibytes = |bytes: u64| bytes >> 20;
        let _ = self.ended.set(Ended::Stopped(format!(
            "its file system has {} MiB left, of which {} MiB are kept free: further images are decoded each time; free \
             some space, or name another cache.folder",
            mebibytes(free),
            mebibytes(keep)
        )));
        None
    }

    fn write(&self, layout: &Layout, slot: u64, record: &Record, pixels: &[u8]) -> bool {
        // By the system and not by the map: a full disk is then an error, not a signal.
        let bytes = record.bytes();
        let start = layout.slot(slot);
        let after = start.saturating_add(bytes.len() as u64);
        let written = self.file.write_all_at(&bytes, start).and_then(|()| self.file.write_all_at(pixels, after));
        self.good(written)
    }

    fn good(&self, outcome: io::Result<()>) -> bool {
        if let Err(error) = &outcome {
            let reason = format!("cannot be written: {error}: further images are decoded each time");
            let _ = self.ended.set(Ended::Stopped(reason));
        }
        outcome.is_ok()
    }
}

impl Drop for Fill {
    /// Gives back what is left of the slots, if nobody took any after them.
    fn drop(&mut self) {
        let run = self.own().run.clone();
        if !run.is_empty() {
            let _ = self.alone(|| self.advance(|next| (next == run.end).then_some(run.start)));
        }
    }
}
