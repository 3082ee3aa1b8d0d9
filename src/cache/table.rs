//! Finding an image's slot, and reading what is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use twox_hash::XxHash3_64;

use super::layout::{Layout, RECORD};

/// Longer runs of taken cells do not come about in a table half full; in a damaged one the search has an end.
const PROBES: u64 = 256;

/// Which state of an image file the pixels are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Bytes of the file.
    pub(super) length: u64,
    /// When it was last written to, in nanoseconds since 1970; wrapped around if need be.
    pub(super) modified: u64,
}

/// What stands before an image's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) hash: u128,
    pub(super) stamp: Stamp,
    /// Over the pixels and all of the above: neither half a record nor the wrong slot's pixels pass.
    pub(super) check: u64,
}

impl Record {
    /// The record of these pixels.
    pub(super) fn of(hash: u128, stamp: Stamp, pixels: &[u8]) -> Self {
        let modified = XxHash3_64::oneshot_with_seed(stamp.length, &stamp.modified.to_ne_bytes());
        let seed = XxHash3_64::oneshot_with_seed(modified, &hash.to_ne_bytes());
        Self { hash, stamp, check: XxHash3_64::oneshot_with_seed(seed, pixels) }
    }

    /// As it is written.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.hash.to_ne_bytes().to_vec();
        bytes.extend([self.stamp.length, self.stamp.modified, self.check].map(u64::to_ne_bytes).concat());
        bytes
    }

    /// As it stands in a slot. Another process may be about to change it.
    fn read(slot: &[AtomicU64]) -> Option<Self> {
        let [low, high, length, modified, check] = slot.first_chunk::<RECORD>()?;
        let mut hash = [0; 16];
        let (front, back) = hash.split_at_mut(8);
        front.copy_from_slice(&load(low).to_ne_bytes());
        back.copy_from_slice(&load(high).to_ne_bytes());
        let stamp = Stamp { length: load(length), modified: load(modified) };
        Some(Self { hash: u128::from_ne_bytes(hash), stamp, check: load(check) })
    }
}

/// Where a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// The image has a slot.
    Taken(u64),
    /// It has none, and this cell is free.
    Free(u64),
    /// It has none, and no cell near its place is free.
    Crowded,
}

/// The map by its parts.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) words: &'a [AtomicU64],
    pub(super) layout: &'a Layout,
}

impl<'a> Table<'a> {
    /// Looks for an image. Half of its hash is compared here, so by far most of the time it is that image's slot; who
    /// reads holds the whole hash against the record.
    pub(super) fn probe(&self, hash: u128) -> Probe {
        let cells = self.layout.cells;
        let home = ((hash >> 64) * u128::from(cells)) >> 64;
        let mut cell = u64::try_from(home).unwrap_or_default();
        for _ in 0..PROBES.min(cells) {
            match self.word(self.layout.cell(cell)) {
                0 => return Probe::Free(cell),
                word if word >> 32 == tag(hash) => {
                    if let Some(slot) = self.slot_of(word) {
                        return Probe::Taken(slot);
                    }
                }
                _ => {}
            }
            cell = if cell + 1 == cells { 0 } else { cell + 1 };
        }
        Probe::Crowded
    }

    /// The record of an image in a slot, if it is this image's.
    pub(super) fn record(&self, slot: u64, hash: u128) -> Option<Record> {
        Record::read(self.slot(slot)?).filter(|record| record.hash == hash)
    }

    /// Copies the pixels of a slot; false if they are not those that the record is of.
    pub(super) fn copy(&self, slot: u64, record: &Record, out: &mut [u8]) -> bool {
        let Some(words) = self.slot(slot).and_then(|words| words.get(RECORD..)) else { return false };
        let (whole, rest) = out.as_chunks_mut::<8>();
        if words.len() < whole.len() + usize::from(!rest.is_empty()) {
            return false;
        }
        for (to, from) in whole.iter_mut().zip(words) {
            *to = load(from).to_ne_bytes();
        }
        if let Some(from) = words.get(whole.len()) {
            let from = load(from).to_ne_bytes();
            rest.iter_mut().zip(from).for_each(|(to, from)| *to = from);
        }
        Record::of(record.hash, record.stamp, out) == *record
    }

    /// What a cell holds for an image in a slot.
    pub(super) fn cell_of(hash: u128, slot: u64) -> u64 {
        (tag(hash) << 32) | (slot + 1)
    }

    fn slot_of(&self, word: u64) -> Option<u64> {
        slot_of(self.layout, word)
    }

    fn slot(&self, slot: u64) -> Option<&'a [AtomicU64]> {
        let start = index(self.layout.slot(slot));
        self.words.get(start..index(self.layout.slot(slot + 1)))
    }

    fn word(&self, offset: u64) -> u64 {
        self.words.get(index(offset)).map(load).unwrap_or_default()
    }
}

/// How many cells of a file's table are taken, and the greatest slot among them and 1. Read and not mapped: looking
/// through a table of many millions once would leave all of it in this process's resident size.
pub(super) fn survey(file: &File, layout: &Layout) -> io::Result<(u64, u64)> {
    let (mut taken, mut next) = (0, 0);
    let (mut offset, end) = (layout.cell(0), layout.cell(layout.cells));
    let mut chunk = vec![0; 1 << 16];
    while offset < end {
        let length = usize::try_from(end - offset).unwrap_or(usize::MAX).min(chunk.len());
        let part = chunk.get_mut(..length).unwrap_or_default();
        file.read_exact_at(part, offset)?;
        for slot in part.as_chunks::<8>().0.iter().filter_map(|word| slot_of(layout, u64::from_ne_bytes(*word))) {
            (taken, next) = (taken + 1, next.max(slot + 1));
        }
        offset += length as u64;
    }
    Ok((taken, next))
}

fn slot_of(layout: &Layout, word: u64) -> Option<u64> {
    (word & u64::from(u32::MAX)).checked_sub(1).filter(|slot| *slot < layout.slots)
}

fn tag(hash: u128) -> u64 {
    u64::try_from(hash & u128::from(u32::MAX)).unwrap_or_default()
}

/// The word at an offset in bytes.
fn index(offset: u64) -> usize {
    usize::try_from(offset / super::layout::WORD).unwrap_or(usize::MAX)
}

fn load(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}
