//! A person's reviews, of a pool with a few names of every kind.
#![no_main]

use std::sync::OnceLock;

use gleaner::pool::Pool;
use gleaner::suspects::{Reviews, Verdict};
use gleaner_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

const CLASSES: u32 = 3;
const LIST: &[u8] = b"a 0\nb c 1\n\"d\" 2\ne,f 0\n\xff 1\n/g 2\n";

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut pool = None;
        with_file("pool.txt", LIST, |path| pool = Pool::load(path).ok());
        pool.expect("a good list")
    })
}

fuzz_target!(|bytes: &[u8]| {
    with_file("reviews.csv", bytes, |path| {
        let Ok(reviews) = Reviews::read(path, pool(), CLASSES) else { return };
        for (id, verdict) in reviews.iter() {
            assert!(id < pool().len());
            assert!(!matches!(verdict, Verdict::Relabel(label) if label >= CLASSES));
        }
    });
});
