//! Lists and folders written by hand, good and bad.

mod links;

use super::error::MOST_SHOWN;
use super::*;
use std::fs;
use tempfile::TempDir;

fn list(bytes: &[u8]) -> (TempDir, Result<Pool, PoolError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.txt");
    fs::write(&path, bytes).unwrap();
    let pool = Pool::load(&path);
    (folder, pool)
}

fn good(bytes: &[u8]) -> Pool {
    list(bytes).1.unwrap_or_else(|error| panic!("{error}"))
}

/// What is said of a bad list, line by line, with the folder taken away.
fn said(bytes: &[u8]) -> Vec<String> {
    let (folder, pool) = list(bytes);
    without(&folder, pool.unwrap_err())
}

fn without(folder: &TempDir, error: PoolError) -> Vec<String> {
    let above = format!("{}/", folder.path().display());
    error.to_string().replace(&above, "").lines().map(str::to_owned).collect()
}

fn samples(pool: &Pool) -> Vec<(String, u32)> {
    (0..pool.len()).map(|id| (String::from_utf8_lossy(pool.listed(id)).into_owned(), pool.label(id))).collect()
}

fn pairs(pairs: &[(&str, u32)]) -> Vec<(String, u32)> {
    pairs.iter().map(|(path, label)| (path.to_string(), *label)).collect()
}

#[test]
fn a_list_keeps_its_order_and_its_paths() {
    let pool = good(b"b.png 2\na.png 0\nfolder with blanks/c d.png   11\n/else/where.png\t3");
    let expected = [("b.png", 2), ("a.png", 0), ("folder with blanks/c d.png", 11), ("/else/where.png", 3)];
    assert_eq!(samples(&pool), pairs(&expected));
    assert_eq!((0..4).map(|id| pool.label(id)).collect::<Vec<_>>(), [2, 0, 11, 3]);
    assert_eq!((pool.len(), pool.classes(), pool.is_empty()), (4, 12, false));
    assert_eq!(pool.class_names(), None);
    assert_eq!((pool.listed(4), pool.label(4)), (&b""[..], 0));
}

#[test]
fn line_ends_marks_and_blank_lines_do_not_matter() {
    let plain = good(b"a b.png 1\nc.png 0\n");
    for other in [
        &b"\xef\xbb\xbfa b.png 1\r\nc.png 0\r\n"[..],
        b"\n  a b.png\t 1 \n\n \t\n\nc.png 0",
        b"a b.png 1\nc.png 0\n\n\r\n",
        b"a b.png 001\nc.png 0000000000000\n",
    ] {
        assert_eq!(samples(&good(other)), samples(&plain), "for {:?}", String::from_utf8_lossy(other));
    }
    // A hash begins a path like any other: there are no comments.
    assert_eq!(samples(&good(b"# 1\n#a.png 0\n")), pairs(&[("#", 1), ("#a.png", 0)]));
}

#[test]
fn a_line_is_told_though_blank_lines_come_between() {
    let pool = good(b"\na 0\nb 0\n\n\nc 0\n\nd 0\n\n");
    let lines: Vec<_> = (0..5).map(|id| pool.line(id)).collect();
    assert_eq!(lines, [Some(2), Some(3), Some(6), Some(8), None]);
}

#[test]
fn relative_paths_start_from_the_lists_folder() {
    let (folder, pool) = list(b"images/a.png 0\n/data/b.png 1\n");
    let pool = pool.unwrap();
    assert_eq!(pool.root(), folder.path());
    assert_eq!(pool.path(0), folder.path().join("images/a.png"));
    assert_eq!(pool.path(1), Path::new("/data/b.png"));
    assert_eq!(pool.source(), folder.path().join("pool.txt"));
}

#[cfg(unix)]
#[test]
fn paths_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let (folder, pool) = list(b"caf\xe9.png 4\n");
    let pool = pool.unwrap();
    assert_eq!(pool.listed(0), b"caf\xe9.png");
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.png");
    assert_eq!(pool.path(0), folder.path().join(name));
}

#[test]
fn every_bad_line_is_told_with_its_remedy() {
    let bytes = b"a.png 0\nb.png\n\nc.png -1\nd.png 1.5\ne.png x\nf.png 4294967295\ng.png 99999999999999999999999\nh.png,3\ni\0.png 1\n7\nj.png 4294967294\nk.png --\n";
    let expected = [
        "pool.txt:2: `b.png` is one word, not a path and a label; write `path label` with a blank between",
        "pool.txt:4: label `-1` is negative; end the line with a whole number from 0",
        "pool.txt:5: label `1.5` is not a whole number; end the line with a whole number from 0",
        "pool.txt:6: label `x` is not a whole number; end the line with a whole number from 0",
        "pool.txt:7: label `4294967295` is larger than any label; end the line with a whole number from 0",
        "pool.txt:8: label `99999999999999999999999` is larger than any label; end the line with a whole number from 0",
        "pool.txt:9: `h.png,3` is one word, not a path and a label; write `path label` with a blank between",
        "pool.txt:10: there is a zero byte in the path; is this a text file?",
        "pool.txt:11: `7` is one word, not a path and a label; write `path label` with a blank between",
        "pool.txt:13: label `--` is not a whole number; end the line with a whole number from 0",
    ];
    assert_eq!(said(bytes), expected);
    let many: String = (0..100).map(|index| format!("{index}.png\n")).collect();
    let told = said(many.as_bytes());
    assert_eq!(told.len(), MOST_SHOWN + 1);
    assert_eq!(told.last().map(String::as_str), Some("and 80 more"));
    assert_eq!(good(b"a 4294967294\n").classes(), u32::MAX);
}

#[test]
fn a_path_that_stands_twice_is_told_by_both_lines() {
    let expected = [
        "pool.txt:4: `a b.png` stands in line 1 already; keep one of the two lines",
        "pool.txt:5: `a b.png` stands in line 1 already with another label; keep one of the two lines",
        "pool.txt:6: `c.png` stands in line 2 already; keep one of the two lines",
    ];
    assert_eq!(said(b"a b.png 1\nc.png 0\n\na b.png 1\na b.png  0\nc.png 0\n"), expected);
    let many: String = (0..60).map(|index| format!("{}.png 0\n", index % 30)).collect();
    let told = said(many.as_bytes());
    assert_eq!(told.len(), MOST_SHOWN + 1);
    assert_eq!(told[0], "pool.txt:31: `0.png` stands in line 1 already; keep one of the two lines");
    assert_eq!(told[MOST_SHOWN], "and 10 more");
}

#[test]
fn a_list_without_images_and_a_missing_one_are_told() {
    for bytes in [&b""[..], b"\n \r\n", b"\xef\xbb\xbf"] {
        assert_eq!(said(bytes), ["pool.txt: there are no images in this list; write one `path label` a line"]);
    }
    assert_eq!(said(b"\xff\xfea\0 \x001\0"), ["pool.txt: this is UTF-16 text; save the list as UTF-8"]);
    let folder = tempfile::tempdir().unwrap();
    let told = without(&folder, Pool::load(&folder.path().join("none.txt")).unwrap_err());
    assert!(told[0].starts_with("none.txt: cannot be read: "), "{told:?}");
    assert!(told[0].ends_with("; name a list of `path label` lines, or a folder with a sub-folder for each class"));
}

#[test]
fn more_images_than_ids_are_told() {
    let bytes = b"a 0\nb 0\nc 0\n".to_vec();
    assert_eq!(super::list::load(Path::new("p.txt"), bytes.clone(), 3).unwrap().len(), 3);
    let error = super::list::load(Path::new("p.txt"), bytes, 2).unwrap_err();
    assert_eq!(error.to_string(), "p.txt: there are more than 2 images, which is all that fit; split the pool");
}

#[test]
fn labels_outside_the_model_are_told_by_line() {
    let (folder, pool) = list(b"a 0\n\nb 10\nc 9\nd 11\n");
    let pool = pool.unwrap();
    assert!(pool.check(12).is_ok());
    assert!(pool.check(1000).is_ok(), "a model may know more classes");
    let expected = [
        "pool.txt:3: label 10 is outside the 10 classes of the model, 0 to 9; \
         correct the label, or take a model with more outputs",
        "pool.txt:5: label 11 is outside the 10 classes of the model, 0 to 9; \
         correct the label, or take a model with more outputs",
    ];
    assert_eq!(without(&folder, pool.check(10).unwrap_err()), expected);
    assert_eq!(without(&folder, pool.check(0).unwrap_err()).len(), 4);
}

fn tree(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    folder
}

#[test]
fn a_folder_per_class_is_numbered_by_the_bytes_of_its_names() {
    // Z before a, 10 before 9: the order of bytes, which is that of torchvision's ImageFolder.
    let folder = tree(&[
        "a/2.png",
        "a/10.JPG",
        "a/deep/er/x.webp",
        "a/notes.txt",
        "a/deep.jpeg",
        "Z/q.gif",
        "9/i.bmp",
        "10/j.png",
        "readme.md",
    ]);
    let pool = Pool::load(folder.path()).unwrap();
    assert_eq!(pool.class_names().unwrap(), ["10", "9", "Z", "a"]);
    let expected = [
        ("10/j.png", 0),
        ("9/i.bmp", 1),
        ("Z/q.gif", 2),
        ("a/10.JPG", 3),
        ("a/2.png", 3),
        ("a/deep.jpeg", 3),
        ("a/deep/er/x.webp", 3),
    ];
    assert_eq!(samples(&pool), pairs(&expected));
    assert_eq!((pool.classes(), pool.line(0)), (4, None));
    assert_eq!(pool.root(), folder.path());
    assert_eq!(pool.path(6), folder.path().join("a/deep/er/x.webp"));
    assert!(pool.check(4).is_ok());
    let told = without(&folder, pool.check(3).unwrap_err());
    assert!(told[0].contains("there are 4 class folders, but the model has 3 classes"), "{told:?}");
    let error = super::folder::load(folder.path(), 6).unwrap_err();
    assert!(matches!(error, PoolError::TooMany { limit: 6, .. }));
}

#[test]
fn folders_that_are_no_pool_are_told() {
    let flat = tree(&["a.png"]);
    let told = Pool::load(flat.path()).unwrap_err().to_string();
    assert!(told.contains("there are no sub-folders in this folder; make one for each class"), "{told}");
    let hollow = tree(&["a/x.png", "b/notes.txt", "c/d/.keep"]);
    let told = Pool::load(hollow.path()).unwrap_err().to_string();
    assert!(
        told.contains("no images in the class folders b, c; images end in png, jpg, jpeg, webp, bmp, gif;"),
        "{told}"
    );
}

#[test]
fn paths_are_told_apart_across_blocks_and_a_giant_is_refused() {
    // Of 0 to 599 letters: the third block of 256 paths ends early.
    let path = |length: usize| format!("{length}{}", "x".repeat(length));
    let list: String = (0..600).map(|length| format!("{} {length}\n", path(length))).collect();
    let pool = good(list.as_bytes());
    for id in 0..600 {
        assert_eq!(pool.listed(id), path(id as usize).as_bytes());
    }
    assert_eq!((pool.listed(600), pool.listed(u32::MAX)), (&b""[..], &b""[..]));

    let giant = |length: usize| format!("{} 1\n", "x".repeat(length));
    assert_eq!(good(giant(65_536).as_bytes()).listed(0).len(), 65_536);
    let said = said(format!("a.png 0\n{}", giant(65_537)).as_bytes());
    assert_eq!(
        said,
        ["pool.txt:2: the path has 65537 bytes, and no system opens one of more than 65536; is this a list of paths?"]
    );
}

#[test]
fn a_million_samples_take_their_paths_and_eight_bytes_each() {
    const COUNT: u32 = 1_000_000;
    let mut bytes = Vec::new();
    for index in 0..COUNT {
        bytes.extend_from_slice(format!("images/{:03}/{index:07}.jpg {}\n", index % 997, index % 1000).as_bytes());
    }
    let pool = good(&bytes);
    assert_eq!((pool.len(), pool.classes()), (COUNT, 1000));
    assert_eq!((pool.listed(123_456), pool.label(123_456)), (&b"images/825/0123456.jpg"[..], 456));
    assert_eq!(pool.path(999_999).file_name().unwrap(), "0999999.jpg");
    // 22 bytes of path, an end of 4 and a label of 4: 30 bytes a sample, which allocators may round up a little.
    let least = 30 * COUNT as usize;
    assert!((least..least + least / 50).contains(&pool.memory_bytes()), "{}", pool.memory_bytes());
}
