//! Images that are nearly the same: one of them is trained on, and it is told which.

use std::collections::{BTreeMap, BTreeSet};

use gleaner::pixels::{Channels, Crop, Limits, Preprocess, Resize};
use image::GrayImage;

use super::explaining::explain;
use super::graphs::skilled;
use super::tables::{Line, manifest};
use super::workshop::{BY_ITSELF, Workshop, images};

const SIDE: usize = 28;
const POOL: usize = 300;
/// So many of the pool's first images stand there once more.
const COPIES: usize = 60;
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0}\nextras: {share: 1.0}\nlists: {paths: listed}\n";

/// A pool in which image 0.bmp is there again as again-0.bmp, with one pixel another by one level, and so on; the last ten
/// of them with another label.
fn workshop(config: &str) -> Workshop {
    let workshop = Workshop::new(1, &format!("{BY_ITSELF}{WHOLE}{config}"));
    let mut pool = String::new();
    for (at, line) in images("pool.txt", POOL).iter().enumerate() {
        let (path, label) = line.rsplit_once(' ').unwrap();
        let mut pixels = vec![0; SIDE * SIDE];
        preprocess().load(path.as_ref(), &mut pixels).unwrap();
        save(&workshop, &format!("{at}.bmp"), &pixels);
        pool += &format!("{at}.bmp {label}\n");
        if at < COPIES {
            pixels[SIDE * SIDE / 2] ^= 1;
            save(&workshop, &format!("again-{at}.bmp"), &pixels);
            let other = (label.parse::<u32>().unwrap() + 1) % 10;
            pool += &format!("again-{at}.bmp {}\n", if disputed(at) { other.to_string() } else { label.to_owned() });
        }
    }
    workshop.write("pool.txt", pool);
    workshop
}

fn preprocess() -> Preprocess {
    let (height, width) = (SIDE as u32, SIDE as u32);
    let (channels, resize, crop, crop_fraction) = (Channels::Grey, Resize::Bilinear, Crop::Center, 1.0);
    let (mean, std, limits) = (vec![0.5], vec![0.5], Limits::default());
    Preprocess { height, width, channels, resize, crop, crop_fraction, mean, std, limits }
}

fn save(workshop: &Workshop, name: &str, pixels: &[u8]) {
    let picture = GrayImage::from_raw(SIDE as u32, SIDE as u32, pixels.to_vec()).unwrap();
    picture.save(workshop.path(name)).unwrap();
}

fn disputed(at: usize) -> bool {
    at >= COPIES - 10
}

fn list(workshop: &Workshop, epoch: u32) -> Vec<Line> {
    manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv")))
}

fn paths(list: &[Line]) -> BTreeSet<String> {
    list.iter().map(|line| line.path.clone()).collect()
}

/// `duplicates.csv`, by column.
fn duplicates(workshop: &Workshop) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(workshop.path("lists/duplicates.csv")).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// The pairs that `among` has both of.
fn pairs(among: impl Fn(&str) -> bool) -> BTreeSet<(usize, [String; 2])> {
    let pair = |at| (at, [format!("{at}.bmp"), format!("again-{at}.bmp")]);
    (0..COPIES).map(pair).filter(|(_, [one, other])| among(one) && among(other)).collect()
}

#[test]
fn of_two_that_are_nearly_the_same_one_is_trained_on() {
    let workshop = workshop("");
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    let (first, second) = (paths(&list(&workshop, 0)), paths(&list(&workshop, 1)));
    let scanned = pairs(|path| !first.contains(path));
    assert!(scanned.len() > COPIES / 2);
    let rows = duplicates(&workshop);
    let named: BTreeSet<BTreeSet<&str>> =
        rows.iter().map(|row| BTreeSet::from([row["path"].as_str(), row["kept_path"].as_str()])).collect();
    for (at, pair) in &scanned {
        assert!(named.contains(&pair.iter().map(String::as_str).collect()), "{pair:?}");
        let chosen = pair.iter().filter(|path| second.contains(*path)).count();
        // With a share of 1 everything that was scanned is chosen.
        assert_eq!(chosen, if disputed(*at) { 2 } else { 1 }, "{pair:?}");
    }
    // Real images of this data resemble each other seldom, and never so much.
    assert!(rows.len() <= scanned.len() + 2, "{rows:?}");
    for row in &rows {
        assert_eq!(row["thinned"], if row["label"] == row["kept_label"] { "yes" } else { "no" });
        assert!(row["distance"].parse::<f64>().unwrap() <= 0.1 && row["epoch"] == "0");
        if row["thinned"] == "yes" {
            assert!(second.contains(&row["kept_path"]) && !second.contains(&row["path"]), "{row:?}");
            let told = explain(&workshop, &row["path"]);
            assert_eq!(told["list"]["reason"]["code"], "near_duplicate");
            assert_eq!(told["duplicate_of"]["path"], workshop.path(&row["kept_path"]).display().to_string());
        }
    }
    // It stays so, unless the one that was kept is dropped.
    let row = rows.iter().find(|row| row["thinned"] == "yes").unwrap();
    workshop.write("lists/reviews.csv", format!("path,verdict\n{},drop\n", row["kept_path"]));
    workshop.drop_in(1, skilled());
    workshop.mine(1).well();
    let third = paths(&list(&workshop, 2));
    assert!(third.contains(&row["path"]) && !third.contains(&row["kept_path"]));
    for other in rows.iter().filter(|other| other["thinned"] == "yes" && other["path"] != row["path"]) {
        assert!(!third.contains(&other["path"]), "{other:?}");
    }
    assert!(duplicates(&workshop).len() >= rows.len());
}

#[test]
fn the_publication_is_followed_to_the_letter() {
    let workshop = workshop("policy: patent\ncluster: {mode: expand, fraction: 0.01}\n");
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    assert!(duplicates(&workshop).is_empty());
}

#[test]
fn a_model_that_finds_all_alike_thins_nothing() {
    // Nobody looks like anybody else, and a radius is as far as this model can see.
    let workshop = workshop("cluster: {duplicates: 1.0, groups: 1}\n");
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    let rows = duplicates(&workshop);
    let first = paths(&list(&workshop, 0));
    // Though everything is as near as can be, each copy is found, and hardly anything else.
    let scanned = pairs(|path| !first.contains(path));
    for (_, pair) in &scanned {
        let of = |row: &&BTreeMap<String, String>| pair.contains(&row["path"]) && pair.contains(&row["kept_path"]);
        assert!(rows.iter().any(|row| of(&row)), "{pair:?}");
    }
    let copies =
        |row: &&BTreeMap<String, String>| row["path"].starts_with("again") || row["kept_path"].starts_with("again");
    assert!(rows.iter().filter(|row| !copies(row)).count() <= 2, "{rows:?}");
    // Switched off, nothing is looked for.
    let workshop = self::workshop("cluster: {duplicates: 0}\n");
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    assert!(duplicates(&workshop).is_empty());
}
