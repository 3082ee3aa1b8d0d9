//! Finding an image's slot, and reading what is there.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::preadv;
use twox_hash::XxHash3_64;

use super::layout::{Layout, RECORD, WORD};

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

    /// The record and the pixels that stand in a slot; none if the slot is not there. Another process may be about to
    /// change it: they are believed only if they are each other's, see [`is_of`](Self::is_of).
    ///
    /// Read through the system and not by the map: the first touch of a mapped page costs more than this copy, and a disk
    /// that fails or a file that was cut short is an image to be decoded, not the end of the process.
    pub(super) fn read(file: &File, layout: &Layout, slot: u64, pixels: &mut [u8]) -> Option<Self> {
        let mut words = [0; RECORD * WORD as usize];
        let wanted = words.len() + pixels.len();
        let parts = &mut [IoSliceMut::new(&mut words), IoSliceMut::new(pixels)];
        let read = preadv(file, parts, layout.slot(slot)).ok()?;
        let [low, high, length, modified, check] = *words.as_chunks::<8>().0 else { return None };
        let [length, modified, check] = [length, modified, check].map(u64::from_ne_bytes);
        let mut hash = [0; 16];
        let (front, back) = hash.split_at_mut(8);
        front.copy_from_slice(&low);
        back.copy_from_slice(&high);
        let record = Self { hash: u128::from_ne_bytes(hash), stamp: Stamp { length, modified }, check };
        (read == wanted).then_some(record)
    }

    /// Whether it was made of these pixels.
    pub(super) fn is_of(&self, pixels: &[u8]) -> bool {
        Self::of(self.hash, self.stamp, pixels) == *self
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

/// The map, and what stands where in it.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) words: &'a [AtomicU64],
    pub(super) layout: &'a Layout,
}

impl Table<'_> {
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
                    if let Some(slot) = slot_of(self.layout, word) {
                        return Probe::Taken(slot);
                    }
                }
                _ => {}
            }
            cell = if cell + 1 == cells { 0 } else { cell + 1 };
        }
        Probe::Crowded
    }

    /// What a cell holds for an image in a slot.
    pub(super) fn cell_of(hash: u128, slot: u64) -> u64 {
        (tag(hash) << 32) | (slot + 1)
    }

    fn word(&self, offset: u64) -> u64 {
        let index = usize::try_from(offset / WORD).ok();
        index.and_then(|index| self.words.get(index)).map(|word| word.load(Ordering::Relaxed)).unwrap_or_default()
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
