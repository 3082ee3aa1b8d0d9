//! Parts of images, to be cut out or painted over.

use gleaner::pixels::{Channels, Erase, Loader, RandomCrop, Resize, Window};

use super::fixtures::{bits, distance, even, fixture, lines, settings};

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
