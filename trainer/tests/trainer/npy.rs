//! NumPy's files.

use crate::support::fixtures;
use gleaner_trainer::npy::{self, Array, Elements};

/// What NumPy wrote is written again byte for byte.
#[test]
fn writes_what_numpy_writes() {
    for name in ["conv.input.npy", "conv.expected.npy"] {
        let array = npy::read(&fixtures().join(name)).unwrap();
        let mut written = Vec::new();
        npy::write(&array, &mut written).unwrap();
        assert_eq!(written, std::fs::read(fixtures().join(name)).unwrap(), "{name}");
    }
}

#[test]
fn integers_and_one_dimension_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let array = Array { shape: vec![3], elements: Elements::Integers(vec![-1, 0, i64::MAX]) };
    let mut written = Vec::new();
    npy::write(&array, &mut written).unwrap();
    assert!(written.windows(15).any(|part| part == b"'shape': (3,), "));
    std::fs::write(folder.path().join("a.npy"), &written).unwrap();
    assert_eq!(npy::read(&folder.path().join("a.npy")).unwrap(), array);
}

#[test]
fn damaged_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let good = std::fs::read(fixtures().join("conv.input.npy")).unwrap();
    for length in [0, 7, 9, 40, good.len() - 1] {
        std::fs::write(&path, &good[..length]).unwrap();
        let error = npy::read(&path).unwrap_err().to_string();
        assert!(error.contains("a.npy"), "{error}");
    }
}
