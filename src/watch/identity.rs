//! Telling whether a file is still the one that was seen before, without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What the file system says of one file; two equal states are taken for the same content.
///
/// The time of the last change of the inode (`ctime`) is left out on purpose: a rename, a hard link or a `chmod` moves
/// it without touching the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileState {
    /// Number of the inode.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last modification, whole seconds since 1970.
    pub modified_seconds: i64,
    /// The rest of that time, in nanoseconds.
    pub modified_nanoseconds: i64,
}

impl FileState {
    /// Reads the state off a file's metadata.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified_seconds: metadata.mtime(),
            modified_nanoseconds: metadata.mtime_nsec(),
        }
    }

    pub(super) fn modified(&self) -> (i64, i64) {
        (self.modified_seconds, self.modified_nanoseconds)
    }
}

/// The quick key of a checkpoint: the states of the graph and of its `.data` file, when it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The graph, `epoch-0007.onnx`.
    pub graph: FileState,
    /// The weights beside it, `epoch-0007.onnx.data`.
    pub data: Option<FileState>,
}
