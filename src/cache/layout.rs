//! What stands where in a cache file.
//!
//! ```text
//! 0      header: magic, version, key, image bytes, slots, cells, checksum of these
//! 256    the next free slot
//! 4096   the table: cells of 8 bytes, half of a path's hash above and slot + 1 below; 0 is an empty cell
//! ...    the slots: a record (path hash, length and time of the image file, checksum) and the pixels, each
//! ```
//!
//! Numbers are 64-bit words in the byte order of the machine; on another one the magic reads differently.

use twox_hash::XxHash3_64;

/// Bytes of a word.
pub(super) const WORD: u64 = 8;
/// Bytes before the table.
pub(super) const HEADER: u64 = 4096;
/// Where the next free slot is kept.
pub(super) const NEXT: u64 = 256;
/// Words of a slot before its pixels.
pub(super) const RECORD: usize = 5;
/// The kind of file.
const MAGIC: u64 = u64::from_ne_bytes(*b"gleanpix");
/// To be raised with any change of this file or of what a record holds.
const VERSION: u64 = 1;
/// Words of the header that say what the file is, the checksum last.
const WORDS: usize = 10;
/// Cells a slot: probes stay short in a table that is at most half full.
const CELLS: u64 = 2;
/// A slot's number and 1 more fit half a word.
const MOST_SLOTS: u64 = u32::MAX as u64 - 1;

/// Names one preprocessing.
pub(super) type Key = [u8; 32];

/// The measures of a cache file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes of an image's pixels.
    pub(super) image: u64,
    /// How many images there is room for.
    pub(super) slots: u64,
    /// Cells of the table.
    pub(super) cells: u64,
    /// Bytes from one slot to the next.
    pub(super) stride: u64,
    /// Where the first slot begins.
    pub(super) first: u64,
    /// Bytes of the whole file.
    pub(super) length: u64,
}

impl Layout {
    /// For so many images; none if the file's size would be no 64-bit number.
    pub(super) fn of(image: u64, slots: u64) -> Option<Self> {
        let record = u64::try_from(RECORD).ok()? * WORD;
        let stride = image.checked_add(record)?.checked_next_multiple_of(WORD)?;
        let cells = slots.checked_mul(CELLS)?;
        let first = cells.checked_mul(WORD)?.checked_add(HEADER)?.checked_next_multiple_of(HEADER)?;
        let length = slots.checked_mul(stride)?.checked_add(first)?;
        (image > 0 && (1..=MOST_SLOTS).contains(&slots)).then_some(Self { image, slots, cells, stride, first, length })
    }

    /// For so many images, or for as many as `bytes` hold; none if that is not a single one.
    pub(super) fn within(image: u64, wanted: u64, bytes: u64) -> Option<Self> {
        let one = Self::of(image, 1)?;
        let each = one.stride + CELLS * WORD;
        // The table's end is rounded up to a multiple of the header's size, which is taken off beforehand.
        let most = bytes.checked_sub(2 * HEADER)? / each;
        Self::of(image, wanted.clamp(1, MOST_SLOTS).min(most))
    }

    /// Where a slot begins.
    pub(super) fn slot(&self, slot: u64) -> u64 {
        self.first + slot * self.stride
    }

    /// Where a cell of the table is.
    pub(super) fn cell(&self, cell: u64) -> u64 {
        HEADER + cell * WORD
    }

    /// The first bytes of a file with these measures.
    pub(super) fn header(&self, key: &Key) -> Vec<u8> {
        let mut bytes = [MAGIC, VERSION].map(u64::to_ne_bytes).concat();
        bytes.extend_from_slice(key);
        bytes.extend([self.image, self.slots, self.cells].map(u64::to_ne_bytes).concat());
        let check = XxHash3_64::oneshot(&bytes);
        bytes.extend(check.to_ne_bytes());
        bytes
    }

    /// The measures of the file that begins with these bytes; none if it is not a cache of this version, preprocessing
    /// and image size.
    pub(super) fn read(header: &[u8], key: &Key, image: u64) -> Option<Self> {
        let slots = header.get(56..64).and_then(|word| word.try_into().ok()).map(u64::from_ne_bytes)?;
        let layout = Self::of(image, slots)?;
        (header == layout.header(key)).then_some(layout)
    }

    /// Bytes of the header.
    pub(super) const fn header_bytes() -> usize {
        WORDS * WORD as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_and_is_made_use_of() {
        // 28 x 28 grey: 784 and 40 bytes of record are 824, and two cells of 8 bytes come to each.
        for bytes in [8192 + 840, 10_000, 1 << 20, (1 << 30) + 7] {
            let layout = Layout::within(784, u64::MAX, bytes).unwrap();
            assert!(layout.length <= bytes, "{layout:?} in {bytes}");
            assert!(layout.length + 840 + 2 * 4096 > bytes, "{layout:?} in {bytes}");
        }
        assert_eq!(Layout::within(784, 100, 1 << 30).map(|layout| layout.slots), Some(100));
        assert_eq!(Layout::within(784, 0, 1 << 30).map(|layout| layout.slots), Some(1));
        assert_eq!(Layout::within(784, 100, 8192 + 839), None);
        assert_eq!(Layout::within(784, 100, 0), None);
        assert_eq!(Layout::within(u64::MAX, 100, u64::MAX), None);
        assert_eq!(Layout::within(3, u64::MAX, u64::MAX).map(|layout| layout.slots), Some(u64::from(u32::MAX) - 1));
    }

    #[test]
    fn any_changed_byte_of_a_header_is_noticed() {
        let key = [b'a'; 32];
        let layout = Layout::of(784, 1000).unwrap();
        let header = layout.header(&key);
        assert_eq!(header.len(), Layout::header_bytes());
        assert_eq!(Layout::read(&header, &key, 784), Some(layout));
        for byte in 0..header.len() {
            let mut changed = header.clone();
            changed[byte] ^= 1;
            assert_eq!(Layout::read(&changed, &key, 784), None, "byte {byte}");
        }
        assert_eq!(Layout::read(&header, &[b'b'; 32], 784), None);
        assert_eq!(Layout::read(&header, &key, 783), None);
        assert_eq!(Layout::read(&header[..79], &key, 784), None);
        assert_eq!(Layout::read(&[], &key, 784), None);
    }
}
