//! Rows to be published, and the names that stand in a folder afterwards.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use gleaner::lists::Row;

pub(crate) fn row(path: &str, label: u32) -> Row<'_> {
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

pub(crate) fn two_rows() -> [Row<'static>; 2] {
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

pub(crate) fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
