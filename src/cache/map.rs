//! The table of the file as memory that is only read.

use std::fs::File;
use std::io;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};

/// A read-only map of the front of a file, shared with every process that writes to the file.
#[derive(Debug)]
pub(super) struct Map {
    raw: MmapRaw,
    words: usize,
}

impl Map {
    /// Maps the first `length` bytes, which the file must have.
    pub(super) fn of(file: &File, length: u64) -> io::Result<Self> {
        let length = usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let raw = MmapOptions::new().len(length).map_raw_read_only(file)?;
        Ok(Self { raw, words: length / size_of::<u64>() })
    }

    /// What is mapped, as words; the only way in. Others may write to the file at any time, so each word is loaded by
    /// itself (`Relaxed`, the one ordering that is allowed on memory mapped read-only).
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the map is `words * 8` bytes long or longer, begins at a page and so at a multiple of 8, and lives as
        // long as `self`. Memory that somebody else may write to is looked at through atomics, which ask for no more;
        // none is ever stored to. If somebody cuts the file short a load ends the process by SIGBUS: no harm to memory.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.raw.as_ptr().cast::<AtomicU64>(), self.words)
        }
    }
}
