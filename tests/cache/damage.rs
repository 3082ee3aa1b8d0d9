//! Files that were damaged, that lie, or that are no cache: no wrong pixel comes out of them.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use gleaner::cache::{Cache, Source};

use super::loading::{decoded, file, fixtures, load, open, preprocess, settings};

/// Bytes before the table of a cache file, of a cell of it, and of the record before an image's pixels.
const HEADER: u64 = 4096;
const CELL: u64 = 8;
const RECORD: u64 = 40;

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
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
