//! Why there is no cache.

use std::io;
use std::path::{Path, PathBuf};

/// Why decoded images are not kept. Nothing else is wrong: without a cache each image is decoded whenever it is needed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The system does not let it be used.
    #[error("{}: {what}: {source}; mend this, name another cache.folder, or write `cache: {{max_gib: 0}}`", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Not even one image would fit.
    #[error(
        "{}: the {max_bytes} bytes of cache.max_gib are too few for images of {image} bytes; raise it, or write 0 to do \
         without a cache",
        path.display()
    )]
    Small {
        /// The file that would have been made.
        path: PathBuf,
        /// The bound.
        max_bytes: u64,
        /// Bytes of one image.
        image: usize,
    },
    /// Another process holds the file's lock all the time.
    #[error("{}: another process is making it anew and does not come to an end; delete the file", .0.display())]
    Busy(PathBuf),
}

impl CacheError {
    pub(super) fn system(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { path: path.to_owned(), what, source }
    }
}
