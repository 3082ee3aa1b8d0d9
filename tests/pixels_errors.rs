//! What a bad file gives: an error that names the file and the remedy, never a picture and never a panic.

#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests stand outside the test functions

use std::path::{Path, PathBuf};
use std::process::Command;

use gleaner::pixels::{Channels, Crop, Limits, Loader, PixelError, Preprocess, Resize};

fn settings() -> Preprocess {
    Preprocess {
        height: 8,
        width: 8,
        channels: Channels::Rgb,
        resize: Resize::Bilinear,
        crop: Crop::None,
        crop_fraction: 1.0,
        mean: vec![0.5; 3],
        std: vec![0.5; 3],
        limits: Limits::default(),
    }
}

fn decode(encoded: &[u8]) -> Result<Vec<u8>, PixelError> {
    let mut out = vec![0; settings().bytes()];
    Loader::new(&settings()).decode(encoded, Path::new("pool/odd.img"), &mut out).map(|()| out)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pixels/images")
}

fn refused_as_corrupt(encoded: &[u8], what: &str) {
    match decode(encoded) {
        Err(error @ PixelError::Corrupt { .. }) => {
            let message = error.to_string();
            assert!(message.contains("pool/odd.img") && message.contains("replace it"), "{what}: {message}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn a_picture_cut_short_is_an_error_wherever_it_is_cut() {
    for name in ["png-rgb.png", "png-interlaced.png", "jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-grey.jpg"] {
        let whole = std::fs::read(fixtures().join(name)).unwrap();
        assert!(decode(&whole).is_ok(), "{name} is not whole itself");
        // A PNG ends with 12 bytes of IEND and 4 of a checksum, which carry no pixels.
        let last = if name.ends_with("png") { whole.len() - 17 } else { whole.len() - 1 };
        for length in 1..=last {
            assert!(decode(&whole[..length]).is_err(), "{name} cut to {length} of {} bytes gave pixels", whole.len());
        }
        refused_as_corrupt(&whole[..last / 2], name);
    }
}

#[test]
fn other_kinds_cut_in_half_are_errors() {
    for name in ["webp-lossless.webp", "webp-lossy.webp", "bmp-rgb.bmp", "gif.gif"] {
        let whole = std::fs::read(fixtures().join(name)).unwrap();
        refused_as_corrupt(&whole[..whole.len() / 2], name);
    }
}

#[test]
fn damage_never_panics() {
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let _either = decode(&damaged);
        }
    }
}

#[test]
fn files_that_are_no_images() {
    refused_as_corrupt(b"", "an empty file");
    refused_as_corrupt(b"cat 3\ndog 4\n", "a text file");
    refused_as_corrupt(b"\x89PNG\r\n\x1a\n", "only the first bytes of a PNG");
    refused_as_corrupt(b"\xff\xd8\xff", "only the first bytes of a JPEG");
}

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let mut out = vec![0; settings().bytes()];
    let missing = settings().load(Path::new("no/such/image.png"), &mut out).unwrap_err();
    assert!(matches!(missing, PixelError::Missing { .. }), "{missing:?}");
    assert!(missing.to_string().contains("no/such/image.png"), "{missing}");
    let folder = settings().load(&fixtures(), &mut out).unwrap_err();
    assert!(matches!(folder, PixelError::Unreadable { .. }), "{folder:?}");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let mut out = vec![0; settings().bytes()];
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.png");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), Path::new("/dev/zero")] {
        let error = settings().load(path, &mut out).unwrap_err().to_string();
        assert!(error.contains("cannot be read (it is no regular file)"), "{error}");
    }
}

#[test]
fn a_slice_of_another_length_is_refused() {
    let mut out = vec![0; settings().bytes() - 1];
    let error = settings().load(&fixtures().join("png-rgb.png"), &mut out).unwrap_err();
    assert!(matches!(error, PixelError::OutputSize { given: 191, needed: 192, .. }), "{error:?}");
}

/// CRC-32 of a PNG chunk, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

fn announced(error: Result<Vec<u8>, PixelError>) -> (u32, u32) {
    match error {
        Err(PixelError::TooLarge { width, height, limit, .. }) => {
            assert_eq!(limit, 100_000_000);
            (width, height)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_header_that_claims_too_many_pixels_is_refused() {
    let mut png = std::fs::read(fixtures().join("png-rgb.png")).unwrap();
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]); // 60000 x 60000
    let sum = checksum(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(announced(decode(&png)), (60_000, 60_000));

    let mut jpeg = std::fs::read(fixtures().join("jpeg-420.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert_eq!(announced(decode(&jpeg)), (60_000, 60_000));

    let mut bmp = std::fs::read(fixtures().join("bmp-rgb.bmp")).unwrap();
    bmp[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    assert_eq!(announced(decode(&bmp)), (60_000, 60_000));

    let mut gif = std::fs::read(fixtures().join("gif.gif")).unwrap();
    gif[6..10].copy_from_slice(&[0x60, 0xea, 0x60, 0xea]);
    assert_eq!(announced(decode(&gif)), (60_000, 60_000));
}

#[test]
fn a_frame_that_claims_too_many_pixels_is_refused() {
    // The picture has 29 x 21 pixels, its frame 12366 x 54208; `make fuzz` has made it.
    let gif = std::fs::read(fixtures().with_file_name("found").join("frame-beyond-picture.gif")).unwrap();
    let error = decode(&gif).unwrap_err().to_string();
    assert!(error.contains("a frame of it claims more than the 100000000 pixels that are decoded"), "{error}");
}

#[test]
fn limits_hold_to_the_pixel_and_to_the_byte() {
    // 29 x 21 pixels, as its header says; of a JPEG the size is told elsewhere.
    for name in ["png-rgb.png", "jpeg-420.jpg", "bmp-rgb.bmp", "gif.gif", "webp-lossy.webp"] {
        let path = fixtures().join(name);
        let bytes = std::fs::metadata(&path).unwrap().len();
        let load = |limits| {
            let settings = Preprocess { limits, ..settings() };
            settings.load(&path, &mut vec![0; settings.bytes()])
        };
        load(Limits { pixels: 29 * 21, bytes }).unwrap_or_else(|error| panic!("{name}: {error}"));
        let error = load(Limits { pixels: 29 * 21 - 1, bytes }).unwrap_err();
        assert!(matches!(error, PixelError::TooLarge { width: 29, height: 21, limit: 608, .. }), "{name}: {error:?}");
        let message = error.to_string();
        assert!(
            message.contains(name) && message.contains("29x21") && message.contains("pixels.max_megapixels"),
            "{message}"
        );
        let error = load(Limits { pixels: 29 * 21, bytes: bytes - 1 }).unwrap_err();
        assert!(matches!(error, PixelError::TooLong { bytes: found, .. } if found == bytes), "{name}: {error:?}");
        let message = error.to_string();
        assert!(message.contains(name) && message.contains("pixels.max_file_mib"), "{message}");
    }
}

#[test]
fn settings_that_cannot_be_met_are_named() {
    let encoded = std::fs::read(fixtures().join("png-rgb.png")).unwrap();
    for (height, fraction, word) in
        [(0, 1.0, "size"), (8, 0.0, "crop_fraction"), (8, 1.5, "crop_fraction"), (8, f32::NAN, "crop_fraction")]
    {
        let settings = Preprocess { height, crop: Crop::Center, crop_fraction: fraction, ..settings() };
        let mut out = vec![0; settings.bytes()];
        let error = Loader::new(&settings).decode(&encoded, Path::new("x.png"), &mut out).unwrap_err();
        assert!(matches!(error, PixelError::Settings { .. }) && error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_crop_that_needs_too_large_a_picture_is_refused_by_name() {
    // 9000 rows of a picture of 29x21 take 12428 columns: 111 megapixels, of which 8 columns would be kept.
    let settings = Preprocess { height: 9000, crop: Crop::Center, ..settings() };
    let mut out = vec![0; settings.bytes()];
    let error = settings.load(&fixtures().join("png-rgb.png"), &mut out).unwrap_err();
    assert!(matches!(error, PixelError::Elongated { scaled: (12_428, 9_000), .. }), "{error:?}");
    assert!(error.to_string().contains("png-rgb.png"), "{error}");
}
