//! An image file, by every way of decoding and scaling.
#![no_main]

use std::path::Path;

use gleaner::pixels::{Channels, Crop, Limits, Loader, Preprocess, Resize};
use libfuzzer_sys::fuzz_target;

fn decode(bytes: &[u8], channels: Channels, resize: Resize, crop: Crop) {
    let preprocess = Preprocess {
        height: 9,
        width: 7,
        channels,
        resize,
        crop,
        crop_fraction: 0.875,
        mean: vec![0.5; channels.count()],
        std: vec![0.5; channels.count()],
        limits: Limits { pixels: 1 << 18, bytes: 1 << 20 },
    };
    let mut pixels = vec![0; preprocess.bytes()];
    let _ = Loader::new(&preprocess).decode(bytes, Path::new("image"), &mut pixels);
}

fuzz_target!(|bytes: &[u8]| {
    decode(bytes, Channels::Grey, Resize::Bilinear, Crop::Center);
    decode(bytes, Channels::Rgb, Resize::Bilinear, Crop::None);
    decode(bytes, Channels::Rgb, Resize::Lanczos, Crop::Center);
    decode(bytes, Channels::Grey, Resize::Nearest, Crop::None);
});
