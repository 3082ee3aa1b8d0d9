//! Random changes of images against Pillow and torchvision (tests/fixtures/augment/make.py), and what is drawn against
//! arithmetic.

#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests stand outside the test functions

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gleaner::draw::{Draws, Stream};
use gleaner::pixels::{
    Augment, Channels, Crop, Erase, Jitter, Limits, Loader, Operation, Preprocess, RandAugment, RandomCrop, Resize,
    Window,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/augment").join(name)
}

fn lines(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

fn settings(height: u32, width: u32, channels: Channels, resize: Resize) -> Preprocess {
    let count = channels.count();
    let (mean, std) = (vec![0.5; count], vec![0.5; count]);
    let crop = Crop::Center;
    Preprocess { height, width, channels, resize, crop, crop_fraction: 1.0, mean, std, limits: Limits::default() }
}

fn operation(name: &str, value: f64) -> Operation {
    match name {
        "identity" => Operation::Identity,
        "shear_x" => Operation::ShearX(value),
        "shear_y" => Operation::ShearY(value),
        "translate_x" => Operation::TranslateX(value as i32),
        "translate_y" => Operation::TranslateY(value as i32),
        "rotate" => Operation::Rotate(value),
        "brightness" => Operation::Brightness(value as f32),
        "saturation" => Operation::Saturation(value as f32),
        "contrast" => Operation::Contrast(value as f32),
        "sharpness" => Operation::Sharpness(value as f32),
        "hue" => Operation::Hue(value),
        "posterise" => Operation::Posterise(value as u32),
        "solarise" => Operation::Solarise(value),
        "auto_contrast" => Operation::AutoContrast,
        "equalise" => Operation::Equalise,
        other => panic!("{other}"),
    }
}

/// How many levels differ, and by how much at most.
fn distance(ours: &[u8], theirs: &[u8]) -> (usize, u8) {
    let differences = ours.iter().zip(theirs).map(|(ours, theirs)| ours.abs_diff(*theirs));
    (differences.clone().filter(|difference| *difference > 0).count(), differences.max().unwrap_or(0))
}

#[test]
fn every_operation_is_pillows() {
    let (width, height) = (33, 26);
    let expected = std::fs::read(fixture("expected.bin")).unwrap();
    let mut rest = expected.as_slice();
    let mut image = Vec::new();
    let mut changed = 0;
    for case in lines("expected.txt") {
        let channels = if case[0] == "3" { Channels::Rgb } else { Channels::Grey };
        let (expected, after) = rest.split_at((width * height) as usize * channels.count());
        rest = after;
        if case[1] == "identity" {
            image = expected.to_vec();
        }
        let mut pixels = image.clone();
        let value = case.get(2).map_or(0.0, |value| value.parse().unwrap());
        operation(&case[1], value).apply(&mut pixels, width, height, channels);
        assert_eq!(distance(&pixels, expected), (0, 0), "{case:?}");
        changed += usize::from(pixels != image);
    }
    assert!(rest.is_empty() && changed > 70, "{changed}");
}

/// The parts of photo.png that crops.txt has.
const CROP: RandomCrop = RandomCrop { scale: [0.08, 1.0], ratio: [0.75, 4.0 / 3.0] };

#[test]
fn a_part_of_the_original_is_cut_out_and_scaled_as_by_torchvision() {
    let expected = std::fs::read(fixture("crops.bin")).unwrap();
    let mut rest = expected.as_slice();
    for case in lines("crops.txt") {
        let resize = match case[0].as_str() {
            "bilinear" => Resize::Bilinear,
            "bicubic" => Resize::Bicubic,
            "lanczos" => Resize::Lanczos,
            _ => Resize::Nearest,
        };
        let [bits, left, top, width, height] = [1, 2, 3, 4, 5].map(|field: usize| case[field].parse::<u32>().unwrap());
        let bits = u64::from(bits);
        assert_eq!(CROP.draw(bits, 150, 110), Window { left, top, width, height }, "{case:?}");
        let settings = settings(24, 32, Channels::Rgb, resize);
        let mut pixels = vec![77; settings.bytes()];
        let (expected, after) = rest.split_at(settings.bytes());
        rest = after;
        Loader::new(&settings).load_cropped(&fixture("photo.png"), &CROP, bits, &mut pixels).unwrap();
        let (different, largest) = distance(&pixels, expected);
        // As the whole image is scaled: the triangle to within a level in few places, all others to the bit.
        let allowed = if resize == Resize::Bilinear { pixels.len() / 20 } else { 0 };
        assert!(different <= allowed && largest <= 1, "{case:?}: {different} differ, by {largest}");
    }
    assert!(rest.is_empty());
}

/// Draws that have nothing to do with the code.
fn bits(count: u64) -> impl Iterator<Item = u64> {
    let mix =
        |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..count).map(mix)
}

/// Fails unless the shares, of 0 to 1, are even: chi-squared with 19 degrees of freedom stays below 43.8 with probability
/// 0.999.
fn even(name: &str, shares: &[f64]) {
    let mut counts = [0.0; 20];
    shares.iter().for_each(|share| counts[(share * 20.0) as usize] += 1.0);
    let each = shares.len() as f64 / 20.0;
    let chi: f64 = counts.iter().map(|count: &f64| (count - each).powi(2) / each).sum();
    assert!(chi < 43.8, "{name}: {chi} by {counts:?}");
}

#[test]
fn parts_are_drawn_evenly_by_area_shape_and_place() {
    // Half of the area of a square at most, and so shaped, always fits.
    let crop = RandomCrop { scale: [0.08, 0.5], ratio: [0.75, 4.0 / 3.0] };
    let side = 100_000;
    let drawn: Vec<Window> = bits(100_000).map(|bits| crop.draw(bits, side, side)).collect();
    let of = |share: &dyn Fn(&Window) -> f64| drawn.iter().map(share).collect::<Vec<f64>>();
    let side = f64::from(side);
    let area = |part: &Window| f64::from(part.width) / side * f64::from(part.height) / side;
    // Sides are rounded to whole pixels, which may take the share a little beyond the limits.
    let inside = |share: f64| share.clamp(0.0, 0.999_999);
    even("area", &of(&|part| inside((area(part) - 0.08) / 0.42)));
    let shape = |part: &Window| (f64::from(part.width) / f64::from(part.height)).ln() / (4.0_f64 / 3.0).ln();
    even("shape", &of(&|part| inside((shape(part) + 1.0) / 2.0)));
    even("left", &of(&|part| inside(f64::from(part.left) / (side - f64::from(part.width)))));
    even("top", &of(&|part| inside(f64::from(part.top) / (side - f64::from(part.height)))));
}

#[test]
fn parts_have_the_means_of_torchvisions() {
    const DRAWS: u64 = 200_000;
    for case in lines("windows.txt") {
        let number = |field: usize| case[field].parse::<f64>().unwrap();
        let (width, height) = (number(1) as u32, number(2) as u32);
        let crop = RandomCrop { scale: [number(3), number(4)], ratio: [number(5), number(6)] };
        let erase = Erase { probability: 1.0 };
        let draw = |bits| {
            if case[0] == "crop" { Some(crop.draw(bits, width, height)) } else { erase.draw(bits, width, height) }
        };
        let drawn: Vec<[f64; 5]> = bits(DRAWS)
            .map(|bits| draw(bits).unwrap())
            .map(|Window { left, top, width: wide, height: high }| {
                assert!(wide >= 1 && high >= 1 && left + wide <= width && top + high <= height);
                let area = f64::from(wide) * f64::from(high) / (number(1) * number(2));
                [area, wide.into(), high.into(), left.into(), top.into()]
            })
            .collect();
        for (column, name) in ["area", "width", "height", "left", "top"].iter().enumerate() {
            let mean = drawn.iter().map(|row| row[column]).sum::<f64>() / DRAWS as f64;
            let variance = drawn.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / DRAWS as f64;
            // Five standard errors of the difference of two such means.
            let allowed = 5.0 * (2.0 * variance / DRAWS as f64).sqrt();
            let expected = number(7 + column);
            assert!(
                (mean - expected).abs() < allowed,
                "{case:?}: {name} is {mean}, not within {allowed} of {expected}"
            );
        }
    }
}

#[test]
fn a_shape_that_never_fits_gives_the_greatest_part_in_the_middle() {
    // All of the area of an image four times as wide as high: no allowed shape is so wide.
    let crop = RandomCrop { scale: [1.0, 1.0], ratio: [0.75, 4.0 / 3.0] };
    // 30 high, so 40 wide; and upright 40 wide, so 40 / 0.75 = 53 high.
    assert_eq!(crop.draw(7, 120, 30), Window { left: 40, top: 0, width: 40, height: 30 });
    assert_eq!(crop.draw(7, 40, 160), Window { left: 0, top: 53, width: 40, height: 53 });
    assert_eq!(crop.draw(7, 1, 1), Window { left: 0, top: 0, width: 1, height: 1 });
}

#[test]
fn jitter_draws_even_factors_in_every_order() {
    let jitter = Jitter { brightness: 0.4, contrast: 0.2, saturation: 1.5, hue: 0.1 };
    let mut orders = BTreeMap::<String, u32>::new();
    let mut shares = BTreeMap::<char, Vec<f64>>::new();
    for bits in bits(48_000) {
        let mut order = String::new();
        for operation in jitter.draw(bits) {
            // A factor below 0 is none, so that saturation begins there.
            let (name, share) = match operation {
                Operation::Brightness(factor) => ('b', (f64::from(factor) - 0.6) / 0.8),
                Operation::Contrast(factor) => ('c', (f64::from(factor) - 0.8) / 0.4),
                Operation::Saturation(factor) => ('s', f64::from(factor) / 2.5),
                Operation::Hue(turn) => ('h', (turn + 0.1) / 0.2),
                other => panic!("{other:?}"),
            };
            order.push(name);
            shares.entry(name).or_default().push(share.clamp(0.0, 0.999_999));
        }
        *orders.entry(order).or_default() += 1;
    }
    assert_eq!((orders.len(), shares.len()), (24, 4));
    // Each of 24 orders about 2000 times, within five times the square root.
    assert!(orders.values().all(|count| (1_776..2_224).contains(count)), "{orders:?}");
    shares.iter().for_each(|(name, shares)| even(&name.to_string(), shares));

    let only = Jitter { contrast: 0.2, ..Jitter::default() };
    assert!(bits(100).all(|bits| matches!(only.draw(bits)[..], [Operation::Contrast(_)])));
    assert!(bits(100).all(|bits| Jitter::default().draw(bits).is_empty()));
}

/// torchvision's name of an operation, its strength, and its sign.
fn named(operation: Operation) -> (&'static str, f64, bool) {
    let enhanced = |factor: f32| (f64::from(factor) - 1.0).abs();
    match operation {
        Operation::Identity => ("Identity", 0.0, false),
        Operation::ShearX(by) => ("ShearX", by.abs(), by < 0.0),
        Operation::ShearY(by) => ("ShearY", by.abs(), by < 0.0),
        Operation::TranslateX(by) => ("TranslateX", f64::from(by.abs()), by < 0),
        Operation::TranslateY(by) => ("TranslateY", f64::from(by.abs()), by < 0),
        Operation::Rotate(by) => ("Rotate", by.abs(), by < 0.0),
        Operation::Brightness(factor) => ("Brightness", enhanced(factor), factor < 1.0),
        Operation::Saturation(factor) => ("Color", enhanced(factor), factor < 1.0),
        Operation::Contrast(factor) => ("Contrast", enhanced(factor), factor < 1.0),
        Operation::Sharpness(factor) => ("Sharpness", enhanced(factor), factor < 1.0),
        Operation::Posterise(bits) => ("Posterize", f64::from(bits), false),
        Operation::Solarise(threshold) => ("Solarize", threshold, false),
        Operation::AutoContrast => ("AutoContrast", 0.0, false),
        Operation::Equalise => ("Equalize", 0.0, false),
        other => panic!("{other:?}"),
    }
}

#[test]
fn randaugment_has_torchvisions_operations_and_strengths() {
    let mut expected = BTreeMap::new();
    for case in lines("randaugment.txt") {
        let magnitude: u32 = case[1].parse().unwrap();
        expected.insert((case[0].clone(), magnitude), (case[2].parse::<f64>().unwrap(), case[3] == "1"));
    }
    assert_eq!(expected.len(), 14 * 31);
    let draws = 28_000;
    for magnitude in 0..=30 {
        let mut counts = BTreeMap::<&str, (u32, u32)>::new();
        // At most magnitudes a few draws are enough to see every operation.
        let randaugment = RandAugment { operations: 2, magnitude };
        for bits in bits(if magnitude == 9 { draws } else { 500 }) {
            let operations = randaugment.draw(bits, 320, 240);
            assert_eq!(operations.len(), 2);
            for operation in operations {
                let (name, strength, negative) = named(operation);
                let (mut theirs, signed) = expected[&(name.to_owned(), magnitude)];
                if name.starts_with("Translate") {
                    theirs = theirs.trunc();
                }
                assert!(
                    (strength - theirs).abs() < 1e-6 && (signed || !negative),
                    "{name} at {magnitude}: {operation:?}"
                );
                let (count, negatives) = counts.entry(name).or_default();
                *count += 1;
                *negatives += u32::from(negative);
            }
        }
        assert_eq!(counts.len(), 14, "{counts:?}");
        if magnitude == 9 {
            // Each of 14 about 4000 times, half of them with the sign; within five times the square root.
            for (name, (count, negatives)) in counts {
                assert!((3_684..4_316).contains(&count), "{name}: {count}");
                let signed = expected[&(name.to_owned(), magnitude)].1;
                assert!(!signed || (1_776..2_224).contains(&negatives), "{name}: {negatives} of {count}");
            }
        }
    }
}

#[test]
fn an_image_is_moved_then_coloured_then_shaped_then_painted_over() {
    let settings = settings(26, 33, Channels::Rgb, Resize::Bilinear);
    let image = &std::fs::read(fixture("expected.bin")).unwrap()[..settings.bytes()];
    let all = Augment {
        crop: None,
        pad: 3,
        flip: true,
        jitter: Jitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
        randaugment: RandAugment { operations: 2, magnitude: 9 },
        erase: Erase { probability: 0.5 },
    };
    let (mut erased, mut wider) = (0, 0);
    for bits in bits(200) {
        let mut expected = vec![0; image.len()];
        Augment { pad: 3, flip: true, ..Augment::default() }.apply(bits, &settings, image, &mut expected);
        for operation in all.jitter.draw(bits).into_iter().chain(all.randaugment.draw(bits, 33, 26)) {
            operation.apply(&mut expected, 33, 26, Channels::Rgb);
        }
        if let Some(Window { left, top, width, height }) = all.erase.draw(bits, 33, 26) {
            erased += 1;
            wider += u32::from(width > height);
            for row in top..top + height {
                let at = ((row * 33 + left) * 3) as usize;
                // Half of 255, rounded: the mean.
                expected[at..at + width as usize * 3].fill(128);
            }
        }
        let mut found = vec![0; image.len()];
        all.apply(bits, &settings, image, &mut found);
        assert_eq!(found, expected, "{bits:x}");
    }
    // About 100 of 200, within five standard deviations.
    assert!((65..135).contains(&erased) && wider > 0 && wider < erased, "{erased} {wider}");
    assert!(!all.is_none() && Augment::default().is_none());
}

#[test]
fn changes_do_not_share_their_draws() {
    // What one change draws says nothing of another: flipped, brighter and large are one time in two each.
    let draws = Draws::new(1, 2, Stream::Augment);
    let jitter = Jitter { brightness: 0.5, ..Jitter::default() };
    let crop = RandomCrop { scale: [0.1, 0.5], ratio: [1.0, 1.0] };
    let mut both = BTreeMap::<(bool, bool, bool), u32>::new();
    for sample in 0..16_000 {
        let bits = draws.bits(sample);
        let bright = matches!(jitter.draw(bits)[..], [Operation::Brightness(factor)] if factor > 1.0);
        let large = crop.draw(bits, 1000, 1000).width > 548; // the root of 0.3 is 0.5477
        *both.entry((bits >> 63 == 1, bright, large)).or_default() += 1;
    }
    // Each of 8 about 2000 times, within five times the square root.
    assert!(both.len() == 8 && both.values().all(|count| (1_776..2_224).contains(count)), "{both:?}");
}
