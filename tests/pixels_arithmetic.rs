//! Augmentation and normalisation against arrays and sums worked out by hand.

use gleaner::pixels::{Augment, Channels, Crop, Layout, Limits, Normaliser, PixelError, Preprocess, Resize};

fn settings(height: u32, width: u32, channels: Channels) -> Preprocess {
    let count = channels.count();
    Preprocess {
        height,
        width,
        channels,
        resize: Resize::Bilinear,
        crop: Crop::Center,
        crop_fraction: 1.0,
        mean: [0.5, 0.25, 0.0][..count].to_vec(),
        std: [0.5, 0.25, 2.0][..count].to_vec(),
        limits: Limits::default(),
    }
}

/// Only the flip and the padded crop.
fn moved(flip: bool, pad: u32) -> Augment {
    Augment { flip, pad, ..Augment::default() }
}

const FLIP: u64 = 1 << 63;

/// The bits that choose place `down` of `count` rows and `right` of `count` columns: the middle of each share.
fn bits(down: u64, right: u64, count: u64) -> u64 {
    let share = |place: u64, width: u32| ((2 * place + 1) << width) / (2 * count);
    (share(down, 31) << 32) | share(right, 32)
}

fn apply(augment: Augment, bits: u64, settings: &Preprocess, pixels: &[u8]) -> Vec<u8> {
    let mut out = vec![99; pixels.len()];
    augment.apply(bits, settings, pixels, &mut out);
    out
}

#[rustfmt::skip]
const GREY: [u8; 6] = [1, 2, 3,
                       4, 5, 6];

#[test]
fn the_highest_bit_flips_left_and_right() {
    let augment = moved(true, 0);
    let grey = settings(2, 3, Channels::Grey);
    assert_eq!(apply(augment, 0, &grey, &GREY), GREY);
    assert_eq!(apply(augment, FLIP, &grey, &GREY), [3, 2, 1, 6, 5, 4]);
    assert_eq!(apply(moved(false, 0), FLIP, &grey, &GREY), GREY);
    let colour = settings(1, 2, Channels::Rgb);
    assert_eq!(apply(augment, FLIP, &colour, &[1, 2, 3, 4, 5, 6]), [4, 5, 6, 1, 2, 3]);
}

#[test]
fn every_place_of_a_padded_crop() {
    // With pad 1 the 2x3 image lies in 4x5 zeros; these are its nine windows of 2x3, from the top left.
    #[rustfmt::skip]
    let windows: [[u8; 6]; 9] = [
        [0, 0, 0,  0, 1, 2], [0, 0, 0,  1, 2, 3], [0, 0, 0,  2, 3, 0],
        [0, 1, 2,  0, 4, 5], [1, 2, 3,  4, 5, 6], [2, 3, 0,  5, 6, 0],
        [0, 4, 5,  0, 0, 0], [4, 5, 6,  0, 0, 0], [5, 6, 0,  0, 0, 0],
    ];
    let augment = moved(false, 1);
    for (place, window) in windows.iter().enumerate() {
        let bits = bits(place as u64 / 3, place as u64 % 3, 3);
        assert_eq!(apply(augment, bits, &settings(2, 3, Channels::Grey), &GREY), window, "place {place}");
    }
}

#[test]
fn a_colour_crop_moves_whole_pixels_and_is_flipped_after_it() {
    let colour = settings(1, 2, Channels::Rgb);
    // Moved right by one: zero, then the first pixel. Flipped: the first pixel, then zero.
    let bits = bits(1, 0, 3);
    assert_eq!(apply(moved(true, 1), bits, &colour, &[1, 2, 3, 4, 5, 6]), [0, 0, 0, 1, 2, 3]);
    assert_eq!(apply(moved(true, 1), bits | FLIP, &colour, &[1, 2, 3, 4, 5, 6]), [1, 2, 3, 0, 0, 0]);
}

#[test]
fn a_pad_wider_than_the_image_can_leave_nothing_of_it() {
    let augment = moved(true, 1000);
    assert_eq!(apply(augment, 0, &settings(2, 3, Channels::Grey), &GREY), [0; 6]);
    assert_eq!(apply(augment, u64::MAX, &settings(2, 3, Channels::Grey), &GREY), [0; 6]);
}

#[test]
fn places_are_drawn_evenly() {
    // 90000 draws by a multiplier that has nothing to do with the code: each of the 9 places about 10000 times.
    let mut counts = std::collections::BTreeMap::<Vec<u8>, u32>::new();
    for draw in 0..90_000_u64 {
        let bits = draw.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        *counts.entry(apply(moved(false, 1), bits, &settings(2, 3, Channels::Grey), &GREY)).or_default() += 1;
    }
    assert_eq!(counts.len(), 9);
    assert!(counts.values().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
}

fn close(ours: &[f32], by_hand: &[f32]) {
    assert_eq!(ours.len(), by_hand.len());
    for (ours, by_hand) in ours.iter().zip(by_hand) {
        assert!((ours - by_hand).abs() < 1e-6, "{ours} is not {by_hand}");
    }
}

#[test]
fn grey_levels_are_normalised() {
    let settings = settings(1, 3, Channels::Grey);
    for layout in [Layout::Nchw, Layout::Nhwc] {
        let mut out = vec![0.0; 3];
        settings.normalise(&[0, 51, 255], layout, &mut out).unwrap();
        close(&out, &[-1.0, -0.6, 1.0]); // (0.2 - 0.5) / 0.5 = -0.6
    }
}

#[test]
fn colours_are_normalised_by_their_own_channel_in_either_layout() {
    let normaliser = Normaliser::new(&settings(1, 2, Channels::Rgb)).unwrap();
    // Two images of two pixels. 51 = 0.2, 102 = 0.4, 204 = 0.8.
    let pixels = [0, 51, 255, 255, 102, 0, 51, 0, 204, 102, 255, 51];
    let mut out = vec![0.0; 12];
    normaliser.normalise(&pixels, 2, Layout::Nhwc, &mut out);
    close(&out, &[-1.0, -0.2, 0.5, 1.0, 0.6, 0.0, -0.6, -1.0, 0.4, -0.2, 3.0, 0.1]);
    normaliser.normalise(&pixels, 2, Layout::Nchw, &mut out);
    close(&out, &[-1.0, 1.0, -0.2, 0.6, 0.5, 0.0, -0.6, -0.2, -1.0, 3.0, 0.4, 0.1]);
}

#[test]
fn a_mean_or_std_that_cannot_be_used_is_named() {
    let good = settings(1, 1, Channels::Rgb);
    let bad = [
        (Preprocess { mean: vec![0.5], ..good.clone() }, "mean"),
        (Preprocess { std: vec![1.0; 4], ..good.clone() }, "std"),
        (Preprocess { std: vec![1.0, 0.0, 1.0], ..good.clone() }, "std"),
        (Preprocess { mean: vec![0.5, f32::NAN, 0.5], ..good }, "mean"),
    ];
    for (settings, word) in bad {
        match Normaliser::new(&settings) {
            Err(PixelError::Settings { reason }) => assert!(reason.starts_with(word), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
