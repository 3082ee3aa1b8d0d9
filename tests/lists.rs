//! Subset files, through real folders. The expected bytes were written by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod small_disk;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gleaner::lists::{Format, ListError, Row, numbered_classes, point_next, publish_epoch, read_manifest};
use small_disk::SmallDisk;

fn row(path: &str, label: u32) -> Row<'_> {
    Row {
        path: OsStr::new(path),
        label,
        stratum: "initial",
        cluster: None,
        predicted: None,
        confidence: None,
        margin: None,
        weight: 1.0,
    }
}

fn two_rows() -> [Row<'static>; 2] {
    [
        Row {
            stratum: "mined",
            cluster: Some(4),
            predicted: Some(3),
            confidence: Some(0.5),
            margin: Some(-0.125),
            ..row("/pool/a shoe.png", 7)
        },
        Row { stratum: "extra", weight: 1.0 / 0.3, ..row("/pool/b,\"c\".png", 0) },
    ]
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_format_has_the_bytes_its_readers_expect() {
    let folder = tempfile::tempdir().unwrap();
    let published = publish_epoch(folder.path(), 7, &Format::ALL, &numbered_classes(8), &two_rows()).unwrap();
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(text("epoch-0007.txt"), "/pool/a shoe.png 7\n/pool/b,\"c\".png 0\n");
    assert_eq!(text("epoch-0007.paths"), "/pool/a shoe.png\n/pool/b,\"c\".png\n");
    assert_eq!(
        text("epoch-0007.csv"),
        "order,path,label,stratum,cluster,predicted,confidence,margin,weight\n\
         0,/pool/a shoe.png,7,mined,4,3,0.500000,-0.125000,1\n\
         1,\"/pool/b,\"\"c\"\".png\",0,extra,,,,,3.3333333\n"
    );
    assert_eq!(
        text("epoch-0007.jsonl"),
        "{\"file_name\": \"/pool/a shoe.png\", \"label\": 7}\n{\"file_name\": \"/pool/b,\\\"c\\\".png\", \"label\": 0}\n"
    );
    let tree = folder.path().join("epoch-0007");
    assert_eq!(names(&tree), set(&["0", "1", "2", "3", "4", "5", "6", "7"]));
    assert_eq!(names(&tree.join("7")), set(&["0-a shoe.png"]));
    assert_eq!(fs::read_link(tree.join("0/1-b,\"c\".png")).unwrap(), Path::new("/pool/b,\"c\".png"));
    assert_eq!(
        names(folder.path()),
        set(&["epoch-0007", "epoch-0007.csv", "epoch-0007.jsonl", "epoch-0007.paths", "epoch-0007.txt"])
    );
    // Taken with sha256sum over the txt bytes above.
    let digest = "20548b61a3dc9b2e64981e6783595ac8d37409af629a525a592ca566e8bc41a7";
    assert!(published.files.contains(&(folder.path().join("epoch-0007.txt"), digest.to_owned())), "{published:?}");
    assert_eq!(published.files.len(), 5);
    assert!(published.names().any(|(name, found)| name == "epoch-0007.txt" && found == digest));
}

#[test]
fn the_manifest_is_always_written_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let odd = OsString::from_vec(b"/pool/\xff line\nbreak \"q\".png".to_vec());
    let mut rows = two_rows().to_vec();
    rows.push(Row { path: &odd, confidence: Some(0.123_456_78), weight: 0.1, ..row("", 2) });
    publish_epoch(folder.path(), 12_345, &[], &[], &rows).unwrap();
    assert_eq!(names(folder.path()), set(&["epoch-12345.csv"]));
    let read = read_manifest(&folder.path().join("epoch-12345.csv")).unwrap();
    assert_eq!(read.len(), 3);
    assert_eq!((read[0].label, read[0].stratum, read[0].cluster, read[0].predicted), (7, "mined", Some(4), Some(3)));
    assert_eq!((read[0].confidence, read[0].margin, read[0].weight), (Some(0.5), Some(-0.125), 1.0));
    assert_eq!((read[1].cluster, read[1].predicted, read[1].confidence, read[1].margin), (None, None, None, None));
    assert_eq!(read[1].weight, 1.0 / 0.3, "a weight reads back as the very same number");
    assert_eq!(read[2].path, odd);
    assert_eq!((read[2].confidence, read[2].weight), (Some(0.123_457), 0.1));
}

#[test]
fn an_epoch_may_be_published_again_but_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let classes = numbered_classes(8);
    let first = publish_epoch(folder.path(), 0, &Format::ALL, &classes, &two_rows()).unwrap();
    let inode = fs::metadata(folder.path().join("epoch-0000.txt")).unwrap().ino();
    let again = publish_epoch(folder.path(), 0, &Format::ALL, &classes, &two_rows()).unwrap();
    assert_eq!(first, again);
    assert_eq!(fs::metadata(folder.path().join("epoch-0000.txt")).unwrap().ino(), inode);

    let before = fs::read(folder.path().join("epoch-0000.txt")).unwrap();
    for format in Format::ALL {
        let other = [row("/pool/other.png", 1)];
        let error = publish_epoch(folder.path(), 0, &[format], &classes, &other).unwrap_err();
        assert!(matches!(error, ListError::Immutable { .. }), "{error}");
        assert!(error.to_string().contains("epoch-0000"), "{error}");
    }
    assert_eq!(fs::read(folder.path().join("epoch-0000.txt")).unwrap(), before);

    // A crash may leave some of the files: the rest is added.
    fs::remove_file(folder.path().join("epoch-0000.jsonl")).unwrap();
    assert_eq!(publish_epoch(folder.path(), 0, &Format::ALL, &classes, &two_rows()).unwrap(), first);
    // And the tree is told apart by its links, not only by its names.
    let link = folder.path().join("epoch-0000/7/0-a shoe.png");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("/pool/else.png", &link).unwrap();
    let error = publish_epoch(folder.path(), 0, &Format::ALL, &classes, &two_rows()).unwrap_err();
    assert!(matches!(error, ListError::Immutable { .. }), "{error}");
}

#[test]
fn what_a_format_cannot_hold_is_refused_by_name_before_anything_is_written() {
    let not_utf8 = OsString::from_vec(b"/pool/caf\xe9.png".to_vec());
    let classes = numbered_classes(3);
    let cases: [(Format, Row<'_>, &str); 15] = [
        (Format::Txt, row("/pool/a\nb.png", 1), "\"/pool/a\\nb.png\" cannot be listed: its path contains a line break"),
        (Format::Txt, row("/pool/a\u{2028}b.png", 1), "line break"),
        (Format::Txt, row("/pool/a\u{b}b.png", 1), "line break"),
        (Format::Txt, row(" a.png", 1), "begins or ends with a blank"),
        (Format::Paths, row("/pool/a.png ", 1), "begins or ends with a blank"),
        (Format::Paths, row("\u{feff}a.png", 1), "begins with a byte order mark"),
        (Format::Paths, row("/pool/a\rb.png", 1), "line break"),
        (
            Format::Jsonl,
            Row { path: &not_utf8, ..row("", 1) },
            "\"/pool/caf\\xE9.png\" cannot be listed: its path is not UTF-8",
        ),
        (Format::Tree, row("pool/a.png", 1), "\"pool/a.png\" cannot be listed: a link needs an absolute path"),
        (Format::Tree, row("/pool/a.png", 3), "label 3 is outside the 3 classes"),
        (Format::Tree, row("/pool/..", 1), "does not end with a file's name"),
        (Format::Csv, row("", 1), "the path is empty"),
        (Format::Csv, Row { weight: f32::NAN, ..row("/pool/a.png", 1) }, "weight NaN"),
        (Format::Csv, Row { weight: 0.0, ..row("/pool/a.png", 1) }, "weight 0"),
        (Format::Csv, Row { stratum: "best", ..row("/pool/a.png", 1) }, "\"best\" is none of initial, uniform"),
    ];
    for (format, bad, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let rows = [row("/pool/good.png", 0), bad];
        let error = publish_epoch(folder.path(), 3, &[format], &classes, &rows).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("epoch-0003"), "{error}");
        assert_eq!(names(folder.path()), set(&[]), "{error}");
    }
}

#[test]
fn bytes_that_are_not_utf8_pass_through_the_plain_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = OsString::from_vec(b"/pool/caf\xe9.png".to_vec());
    publish_epoch(folder.path(), 1, &[Format::Txt, Format::Paths], &[], &[Row { path: &path, ..row("", 1) }]).unwrap();
    assert_eq!(fs::read(folder.path().join("epoch-0001.txt")).unwrap(), b"/pool/caf\xe9.png 1\n");
    assert_eq!(fs::read(folder.path().join("epoch-0001.paths")).unwrap(), b"/pool/caf\xe9.png\n");
    let read = read_manifest(&folder.path().join("epoch-0001.csv")).unwrap();
    assert_eq!(read[0].path.as_bytes(), path.as_bytes());
}

#[test]
fn a_tree_keeps_the_numbering_of_classes_and_unique_names() {
    let folder = tempfile::tempdir().unwrap();
    let classes = numbered_classes(11);
    assert_eq!((classes[2].as_str(), classes[10].as_str()), ("02", "10"));
    let long = format!("/pool/{}.png", "x".repeat(251));
    let rows = [row("/pool/a/1.png", 10), row("/pool/b/1.png", 10), row(&long, 2)];
    publish_epoch(folder.path(), 0, &[Format::Tree], &classes, &rows).unwrap();
    let tree = folder.path().join("epoch-0000");
    assert_eq!(names(&tree).len(), 11, "also classes without images have a folder");
    assert_eq!(names(&tree.join("10")), set(&["0-1.png", "1-1.png"]));
    assert_eq!(names(&tree.join("02")), set(&[&format!("2-{}.png", "x".repeat(249))]));

    for (classes, expected) in [
        (["b", "a"], "class 1 is named \"a\", which does not sort after"),
        (["a", "a"], "does not sort after"),
        (["a", "b/c"], "class 1 is named \"b/c\", which cannot be a folder's name"),
        (["", "b"], "class 0"),
    ] {
        let classes = classes.map(str::to_owned);
        let error =
            publish_epoch(folder.path(), 1, &[Format::Tree], &classes, &[row("/a", 0)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_stable_names_follow_the_newest_list() {
    let folder = tempfile::tempdir().unwrap();
    let classes = numbered_classes(2);
    for epoch in 0..2 {
        let path = format!("/pool/{epoch}.png");
        publish_epoch(folder.path(), epoch, &Format::ALL, &classes, &[row(&path, 1)]).unwrap();
    }
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for epoch in [0, 1, 1, 0] {
        point_next(folder.path(), epoch, &Format::ALL).unwrap();
        assert_eq!(text("next.txt"), format!("/pool/{epoch}.png 1\n"));
        assert_eq!(text("next.paths"), format!("/pool/{epoch}.png\n"));
        assert_eq!(text("next.csv"), text(&format!("epoch-000{epoch}.csv")));
        assert_eq!(text("next.jsonl"), text(&format!("epoch-000{epoch}.jsonl")));
        assert_eq!(fs::read_link(folder.path().join("next")).unwrap(), PathBuf::from(format!("epoch-000{epoch}")));
        assert_eq!(names(&folder.path().join("next/1")), set(&[&format!("0-{epoch}.png")]));
    }
    assert!(!names(folder.path()).iter().any(|name| name.starts_with('.')), "{:?}", names(folder.path()));

    point_next(folder.path(), 1, &[Format::Txt]).unwrap();
    let left: BTreeSet<_> = names(folder.path()).into_iter().filter(|name| name.starts_with("next")).collect();
    assert_eq!(left, set(&["next.csv", "next.txt"]), "formats no longer asked for leave no stale name behind");

    let error = point_next(folder.path(), 5, &[Format::Txt]).unwrap_err().to_string();
    assert!(error.contains("epoch-0005.csv: cannot be read"), "{error}");
    fs::create_dir(folder.path().join("next")).unwrap();
    let error = point_next(folder.path(), 1, &[Format::Tree]).unwrap_err();
    assert!(matches!(error, ListError::NotALink { .. }), "{error}");
}

#[test]
fn a_reader_of_the_stable_name_always_sees_one_whole_list() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<String> = (0..2_000).map(|number| format!("/pool/{number}.png")).collect();
    let mut contents = Vec::new();
    for epoch in 0..2_u32 {
        let rows: Vec<Row<'_>> = many.iter().map(|path| row(path, epoch)).collect();
        publish_epoch(folder.path(), epoch, &[Format::Txt], &[], &rows).unwrap();
        contents.push(fs::read(folder.path().join(Format::Txt.epoch_name(epoch))).unwrap());
    }
    point_next(folder.path(), 0, &[Format::Txt]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0_u32; 2];
            while !done.load(Ordering::Relaxed) {
                let found = fs::read(folder.path().join("next.txt")).unwrap();
                let which = contents.iter().position(|content| *content == found).expect("half a list was seen");
                seen[which] += 1;
            }
            seen
        });
        for turn in 0..200 {
            point_next(folder.path(), turn % 2, &[Format::Txt]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap().iter().sum::<u32>() > 0);
    });
}

#[test]
fn a_bad_manifest_is_refused_with_the_line() {
    const HEADER: &str = "order,path,label,stratum,cluster,predicted,confidence,margin,weight\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    for (content, expected) in [
        (String::new(), ":1: empty"),
        ("/a.png 3\n".to_owned(), ":1: not a manifest"),
        (format!("{HEADER}0,/a,1,mined,,,,,1\n1,/b,x,mined,,,,,1\n"), ":3: label is \"x\""),
        (format!("{HEADER}0,/a,1,mined,,,,,1\n1,/b,-1,mined,,,,,1\n"), ":3: label is \"-1\""),
        (format!("{HEADER}0,/a,1,mined,,,,1\n"), ":2: 8 cells instead of 9"),
        (format!("{HEADER}0,/a,1,mined,,,,,1\n2,/b,1,mined,,,,,1\n"), ":3: order is 2 where 1 should follow"),
        (format!("{HEADER}0,/a,1,best,,,,,1\n"), ":2: stratum is \"best\""),
        (format!("{HEADER}0,/a,1,mined,,,,,\n"), ":2: weight is \"\""),
        (format!("{HEADER}0,/a,1,mined,,,,,-2\n"), ":2: weight is -2"),
        (format!("{HEADER}0,/a,1,mined,,,,,inf\n"), ":2: weight is inf"),
        (format!("{HEADER}0,/a,1,mined,4294967296,,,,1\n"), ":2: cluster is \"4294967296\""),
        (format!("{HEADER}0,/a,1,mined,,,high,,1\n"), ":2: confidence is \"high\""),
        (format!("{HEADER}0,\"/a\nb\",1,mined,,,,,1\n1,/b,1,mined,,,,,3.33"), ":4: the file is cut short"),
        (format!("{HEADER}0,\"/a,1,mined,,,,,1\n"), ":2: 2 cells instead of 9"),
    ] {
        fs::write(&path, &content).unwrap();
        let error = read_manifest(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("manifest.csv{expected}")), "{content:?}: {error}");
    }
    let error = read_manifest(&folder.path().join("none.csv")).unwrap_err().to_string();
    assert!(error.contains("none.csv: cannot be read"), "{error}");
}

#[test]
fn a_full_disk_is_named_and_leaves_the_old_content() {
    let Some(disk) = SmallDisk::mount("size=64k,nr_inodes=64") else { return };
    let folder = disk.path();
    let classes = numbered_classes(1);
    publish_epoch(folder, 0, &Format::ALL, &classes, &[row("/pool/a.png", 0)]).unwrap();
    point_next(folder, 0, &Format::ALL).unwrap();
    let before = names(folder);
    let paths: Vec<String> = (0..10_000).map(|number| format!("/pool/{number}.png")).collect();
    let rows: Vec<Row<'_>> = paths.iter().map(|path| row(path, 0)).collect();
    for format in [Format::Csv, Format::Jsonl, Format::Tree] {
        let error = publish_epoch(folder, 1, &[format], &classes, &rows).unwrap_err().to_string();
        assert!(error.contains("epoch-0001") && error.contains("No space left"), "{error}");
    }
    assert_eq!(names(folder), before);
    assert_eq!(fs::read_to_string(folder.join("next.txt")).unwrap(), "/pool/a.png 0\n");
}
