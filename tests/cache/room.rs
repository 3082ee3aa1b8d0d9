//! The room that it takes: bounds that hold, disks that fill up, folders that cannot be written.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, SystemTime};

use gleaner::cache::{Cache, CacheError, Settings, Source};

use super::loading::{empty_files, file, load_drawn, open, preprocess, settings};
use super::small_disk::SmallDisk;

#[test]
fn the_bound_holds_and_a_changed_bound_makes_the_file_anew() {
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 2000);
    let kept = folder.path().join("cache");
    let bounded = |max_bytes, images| {
        let settings = Settings { max_bytes, ..settings(&kept) };
        Cache::open(&settings, &preprocess(16), Some(images)).unwrap()
    };
    // 16 x 16 x 3 bytes and the record are 808, and 16 of the table: 1,000,000 bytes hold some 1,200.
    let cache = bounded(1_000_000, 2000);
    let room = cache.summary().room;
    assert!((1190..=1213).contains(&room), "{room}");
    images.iter().for_each(|path| assert_eq!(load_drawn(&cache, path, 768), Source::Decoded));
    let count = |cache: &Cache| {
        u64::try_from(images.iter().filter(|path| load_drawn(cache, path, 768) == Source::Kept).count()).unwrap()
    };
    assert_eq!(count(&cache), room);
    let news = cache.news().unwrap();
    assert!(news.contains("raise cache.max_gib") && news.starts_with(&*kept.to_string_lossy()), "{news}");
    assert_eq!(cache.news(), None, "told once");
    let size = fs::metadata(file(&kept)).unwrap().len();
    assert!(size <= 1_000_000, "{size}");
    drop(cache);

    // Fewer images are wanted: it stays. The same again: it stays. A smaller bound, or more room: anew.
    assert_eq!(count(&bounded(1_000_000, 100)), room);
    assert_eq!(count(&bounded(1_000_000, 2000)), room);
    assert_eq!(bounded(900_000, 2000).summary().images, 0);
    assert!(fs::metadata(file(&kept)).unwrap().len() <= 900_000);
    let cache = bounded(10_000_000, 2000);
    images.iter().for_each(|path| assert_eq!(load_drawn(&cache, path, 768), Source::Decoded));
    assert_eq!((count(&cache), cache.news()), (2000, None));

    let off = bounded(0, 2000);
    assert_eq!((load_drawn(&off, &images[0], 768), off.summary().path), (Source::Decoded, None));
    let settings = Settings { max_bytes: 900, ..settings(&kept) };
    let error = Cache::open(&settings, &preprocess(16), Some(5)).unwrap_err();
    assert!(matches!(error, CacheError::Small { max_bytes: 900, image: 768, .. }), "{error}");
}

#[test]
fn all_preprocessings_together_stay_under_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 300);
    let kept = folder.path().join("cache");
    let settings = Settings { max_bytes: 700_000, ..settings(&kept) };
    let fill = |side: u32| {
        let cache = Cache::open(&settings, &preprocess(side), Some(300)).unwrap();
        images.iter().for_each(|path| {
            load_drawn(&cache, path, preprocess(side).bytes());
        });
        cache.summary().path.unwrap()
    };
    let on_disk = || {
        let bytes = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512);
        bytes.sum::<u64>()
    };
    let first = fill(16); // 300 x 808 bytes and a table
    let second = fill(15); // 300 x 720
    assert!(first.exists() && second.exists() && on_disk() < 700_000, "{}", on_disk());
    let aged = SystemTime::now() - Duration::from_secs(100);
    File::open(&second).unwrap().set_modified(aged).unwrap();
    let third = fill(14);
    assert!(first.exists() && !second.exists() && third.exists(), "the one that was not used for longest goes");
    assert!(on_disk() <= 700_000, "{}", on_disk());
}

#[test]
fn a_disk_that_fills_up_ends_the_filling_and_nothing_else() {
    let Some(disk) = SmallDisk::mount("size=2m") else { return };
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 3000);
    let kept = disk.path().join("cache");
    let cache = Cache::open(&settings(&kept), &preprocess(16), Some(4000)).unwrap();
    // 4,000 slots are more than 3 MB; a twentieth of the disk stays free.
    for _ in 0..2 {
        images.iter().for_each(|path| {
            load_drawn(&cache, path, 768);
        });
    }
    let news = cache.news().unwrap();
    assert!(news.contains("free some space"), "{news}");
    let free = || rustix::fs::statvfs(disk.path()).unwrap().f_bavail * 4096;
    // A process that another test is just starting has a hand on every open file for a moment, and so on the space of those
    // that are removed.
    let until_free = |bytes: u64| {
        let begun = std::time::Instant::now();
        while free() < bytes {
            assert!(begun.elapsed() < Duration::from_secs(60), "only {} are free", free());
            thread::sleep(Duration::from_millis(1));
        }
    };
    assert!((100_000..200_000).contains(&free()), "{}", free());
    assert!(cache.summary().images > 1500, "{:?}", cache.summary());
    let held = cache.summary().images;
    drop(cache);

    // Somebody else takes all that is left while there are slots to be filled.
    fs::remove_dir_all(&kept).unwrap();
    until_free(1_900_000);
    let cache = Cache::open(&settings(&kept), &preprocess(16), Some(4000)).unwrap();
    assert_eq!(load_drawn(&cache, &images[0], 768), Source::Decoded);
    let mut filler = File::create(disk.path().join("filler")).unwrap();
    let mut filled = 0;
    while filler.write_all(&[0; 4096]).is_ok() {
        filled += 4096;
    }
    for _ in 0..2 {
        images.iter().take(100).for_each(|path| {
            load_drawn(&cache, path, 768);
        });
    }
    assert!(cache.summary().images < held);
    let news = cache.news().unwrap();
    assert!(news.contains("cannot be written: No space left on device"), "{news}");
    assert_eq!(load_drawn(&cache, &images[0], 768), Source::Kept, "what was put in before is still there");
    drop(cache);
    drop(filler);

    // With space again the next start goes on.
    let full = free();
    fs::remove_file(disk.path().join("filler")).unwrap();
    until_free(full + filled);
    let cache = Cache::open(&settings(&kept), &preprocess(16), Some(4000)).unwrap();
    images.iter().take(100).for_each(|path| {
        load_drawn(&cache, path, 768);
    });
    images.iter().take(100).for_each(|path| assert_eq!(load_drawn(&cache, path, 768), Source::Kept));
    let settings = Settings { keep_free: gleaner::cache::KEEP_FREE, ..settings(&kept) };
    let cache = Cache::open(&settings, &preprocess(16), Some(4000)).unwrap();
    images.iter().skip(500).for_each(|path| assert_eq!(load_drawn(&cache, path, 768), Source::Decoded));
    assert!(cache.news().unwrap().contains("1024 MiB are kept free"));
}

#[test]
fn opened_again_and_again_no_room_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 300);
    let kept = folder.path().join("cache");
    let room = open(&kept, 16, 1).summary().room;
    assert!(room < 300, "{room}");
    for path in &images {
        load_drawn(&open(&kept, 16, 1), path, 768);
    }
    assert_eq!(open(&kept, 16, 1).summary().images, room);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("file");
    fs::write(&taken, "").unwrap();
    let error = Cache::open(&settings(&taken), &preprocess(16), Some(5)).unwrap_err().to_string();
    assert!(error.starts_with(&*taken.to_string_lossy()) && error.contains("another cache.folder"), "{error}");
    let visitor = Cache::open(&settings(&folder.path().join("none")), &preprocess(16), None).unwrap();
    assert_eq!(visitor.summary().path, None);
    assert!(!folder.path().join("none").exists(), "a visitor makes nothing");
}
