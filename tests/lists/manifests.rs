//! The manifest, read back.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use gleaner::lists::{Row, publish_epoch, read_manifest};

use super::rows::{names, row, set, two_rows};

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
