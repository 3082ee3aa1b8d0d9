//! A list of `path label` lines: every sample that it holds can be asked for.
#![no_main]

use gleaner::pool::Pool;
use gleaner_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file("pool.txt", bytes, |path| {
        let Ok(pool) = Pool::load(path) else { return };
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        for id in 0..pool.len() {
            assert!(pool.label(id) < pool.classes());
            assert!(pool.line(id).is_some_and(|line| line <= lines));
            assert!(pool.path(id).is_absolute());
        }
        let _ = pool.check(2);
    });
});
