//! What one image may take.

/// The most that one image may take; what claims more is refused before anything is allocated for it.
///
/// While it makes the pixels of an image a thread takes its file, and at most 20 bytes for each pixel of the limit: 8 for a
/// colour of four times 16 bits, and 3 for each of the pictures on the way to the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pixels that an image's header may announce, and that it may have when it is scaled.
    pub pixels: u64,
    /// Bytes of an image's file.
    pub bytes: u64,
}

impl Default for Limits {
    /// 100 megapixels and 256 MiB.
    fn default() -> Self {
        Self { pixels: 100_000_000, bytes: 256 << 20 }
    }
}
