//! Lists that stay as they were published, and stable names that follow the newest.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use gleaner::lists::{Format, ListError, Row, numbered_classes, point_next, publish_epoch};

use super::rows::{names, row, set, two_rows};
use super::small_disk::SmallDisk;

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
