//! How a preprocessing and an image are named.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use twox_hash::XxHash3_128;

use super::layout::Key;
use crate::digest;
use crate::pixels::{Channels, Crop, GENERATION, Limits, Preprocess, Resize};

/// The name of everything that decides about pixels, in hexadecimal digits; limits do, for what is kept is not held
/// against them again. Mean and standard deviation do not: the pixels kept are `u8`.
pub(super) fn of_preprocess(preprocess: &Preprocess) -> Key {
    let Preprocess { height, width, channels, resize, crop, crop_fraction, mean: _, std: _, limits } = preprocess;
    let Limits { pixels, bytes } = limits;
    let channels = match channels {
        Channels::Grey => "grey",
        Channels::Rgb => "rgb",
    };
    let resize = match resize {
        Resize::Bilinear => "bilinear",
        Resize::Bicubic => "bicubic",
        Resize::Lanczos => "lanczos",
        Resize::Nearest => "nearest",
    };
    let crop = match crop {
        Crop::Center => format!("center {:08x}", crop_fraction.to_bits()),
        Crop::None => "none".to_owned(),
    };
    let text = format!("generation {GENERATION}\n{height} {width} {channels}\n{resize}\n{crop}\n{pixels} {bytes}\n");
    let mut key = [0; 32];
    for (digit, found) in key.iter_mut().zip(digest::of_bytes(text.as_bytes()).bytes()) {
        *digit = found;
    }
    key
}

/// The hash of an image's absolute path.
pub(super) fn of_path(path: &Path) -> u128 {
    XxHash3_128::oneshot(plain(path).as_os_str().as_bytes())
}

/// One spelling of a path: scoring and training join a list's relative paths to folders that may be written otherwise.
fn plain(path: &Path) -> Cow<'_, Path> {
    let bytes = path.as_os_str().as_bytes();
    // Most paths are plain already, and a look at their bytes costs less than taking them apart.
    let odd =
        !path.is_absolute() || bytes.ends_with(b"/") || bytes.windows(2).any(|pair| pair == b"//" || pair == b"/.");
    match odd.then(|| std::path::absolute(path)) {
        Some(Ok(absolute)) => Cow::Owned(absolute),
        Some(Err(_)) | None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocess() -> Preprocess {
        Preprocess {
            height: 28,
            width: 32,
            channels: Channels::Grey,
            resize: Resize::Bilinear,
            crop: Crop::Center,
            crop_fraction: 0.875,
            mean: vec![0.5],
            std: vec![0.5],
            limits: Limits::default(),
        }
    }

    #[test]
    fn the_key_changes_with_what_changes_pixels_and_with_nothing_else() {
        let same = Preprocess { mean: vec![0.1], std: vec![0.2], ..preprocess() };
        assert_eq!(of_preprocess(&same), of_preprocess(&preprocess()));
        let others = [
            preprocess(),
            Preprocess { height: 32, width: 28, ..preprocess() },
            Preprocess { channels: Channels::Rgb, ..preprocess() },
            Preprocess { resize: Resize::Nearest, ..preprocess() },
            Preprocess { crop: Crop::None, ..preprocess() },
            Preprocess { crop_fraction: 0.876, ..preprocess() },
            Preprocess { limits: Limits { pixels: 4, ..Limits::default() }, ..preprocess() },
            Preprocess { limits: Limits { bytes: 4, ..Limits::default() }, ..preprocess() },
        ];
        for (index, one) in others.iter().enumerate() {
            for other in &others[..index] {
                assert_ne!(of_preprocess(one), of_preprocess(other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn spellings_of_one_path_are_one() {
        let here = std::env::current_dir().unwrap();
        let path = here.join("a/b.png");
        for spelling in ["a/b.png", "./a/b.png", "a//b.png", "a/./b.png"] {
            assert_eq!(of_path(Path::new(spelling)), of_path(&path), "{spelling}");
            assert_eq!(of_path(&here.join(spelling)), of_path(&path), "{spelling}");
        }
        assert_ne!(of_path(Path::new("a/c.png")), of_path(&path));
        assert_ne!(of_path(Path::new("a/../a/b.png")), of_path(&path), "a may be a link");
    }
}
