//! Images, decoded and drawn, and what comes of loading them through the cache: pixels that must be right.

use std::convert::Infallible;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use gleaner::cache::{Cache, Settings, Source};
use gleaner::pixels::{Channels, Crop, Limits, Loader, Preprocess, Resize};

pub(crate) fn preprocess(side: u32) -> Preprocess {
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

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings { folder: folder.to_owned(), max_bytes: 1 << 30, keep_free: 0 }
}

pub(crate) fn open(folder: &Path, side: u32, images: u64) -> Cache {
    Cache::open(&settings(folder), &preprocess(side), Some(images)).unwrap()
}

pub(crate) fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pixels/images");
    let names = ["png-rgb.png", "png-interlaced.png", "jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-grey.jpg"];
    names.iter().map(|name| folder.join(name)).collect()
}

/// What decoding gives, without any cache.
pub(crate) fn decoded(path: &Path, side: u32) -> Vec<u8> {
    let mut out = vec![0; preprocess(side).bytes()];
    Loader::new(&preprocess(side)).load(path, &mut out).unwrap();
    out
}

/// Loads through the cache; the pixels must be right, wherever they come from.
pub(crate) fn load(cache: &Cache, path: &Path, side: u32) -> Source {
    let mut out = vec![0; preprocess(side).bytes()];
    let mut loader = Loader::new(&preprocess(side));
    let source = cache.load(path, &mut out, |out| loader.load(path, out)).unwrap();
    assert!(out == decoded(path, side), "{}, {source:?}: other pixels than decoding gives", path.display());
    source
}

/// The one cache file of a folder.
pub(crate) fn file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Images that need no file behind their pixels: the path's own bytes again and again.
pub(crate) fn drawn(path: &Path, out: &mut [u8]) -> Result<(), Infallible> {
    let bytes = path.as_os_str().as_encoded_bytes();
    out.iter_mut().zip(bytes.iter().rev().cycle()).for_each(|(to, from)| *to = *from);
    Ok(())
}

pub(crate) fn load_drawn(cache: &Cache, path: &Path, bytes: usize) -> Source {
    let mut out = vec![0; bytes];
    let source = cache.load(path, &mut out, |out| drawn(path, out)).unwrap();
    let mut expected = vec![0; bytes];
    drawn(path, &mut expected).unwrap();
    assert!(out == expected, "{}, {source:?}: other pixels", path.display());
    source
}

/// Empty files with these numbers for names: the cache looks at length and time of an image's file only.
pub(crate) fn empty_files(folder: &Path, count: u32) -> Vec<PathBuf> {
    let make = |number| {
        let path = folder.join(format!("{number}.png"));
        File::create(&path).unwrap();
        path
    };
    (0..count).map(make).collect()
}
