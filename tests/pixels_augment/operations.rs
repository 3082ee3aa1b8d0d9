//! Operations on whole images: what each makes of one, and how they are drawn.

use std::collections::BTreeMap;

use gleaner::pixels::{Channels, Jitter, Operation, RandAugment};

use super::fixtures::{bits, distance, even, fixture, lines};

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
