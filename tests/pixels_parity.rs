//! The pixels of every kind of image against Pillow's (tests/fixtures/pixels/make.py).

#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests stand outside the test functions

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gleaner::pixels::{Channels, Crop, Limits, Loader, Preprocess, Resize};

/// How far the pixels of one kind are from Pillow's.
#[derive(Default)]
struct Distance {
    cases: usize,
    pixels: usize,
    different: usize,
    largest: u8,
    /// The case with the largest difference.
    worst: String,
}

fn settings(fields: &[&str]) -> Preprocess {
    let channels = if fields[0] == "1" { Channels::Grey } else { Channels::Rgb };
    Preprocess {
        height: fields[4].parse().unwrap(),
        width: fields[5].parse().unwrap(),
        channels,
        resize: match fields[1] {
            "bilinear" => Resize::Bilinear,
            "bicubic" => Resize::Bicubic,
            "lanczos" => Resize::Lanczos,
            "nearest" => Resize::Nearest,
            other => panic!("{other}"),
        },
        crop: if fields[2] == "center" { Crop::Center } else { Crop::None },
        crop_fraction: fields[3].parse().unwrap(),
        mean: vec![0.5; channels.count()],
        std: vec![0.5; channels.count()],
        limits: Limits::default(),
    }
}

fn survey(folder: &Path) -> BTreeMap<String, Distance> {
    let cases = std::fs::read_to_string(folder.join("expected.txt")).unwrap();
    let expected = std::fs::read(folder.join("expected.bin")).unwrap();
    let mut rest = expected.as_slice();
    let mut table = BTreeMap::<String, Distance>::new();
    for line in cases.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let settings = settings(&fields[2..]);
        let (expected, after) = rest.split_at(settings.bytes());
        rest = after;
        let mut pixels = vec![77; settings.bytes()];
        let path = folder.join("images").join(fields[1]);
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let entry = table.entry(format!("{stem} ({})", fields[0])).or_default();
        entry.cases += 1;
        if let Err(error) = Loader::new(&settings).load(&path, &mut pixels) {
            entry.largest = 255;
            entry.worst = format!("{line}: {error}");
            continue;
        }
        for (ours, theirs) in pixels.iter().zip(expected) {
            let difference = ours.abs_diff(*theirs);
            entry.pixels += 1;
            entry.different += usize::from(difference > 0);
            if difference > entry.largest {
                entry.largest = difference;
                entry.worst = line.to_owned();
            }
        }
    }
    assert!(rest.is_empty(), "expected.bin is longer than expected.txt says");
    table
}

#[test]
fn every_kind_is_within_one_level_of_pillow() {
    let folder = std::env::var_os("GLEANER_PIXELS_SURVEY")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pixels"), PathBuf::from);
    let table = survey(&folder);
    assert!(table.len() > 40, "only {} kinds were looked at", table.len());
    let mut far = Vec::new();
    for (kind, distance) in &table {
        let share = 100.0 * distance.different as f64 / distance.pixels.max(1) as f64;
        println!(
            "{kind:34} {:4} cases  largest {:3}  {share:7.3} % differ  {}",
            distance.cases, distance.largest, distance.worst
        );
        if distance.largest > 1 {
            far.push(format!("{kind}: {} ({})", distance.largest, distance.worst));
        }
    }
    assert!(far.is_empty(), "more than one level from Pillow:\n{}", far.join("\n"));
}
