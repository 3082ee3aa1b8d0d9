//! What becomes of an image: kept as it was decoded, decoded anew when it has changed, never kept when it cannot be.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use gleaner::cache::Source;
use gleaner::pixels::PixelError;

use super::loading::{fixtures, load, open, preprocess};

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
