//! What the fuzz targets share.

use std::path::Path;

/// Hands `look` a file with these bytes, for readers that open a file by its path.
pub fn with_file(name: &str, bytes: &[u8], look: impl FnOnce(&Path)) {
    // Written once for each input, thousands of times a second: in memory where that is possible.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(place).expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    look(&path);
}
