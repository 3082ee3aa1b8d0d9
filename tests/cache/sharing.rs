//! Several at once: what one puts in is there for all, and stays for those who have it open.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use gleaner::cache::Source;

use super::loading::{empty_files, fixtures, load, load_drawn, open};

#[test]
fn two_at_once_share_what_each_puts_in() {
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 400);
    let kept = folder.path().join("cache");
    let [one, other] = [(); 2].map(|()| open(&kept, 16, 400));
    for (index, path) in images.iter().enumerate() {
        let (first, second) = if index % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert_eq!(load_drawn(first, path, 768), Source::Decoded);
        assert_eq!(load_drawn(second, path, 768), Source::Kept);
    }
    assert_eq!((one.summary().images, other.summary().images), (400, 400));
}

#[test]
fn many_threads_fill_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 3000);
    let kept = folder.path().join("cache");
    let [one, other] = [(); 2].map(|()| open(&kept, 8, 3000));
    let turn = AtomicU32::new(0);
    thread::scope(|scope| {
        for worker in 0..8 {
            let (cache, images, turn) = (if worker < 6 { &one } else { &other }, &images, &turn);
            scope.spawn(move || {
                // Two after another take each image, at the same time as far as may be.
                while let Some(path) = images.get(turn.fetch_add(1, Ordering::Relaxed) as usize / 2) {
                    load_drawn(cache, path, 192);
                }
            });
        }
    });
    images.iter().for_each(|path| assert_eq!(load_drawn(&one, path, 192), Source::Kept));
    assert_eq!((one.summary().images, one.news(), other.news()), (3000, None, None));
}

#[test]
fn a_file_deleted_while_in_use_goes_on_for_those_who_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let images = fixtures();
    let kept = folder.path().join("cache");
    let cache = open(&kept, 16, 5);
    assert_eq!(load(&cache, &images[0], 16), Source::Decoded);
    fs::remove_dir_all(&kept).unwrap();
    assert_eq!(load(&cache, &images[0], 16), Source::Kept);
    assert_eq!(load(&cache, &images[1], 16), Source::Decoded);
    assert_eq!(load(&cache, &images[1], 16), Source::Kept);
    let next = open(&kept, 16, 5);
    assert_eq!(load(&next, &images[0], 16), Source::Decoded);
    assert_eq!((cache.summary().images, next.summary().images), (2, 1));
}
