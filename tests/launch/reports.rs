//! What a step tells of itself when it has ended.

use std::fs;
use std::path::PathBuf;

use gleaner::launch::{Report, read_report};

#[test]
fn a_report_is_read_with_leniency() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("report.json");
    assert_eq!(read_report(&path), None);
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        read_report(&path)
    };
    let full = Report { images: Some(6000), skipped: Some(2), seconds: Some(12.5), loss: Some(0.25) };
    assert_eq!(read(r#"{"images": 6000, "skipped": 2, "seconds": 12.5, "loss": 0.25, "host": "gpu1"}"#), Some(full));
    assert_eq!(
        read(r#"{"images": 6000.0, "seconds": "long", "loss": null}"#),
        Some(Report { images: Some(6000), ..Report::default() })
    );
    assert_eq!(read(r#"{"images": -3, "seconds": -1}"#), Some(Report::default()));
    assert_eq!(read(r#"{"images": 0.5}"#), Some(Report::default()));
    for broken in ["", "[1, 2]", "{\"images\": 6000", "{\"loss\": NaN}"] {
        assert_eq!(read(broken), None, "{broken}");
    }
}
