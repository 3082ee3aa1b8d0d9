//! The bytes of each format, and what it cannot hold.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use gleaner::lists::{Format, Row, numbered_classes, publish_epoch, read_manifest};

use super::rows::{names, row, set, two_rows};

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
