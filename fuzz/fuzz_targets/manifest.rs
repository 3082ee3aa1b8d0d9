//! A manifest, as the trainer reads it.
#![no_main]

use gleaner::lists::read_manifest;
use gleaner_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file("manifest.csv", bytes, |path| {
        let Ok(rows) = read_manifest(path) else { return };
        for row in rows {
            assert!(!row.path.is_empty() && row.weight.is_finite() && row.weight >= 0.0);
        }
    });
});
