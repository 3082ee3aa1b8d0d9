//! Decoded images, kept: the pixels of an image are made once and then copied.
//!
//! One file for each preprocessing, `<folder>/<key>.pixels`; the key names everything that decides about pixels. It has
//! its full size from the start, at most `cache.max_gib`, and takes as much of the disk as was put in. All processes
//! that use it (the service, a training step, `gleaner score`) find their way in it through a map of its table, and copy
//! pixels out and in side by side; what one puts in, the others find. It is only a cache: it may be deleted at any time,
//! even while it is in use, and a damaged or foreign one is made anew. (Deleted, not cut short within its table: that
//! ends whoever has it mapped.)
//!
//! Nothing is flushed to the disk, and no reader waits for a writer. Instead nothing is believed: every read takes the
//! checksum of the image's path, the state of its file, and the pixels. Half-written pixels, lost pages after a power
//! failure and flipped bits are images to be decoded again.
//!
//! Slots are given out first come, first served, and none is ever taken away. A scan visits each image at most once in
//! a while, and in an order drawn at random: whatever is thrown out would be as likely to be needed as what comes in.
//!
//! What is kept is scaled to the model's size. Random parts of the originals, as training may want them, are decoded past it.
//!
//! An image's file is looked at once in each process, for its length and its time. What changes later is seen at the
//! next start.

mod error;
mod fill;
mod key;
mod layout;
mod map;
mod open;
mod table;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use error::CacheError;

use crate::pixels::Preprocess;
use fill::Fill;
use layout::Layout;
use map::Map;
use open::{Opened, Wanted};
use table::{Probe, Record, Stamp, Table};

/// How many bytes of the file system a cache leaves free, or a twentieth of it if that is more.
pub const KEEP_FREE: u64 = 1 << 30;

/// Where images are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder of the files.
    pub folder: PathBuf,
    /// The bound of their sizes in bytes, all preprocessings together; 0 for no cache.
    pub max_bytes: u64,
    /// No more is taken in when the file system has so few bytes left; [`KEEP_FREE`] but in tests.
    pub keep_free: u64,
}

/// Where pixels came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// They were kept.
    Kept,
    /// They were decoded.
    Decoded,
}

/// How a cache stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The file; none without a cache.
    pub path: Option<PathBuf>,
    /// Images that are in it, whoever put them in.
    pub images: u64,
    /// Images there is room for.
    pub room: u64,
    /// Bytes of pixels that are in it.
    pub bytes: u64,
    /// Images that this process took from it.
    pub hits: u64,
    /// Images that this process had to decode, or could not.
    pub misses: u64,
    /// Why this process puts no more in, if that is so.
    pub ended: Option<String>,
}

/// The decoded images of one preprocessing. Meant for many threads at once.
#[derive(Debug)]
pub struct Cache {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    layout: Layout,
    map: Map,
    fill: Fill,
    /// A bit for each slot: whether its image's file was looked at.
    seen: Vec<AtomicU64>,
    hits: AtomicU64,
    misses: AtomicU64,
    told: AtomicBool,
}

impl Cache {
    /// A cache that keeps nothing: each image is decoded.
    pub fn off() -> Self {
        Self { open: None }
    }

    /// Opens the cache of a preprocessing. Without room for anything (`max_bytes` 0) it is [`off`](Self::off).
    ///
    /// With `images`, how many different ones will be asked for, the file is made if there is none; one that is
    /// damaged, that has room for fewer (and the bound allows for more), or that is larger than the bound, is made
    /// anew. Without `images`, a good file that is there is used, and otherwise the cache is off: for those who see
    /// only a part of the pool.
    ///
    /// # Errors
    /// If the file cannot be made or mapped, or one image is more than `max_bytes`. The caller tells, and goes on with
    /// [`off`](Self::off).
    pub fn open(settings: &Settings, preprocess: &Preprocess, images: Option<u64>) -> Result<Self, CacheError> {
        let max_bytes = settings.max_bytes;
        if max_bytes == 0 {
            return Ok(Self::off());
        }
        let key = key::of_preprocess(preprocess);
        let path = settings.folder.join(format!("{}{}", String::from_utf8_lossy(&key), open::ENDING));
        let image = preprocess.bytes() as u64;
        let fitting = |images| {
            let small = || CacheError::Small { path: path.clone(), max_bytes, image: preprocess.bytes() };
            Layout::within(image, images, max_bytes).ok_or_else(small)
        };
        // Some more than asked for: killed processes leave slots unused, and a pool may grow a little.
        let new = images.map(|images| fitting(images.saturating_add(images / 50).saturating_add(256))).transpose()?;
        let slots = images.map(fitting).transpose()?.map_or(0, |least| least.slots);
        if let Some(new) = &new {
            open::make_room(&path, new.length, max_bytes);
        }
        let wanted = Wanted { path: &path, key: &key, image, new, slots, max_bytes };
        let Some(Opened { file, layout, writable }) = wanted.open()? else { return Ok(Self::off()) };
        let map = Map::of(&file, layout.first).map_err(CacheError::system(&path, "cannot be mapped"))?;
        let (_, next) = table::survey(&file, &layout).map_err(CacheError::system(&path, "cannot be read"))?;
        let fill = Fill::new(file, writable, settings.keep_free);
        fill.pass_over(next);
        let bits = usize::try_from(layout.slots.div_ceil(64)).unwrap_or(usize::MAX);
        let seen = std::iter::repeat_with(AtomicU64::default).take(bits).collect();
        let (hits, misses, told) = Default::default();
        Ok(Self { open: Some(Open { path, layout, map, fill, seen, hits, misses, told }) })
    }

    /// The pixels of an image: those that are kept, if its file has not changed since; otherwise `decode` is asked for
    /// them, and they are kept. `out` has [`Preprocess::bytes`] bytes, and `decode` makes what the preprocessing of
    /// [`open`](Self::open) makes of the file at `path`.
    ///
    /// # Errors
    /// Only those of `decode`; `out` then holds anything. Trouble with the cache ends its filling, see
    /// [`news`](Self::news).
    pub fn load<E>(
        &self,
        path: &Path,
        out: &mut [u8],
        decode: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Source, E> {
        let Some(open) = self.open.as_ref().filter(|open| open.layout.image == out.len() as u64) else {
            return decode(out).map(|()| Source::Decoded);
        };
        let hash = key::of_path(path);
        // Taken before the image is decoded: if the file changes meanwhile, the next start sees another time.
        let mut stamp = None;
        let probe = open.table().probe(hash);
        if let Probe::Taken(slot) = probe
            && open.read(slot, hash, out, || *stamp.get_or_insert_with(|| stamp_of(path)))
        {
            open.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Source::Kept);
        }
        open.misses.fetch_add(1, Ordering::Relaxed);
        let wanted = matches!(probe, Probe::Taken(_)) || open.fill.is_open();
        let stamp = if wanted { stamp.unwrap_or_else(|| stamp_of(path)) } else { None };
        decode(out)?;
        if let Some(stamp) = stamp {
            open.keep(probe, &Record::of(hash, stamp, out), out);
        }
        Ok(Source::Decoded)
    }

    /// Why no more images are put in, if that has come about and was not asked before: to be logged once.
    pub fn news(&self) -> Option<String> {
        let open = self.open.as_ref()?;
        let reason = open.fill.ended()?;
        (!open.told.swap(true, Ordering::Relaxed)).then(|| format!("{}: {reason}", open.path.display()))
    }

    /// How the cache stands. Looks through its whole table.
    pub fn summary(&self) -> Summary {
        let Some(open) = &self.open else { return Summary::default() };
        let (images, _) = table::survey(open.fill.file(), &open.layout).unwrap_or_default();
        Summary {
            path: Some(open.path.clone()),
            images,
            room: open.layout.slots,
            bytes: images.saturating_mul(open.layout.image),
            hits: open.hits.load(Ordering::Relaxed),
            misses: open.misses.load(Ordering::Relaxed),
            ended: open.fill.ended().map(str::to_owned),
        }
    }
}

impl Open {
    fn table(&self) -> Table<'_> {
        Table { words: self.map.words(), layout: &self.layout }
    }

    /// Copies the pixels of a slot, if they are those of the image's file as it is now; `stamp` looks at the file.
    fn read(&self, slot: u64, hash: u128, out: &mut [u8], stamp: impl FnOnce() -> Option<Stamp>) -> bool {
        let read = Record::read(self.fill.file(), &self.layout, slot, out);
        let Some(record) = read.filter(|record| record.hash == hash) else { return false };
        let seen = self.seen(slot);
        if !seen && stamp() != Some(record.stamp) {
            return false;
        }
        let good = record.is_of(out);
        if good && !seen {
            self.see(slot);
        }
        good
    }

    fn keep(&self, probe: Probe, record: &Record, pixels: &[u8]) {
        let slot = match probe {
            Probe::Taken(slot) => self.fill.renew(&self.layout, slot, record, pixels).then_some(slot),
            Probe::Free(_) => self.fill.add(self.table(), record, pixels),
            Probe::Crowded => None,
        };
        if let Some(slot) = slot {
            self.see(slot);
        }
    }

    fn seen(&self, slot: u64) -> bool {
        self.bits(slot).is_some_and(|(bits, bit)| bits.load(Ordering::Relaxed) & bit != 0)
    }

    fn see(&self, slot: u64) {
        if let Some((bits, bit)) = self.bits(slot) {
            bits.fetch_or(bit, Ordering::Relaxed);
        }
    }

    fn bits(&self, slot: u64) -> Option<(&AtomicU64, u64)> {
        let bits = self.seen.get(usize::try_from(slot / 64).ok()?)?;
        Some((bits, 1 << (slot % 64)))
    }
}

/// The state of a file; none if it cannot be told.
fn stamp_of(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let seconds = metadata.mtime().wrapping_mul(1_000_000_000);
    Some(Stamp { length: metadata.len(), modified: seconds.wrapping_add(metadata.mtime_nsec()).cast_unsigned() })
}
