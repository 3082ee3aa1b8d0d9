//! Reviews that make no sense: every line is named, with what to do about it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use gleaner::pool::Pool;
use gleaner::suspects::{Reviews, Verdict};

/// Three images, one with a blank and one with a comma in its name.
fn pool(folder: &Path) -> Pool {
    let list = folder.join("pool.txt");
    fs::write(&list, "a.png 0\nsome where/b c.png 1\nd,e.png 2\n").unwrap();
    Pool::load(&list).unwrap()
}

fn read(content: &str) -> Result<Vec<(u32, Verdict)>, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let reviews = folder.path().join("reviews.csv");
    fs::write(&reviews, content).unwrap();
    let prefix = format!("{}:", reviews.display());
    match Reviews::read(&reviews, &pool(folder.path()), 3) {
        Ok(reviews) => Ok(reviews.iter().collect()),
        Err(error) => Err(error.to_string().lines().map(|line| line.replace(&prefix, "")).collect()),
    }
}

#[test]
fn what_people_write_is_read() {
    let rows = "verdict,path,new_label\nrelabel,some where/b c.png, 2\nKEEP,a.png,\n\" drop\",\"d,e.png\",1\n";
    let expected = vec![(0, Verdict::Keep), (1, Verdict::Relabel(2)), (2, Verdict::Drop)];
    assert_eq!(read(rows), Ok(expected));
    // Short rows, the same twice, nothing said.
    assert_eq!(read("path,verdict\na.png,drop\na.png,drop\nd.png\nelsewhere.png,\n"), Ok(vec![(0, Verdict::Drop)]));
    assert_eq!(read("path,verdict\n"), Ok(Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let nothing = Reviews::read(&folder.path().join("reviews.csv"), &pool(folder.path()), 3).unwrap();
    assert!(nothing.is_empty(), "no file, no reviews");
}

#[test]
fn what_makes_no_sense_is_told_line_by_line() {
    let problems = read(
        "path,verdict,new_label\na.png,maybe,\nsome where/b c.png,relabel,\n\"d,e.png\",relabel,3\nz.png,keep,\na.png,keep,\n\
         a.png,drop,\n",
    )
    .unwrap_err();
    let expected = [
        "2: verdict is \"maybe\"; write keep, drop or relabel",
        "3: new_label is \"\"; relabel needs a class, 0 to 2",
        "4: new_label 3 is outside the 3 classes, 0 to 2",
        "7: says drop, line 6 says keep; keep one of the two",
        "5: z.png is not in ",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}");
    }
    assert_eq!(
        read(""),
        Err(vec!["1: is empty; write the header path,verdict,new_label, or take the file away".to_owned()])
    );
    let header = "1: the header must name the columns path and verdict, and new_label for `relabel`";
    assert_eq!(read("image,verdict\na.png,keep\n"), Err(vec![header.to_owned()]));
    let many: String = (0..30).map(|row| format!("{row}.png,keep\n")).collect();
    let problems = read(&format!("path,verdict\n{many}")).unwrap_err();
    assert_eq!((problems.len(), problems[20].as_str()), (21, "and 10 more"));
}
