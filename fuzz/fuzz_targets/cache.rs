//! The file of decoded images, damaged: whatever it holds, an image has the pixels that decoding gives.
//!
//! An input is a list of damages to a good file: where (a 64-bit word, by its 16-bit number), and what stands there then.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gleaner::cache::{Cache, Settings};
use gleaner::pixels::{Channels, Crop, Limits, Preprocess, Resize};
use gleaner_fuzz::folder;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const IMAGES: usize = 8;
const SIDE: u32 = 2;
const WORD: usize = 8;

/// A cache, as it is before the damage.
struct Good {
    folder: TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
    /// The files whose pixels are in it; where a path's are follows from the path, so that a finding is found again.
    images: Vec<PathBuf>,
}

fn preprocess() -> Preprocess {
    Preprocess {
        height: SIDE,
        width: SIDE,
        channels: Channels::Grey,
        resize: Resize::Nearest,
        crop: Crop::None,
        crop_fraction: 1.0,
        mean: vec![0.5],
        std: vec![0.5],
        limits: Limits::default(),
    }
}

fn open(folder: &Path, images: Option<u64>) -> Cache {
    let settings = Settings { folder: folder.to_owned(), max_bytes: 1 << 20, keep_free: 0 };
    Cache::open(&settings, &preprocess(), images).expect("a cache, this one or a new one")
}

/// Loads every image, and holds it against what decoding gives.
fn load_all(cache: &Cache, images: &[PathBuf]) {
    for (number, path) in (1..).zip(images) {
        let decode = |pixels: &mut [u8]| -> Result<(), ()> {
            pixels.fill(number);
            Ok(())
        };
        let mut pixels = [0; (SIDE * SIDE) as usize];
        cache.load(path, &mut pixels, decode).expect("decoding does not fail");
        assert_eq!(pixels, [number; (SIDE * SIDE) as usize], "{}", path.display());
    }
}

fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/pixels/images");
        let files = fixtures.read_dir().expect("the tests' images").flatten();
        let mut images: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
        images.sort();
        images.truncate(IMAGES);
        let folder = folder();
        let cache = open(folder.path(), Some(IMAGES as u64));
        load_all(&cache, &images);
        let path = cache.summary().path.expect("a cache that is on");
        let bytes = fs::read(&path).expect("the cache's file");
        Good { folder, path, bytes, images }
    })
}

fuzz_target!(|damages: &[u8]| {
    let good = good();
    let mut bytes = good.bytes.clone();
    let words = bytes.len() / WORD;
    for damage in damages.as_chunks::<{ 2 + WORD }>().0 {
        let [low, high, word @ ..] = damage;
        let at = usize::from(u16::from_le_bytes([*low, *high])) % words * WORD;
        bytes[at..at + WORD].copy_from_slice(word);
    }
    for images in [None, Some(IMAGES as u64)] {
        fs::write(&good.path, &bytes).expect("the cache's file");
        let cache = open(good.folder.path(), images);
        load_all(&cache, &good.images);
        load_all(&cache, &good.images);
        let summary = cache.summary();
        assert!(summary.images <= 2 * summary.room, "{summary:?}");
    }
});
