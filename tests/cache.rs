//! Decoded images, kept: through thick and thin the pixels are those that decoding gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests stand outside the test functions

mod small_disk;

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use gleaner::cache::{Cache, CacheError, Settings, Source};
use gleaner::pixels::{Channels, Crop, Limits, Loader, PixelError, Preprocess, Resize};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use small_disk::SmallDisk;

/// Bytes before the table of a cache file, of a cell of it, and of the record before an image's pixels.
const HEADER: u64 = 4096;
const CELL: u64 = 8;
const RECORD: u64 = 40;

fn preprocess(side: u32) -> Preprocess {
    Preprocess {
        height: side,
        width: side,
        channels: Channels::Rgb,
        resize: Resize::Bilinear,
        crop: Crop::Center,
        crop_fraction: 1.0,
        mean: vec![0.5; 3],
        std: vec![0.5; 3],
        limits: Limits::default(),
    }
}

fn settings(folder: &Path) -> Settings {
    Settings { folder: folder.to_owned(), max_bytes: 1 << 30, keep_free: 0 }
}

fn open(folder: &Path, side: u32, images: u64) -> Cache {
    Cache::open(&settings(folder), &preprocess(side), Some(images)).unwrap()
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pixels/images");
    let names = ["png-rgb.png", "png-interlaced.png", "jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-grey.jpg"];
    names.iter().map(|name| folder.join(name)).collect()
}

/// What decoding gives, without any cache.
fn decoded(path: &Path, side: u32) -> Vec<u8> {
    let mut out = vec![0; preprocess(side).bytes()];
    Loader::new(&preprocess(side)).load(path, &mut out).unwrap();
    out
}

/// Loads through the cache; the pixels must be right, wherever they come from.
fn load(cache: &Cache, path: &Path, side: u32) -> Source {
    let mut out = vec![0; preprocess(side).bytes()];
    let mut loader = Loader::new(&preprocess(side));
    let source = cache.load(path, &mut out, |out| loader.load(path, out)).unwrap();
    assert!(out == decoded(path, side), "{}, {source:?}: other pixels than decoding gives", path.display());
    source
}

/// The one cache file of a folder.
fn file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// Images that need no file behind their pixels: the path's own bytes again and again.
fn drawn(path: &Path, out: &mut [u8]) -> Result<(), Infallible> {
    let bytes = path.as_os_str().as_encoded_bytes();
    out.iter_mut().zip(bytes.iter().rev().cycle()).for_each(|(to, from)| *to = *from);
    Ok(())
}

fn load_drawn(cache: &Cache, path: &Path, bytes: usize) -> Source {
    let mut out = vec![0; bytes];
    let source = cache.load(path, &mut out, |out| drawn(path, out)).unwrap();
    let mut expected = vec![0; bytes];
    drawn(path, &mut expected).unwrap();
    assert!(out == expected, "{}, {source:?}: other pixels", path.display());
    source
}

/// Empty files with these numbers for names: the cache looks at length and time of an image's file only.
fn empty_files(folder: &Path, count: u32) -> Vec<PathBuf> {
    let make = |number| {
        let path = folder.join(format!("{number}.png"));
        File::create(&path).unwrap();
        path
    };
    (0..count).map(make).collect()
}

#[test]
fn what_is_kept_is_what_decoding_gives_now_and_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let images = fixtures();
    // 7 x 7 x 3 is 147 bytes, no multiple of a word.
    for side in [7, 32] {
        let cache = open(folder.path(), side, 10);
        for expected in [Source::Decoded, Source::Kept] {
            images.iter().for_each(|path| assert_eq!(load(&cache, path, side), expected));
        }
        let summary = cache.summary();
        assert_eq!((summary.images, summary.hits, summary.misses), (5, 5, 5));
        assert_eq!(summary.bytes, 5 * u64::from(side) * u64::from(side) * 3);
        assert_eq!((summary.ended, cache.news()), (None, None));
        drop(cache);
        let cache = open(folder.path(), side, 10);
        images.iter().for_each(|path| assert_eq!(load(&cache, path, side), Source::Kept));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "one file for each preprocessing");
}

#[test]
fn a_changed_image_is_decoded_anew_at_the_next_start_and_kept_again() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, ..] = fixtures().try_into().unwrap_or([const { PathBuf::new() }; 5]);
    let image = folder.path().join("image");
    let kept = folder.path().join("cache");
    fs::copy(first, &image).unwrap();
    assert_eq!(load(&open(&kept, 16, 1), &image, 16), Source::Decoded);
    fs::copy(&second, &image).unwrap();
    let cache = open(&kept, 16, 1);
    assert_eq!(load(&cache, &image, 16), Source::Decoded);
    assert_eq!(load(&cache, &image, 16), Source::Kept);
    assert_eq!(cache.summary().images, 1, "it keeps its slot");

    // The same length and other pixels: the time tells.
    let mut bytes = fs::read(&second).unwrap();
    fs::write(&image, &bytes).unwrap();
    let later = SystemTime::now() + Duration::from_secs(5);
    File::open(&image).unwrap().set_modified(later).unwrap();
    assert_eq!(load(&open(&kept, 16, 1), &image, 16), Source::Decoded);
    // The same time and another length.
    bytes.push(0);
    fs::write(&image, &bytes).unwrap();
    File::open(&image).unwrap().set_modified(later).unwrap();
    assert_eq!(load(&open(&kept, 16, 1), &image, 16), Source::Decoded);
    assert_eq!(load(&open(&kept, 16, 1), &image, 16), Source::Kept);

    fs::remove_file(&image).unwrap();
    let error = open(&kept, 16, 1).load(&image, &mut [0; 768], |out| preprocess(16).load(&image, out));
    assert!(matches!(error, Err(PixelError::Missing { .. })), "{error:?}");
}

#[test]
fn an_image_that_cannot_be_decoded_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    fs::write(&image, "no image").unwrap();
    let cache = open(&folder.path().join("cache"), 16, 1);
    for _ in 0..2 {
        let error = cache.load(&image, &mut [0; 768], |out| preprocess(16).load(&image, out));
        assert!(matches!(error, Err(PixelError::Corrupt { .. })), "{error:?}");
    }
    // A slice of another length goes to the decoder, which has words for it.
    let error = cache.load(&fixtures()[0], &mut [0; 7], |out| preprocess(16).load(&fixtures()[0], out));
    assert!(matches!(error, Err(PixelError::OutputSize { .. })), "{error:?}");
    assert_eq!(cache.summary().images, 0);
}

#[test]
fn each_flipped_byte_of_an_image_is_noticed_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let image = &fixtures()[0];
    assert_eq!(load(&open(folder.path(), 3, 1), image, 3), Source::Decoded);
    let path = file(folder.path());
    let whole = fs::read(&path).unwrap();
    let slot = whole.windows(27).position(|window| window == decoded(image, 3)).unwrap() - RECORD as usize;
    let mut unnoticed = 0;
    for byte in slot..slot + RECORD as usize + 27 {
        rewrite(&path, |bytes| bytes[byte] ^= 0x10);
        let cache = open(folder.path(), 3, 1);
        unnoticed += u32::from(load(&cache, image, 3) != Source::Decoded);
        assert_eq!(load(&cache, image, 3), Source::Kept, "byte {byte}");
        assert_eq!(fs::read(&path).unwrap(), whole, "byte {byte} is mended, in place");
    }
    assert_eq!(unnoticed, 0);
}

#[test]
fn a_table_that_lies_never_gives_another_images_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let images = fixtures();
    let fill = || {
        let cache = open(folder.path(), 16, 5);
        images.iter().for_each(|path| {
            load(&cache, path, 16);
        });
    };
    fill();
    let path = file(folder.path());
    let table = HEADER as usize..(HEADER + CELL * 2 * open(folder.path(), 16, 5).summary().room) as usize;
    let entries: Vec<usize> = {
        let bytes = fs::read(&path).unwrap();
        table.clone().step_by(8).filter(|cell| bytes[*cell..*cell + 8] != [0; 8]).collect()
    };
    assert_eq!(entries.len(), 5);
    // Each entry names its neighbour's slot; then one beyond the end; then nothing but ones everywhere.
    let slots: Vec<u8> = entries.iter().map(|cell| fs::read(&path).unwrap()[*cell]).collect();
    rewrite(&path, |bytes| {
        entries.iter().zip(slots.iter().cycle().skip(1)).for_each(|(cell, slot)| bytes[*cell] = *slot);
    });
    (0..3).for_each(|_| fill());
    rewrite(&path, |bytes| entries.iter().for_each(|cell| bytes[*cell..*cell + 4].fill(0xff)));
    (0..2).for_each(|_| fill());
    rewrite(&path, |bytes| bytes[table.clone()].fill(0xff));
    (0..2).for_each(|_| fill());
    rewrite(&path, |bytes| bytes[table.clone()].fill(1));
    (0..2).for_each(|_| fill());
}

#[test]
fn a_file_that_is_no_cache_is_replaced_by_those_who_make_one_and_left_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let images = fixtures();
    assert_eq!(load(&open(folder.path(), 16, 5), &images[0], 16), Source::Decoded);
    let path = file(folder.path());
    let whole = fs::read(&path).unwrap();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let cases = [
        ("garbage", b"garbage".repeat(100_000)),
        ("empty", Vec::new()),
        ("short", whole[..whole.len() - 1].to_vec()),
        ("header only", whole[..80].to_vec()),
        ("long", changed(|bytes| bytes.push(0))),
        ("magic", changed(|bytes| bytes[0] ^= 1)),
        ("version", changed(|bytes| bytes[8] ^= 1)),
        ("key", changed(|bytes| bytes[16] ^= 1)),
        ("slots", changed(|bytes| bytes[56] ^= 1)),
    ];
    for (what, bytes) in cases {
        fs::write(&path, &bytes).unwrap();
        let visitor = Cache::open(&settings(folder.path()), &preprocess(16), None).unwrap();
        assert_eq!(load(&visitor, &images[0], 16), Source::Decoded, "{what}");
        assert_eq!(visitor.summary().path, None, "{what}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}: a visitor leaves it");
        let cache = open(folder.path(), 16, 5);
        assert_eq!(load(&cache, &images[0], 16), Source::Decoded, "{what}");
        assert_eq!(load(&cache, &images[0], 16), Source::Kept, "{what}");
        file(folder.path());
        // Now the visitor finds what is there.
        let visitor = Cache::open(&settings(folder.path()), &preprocess(16), None).unwrap();
        assert_eq!(load(&visitor, &images[0], 16), Source::Kept, "{what}");
        assert_eq!(load(&visitor, &images[1], 16), Source::Decoded, "{what}");
        assert_eq!(load(&cache, &images[1], 16), Source::Kept, "{what}: what a visitor puts in is there for all");
    }
}

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

/// The child of the test below: puts images in until it is killed.
#[test]
#[ignore = "is started by the test below"]
fn a_filler_that_will_be_killed() {
    let Ok(folder) = std::env::var("GLEANER_CACHE_FOLDER") else { return };
    let folder = Path::new(&folder);
    let cache = open(&folder.join("cache"), 64, 2000);
    println!("ready");
    io::stdout().flush().unwrap();
    for number in 0..2000 {
        let path = folder.join(format!("{number}.png"));
        load_drawn(&cache, &path, 64 * 64 * 3);
    }
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn after_a_kill_at_any_moment_what_is_kept_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 2000);
    let kept = folder.path().join("cache");
    let mut before = 0;
    for delay in [0, 1, 2, 3, 5, 8] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "a_filler_that_will_be_killed"])
            .env("GLEANER_CACHE_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().contains("ready") {}
        thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = open(&kept, 64, 2000);
        let held = cache.summary().images;
        assert!(held >= before, "{held} after {before}");
        let hits = images.iter().filter(|path| {
            let mut out = vec![0; 64 * 64 * 3];
            let source = cache.load(path, &mut out, |_| Err(())).unwrap_or(Source::Decoded);
            let mut expected = out.clone();
            drawn(path, &mut expected).unwrap();
            assert!(source == Source::Decoded || out == expected, "{}", path.display());
            source == Source::Kept
        });
        assert_eq!(hits.count() as u64, held, "every entry is whole");
        before = held;
    }
    assert!(before > 0, "no child got far enough to be worth killing");
    let cache = open(&kept, 64, 2000);
    images.iter().for_each(|path| {
        load_drawn(&cache, path, 64 * 64 * 3);
    });
    images.iter().for_each(|path| assert_eq!(load_drawn(&cache, path, 64 * 64 * 3), Source::Kept));
}

/// The child of the test below: makes a cache with a table so long that it can be met at it.
#[test]
#[ignore = "is started by the test below"]
fn a_maker_that_will_be_killed() {
    let Ok(folder) = std::env::var("GLEANER_CACHE_FOLDER") else { return };
    open(Path::new(&folder), 1, 8_000_000);
}

/// Files in the folder that are not whole yet.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_none()).collect()
}

/// A process that has stopped for a while in the middle of making a cache.
fn maker_at_work(folder: &Path) -> Child {
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "a_maker_that_will_be_killed"])
            .env("GLEANER_CACHE_FOLDER", folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = || unfinished(folder).iter().any(|path| path.metadata().is_ok_and(|file| file.len() > 0));
        while child.try_wait().unwrap().is_none() {
            if begun() {
                let process = Pid::from_child(&child);
                kill_process(process, Signal::STOP).unwrap();
                waitid(WaitId::Pid(process), WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
                    .unwrap();
                if begun() {
                    return child;
                }
                child.kill().unwrap();
            }
        }
        // It was done before it could be stopped.
        fs::remove_dir_all(folder).unwrap();
        fs::create_dir(folder).unwrap();
    }
}

#[test]
fn what_a_killed_process_was_making_is_removed_and_what_is_being_made_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut maker = maker_at_work(folder.path());
    open(folder.path(), 2, 5);
    assert_eq!(unfinished(folder.path()).len(), 1, "it goes on in a moment");
    maker.kill().unwrap();
    maker.wait().unwrap();
    assert_eq!(unfinished(folder.path()).len(), 1, "or else there is nothing to show");
    open(folder.path(), 2, 5);
    assert!(unfinished(folder.path()).is_empty());
}
