//! All paths of a pool in one run of bytes.

/// Paths of a block share one 64-bit offset, from which theirs are counted with 32 bits.
const BLOCK: usize = 256;
/// The longest path, in bytes: far beyond what any system opens, and a block of such paths is far below 4 GiB.
pub(super) const LONGEST_PATH: usize = 1 << 16;

/// Paths behind one another, by number: their bytes and a little more than four each.
#[derive(Clone, Debug, Default)]
pub(super) struct Arena {
    /// The paths; while a list is read, what is left of the list lies behind them.
    pub(super) bytes: Vec<u8>,
    /// Where each block begins.
    blocks: Vec<usize>,
    /// Where each path ends, from the begin of its block; it begins where the one before ends.
    ends: Vec<u32>,
}

impl Arena {
    /// Without paths, in room that holds something else yet.
    pub(super) fn over(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// How many bytes they fill.
    pub(super) fn filled(&self) -> usize {
        let last = self.ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or_default();
        self.blocks.last().map_or(0, |block| block.saturating_add(last))
    }

    /// The path at `at`; empty if there is none.
    pub(super) fn get(&self, at: usize) -> &[u8] {
        let Some(block) = self.blocks.get(at / BLOCK) else { return &[] };
        let end = |at: usize| self.ends.get(at).and_then(|end| usize::try_from(*end).ok());
        let start = if at.is_multiple_of(BLOCK) { Some(0) } else { end(at - 1) };
        let (Some(start), Some(end)) = (start, end(at)) else { return &[] };
        self.bytes.get(block.saturating_add(start)..block.saturating_add(end)).unwrap_or_default()
    }

    /// Notes that the next path, of at most [`LONGEST_PATH`] bytes, fills the `length` bytes behind the last one.
    pub(super) fn note(&mut self, length: usize) {
        let start = self.filled();
        if self.ends.len().is_multiple_of(BLOCK) {
            self.blocks.push(start);
        }
        let block = self.blocks.last().copied().unwrap_or_default();
        self.ends.push(u32::try_from(start.saturating_add(length).saturating_sub(block)).unwrap_or(u32::MAX));
    }

    /// Gives back the room that the paths do not need.
    pub(super) fn shrink(&mut self) {
        self.bytes.truncate(self.filled());
        self.bytes.shrink_to_fit();
        self.blocks.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// What it takes in memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.blocks.capacity() * size_of::<usize>() + self.ends.capacity() * size_of::<u32>()
    }
}
