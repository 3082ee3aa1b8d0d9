//! What a training step may tell about itself when it has ended.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A report has three numbers; whatever is longer than this is something else.
const LONGEST: u64 = 1 << 20;

/// A training step's own account, written as JSON to the file that `GLEANER_REPORT` names:
/// `{"images": 6000, "seconds": 12.5, "loss": 0.31}`. Every part may be missing, and other keys may be there.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Report {
    /// Images visited.
    pub images: Option<u64>,
    /// Seconds of training, without start and export.
    pub seconds: Option<f64>,
    /// Images that could not be read and were left out.
    pub skipped: Option<u64>,
    /// Mean training loss over the step.
    pub loss: Option<f64>,
}

/// Reads a report. `None` when there is none, or when it is no JSON object, which is logged: a report is a courtesy,
/// and the step has succeeded without it. Remove an old one before the step starts.
pub fn read_report(path: &Path) -> Option<Report> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .inspect_err(|error| {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(report = %path.display(), %error, "the training step's report cannot be read");
            }
        })
        .ok()?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .inspect_err(|error| {
            tracing::warn!(report = %path.display(), %error, "the training step's report is no JSON; it is passed over");
        })
        .ok()?;
    let object = value.as_object()?;
    let number = |key: &str| object.get(key).and_then(serde_json::Value::as_f64);
    Some(Report {
        images: object.get("images").and_then(serde_json::Value::as_u64).or_else(|| number("images").and_then(whole)),
        skipped: number("skipped").and_then(whole),
        seconds: number("seconds").filter(|seconds| *seconds >= 0.0),
        loss: number("loss"),
    })
}

/// A count that was written as `6000.0`.
fn whole(number: f64) -> Option<u64> {
    // Up to 2^53 every whole number is exact, so the conversion loses nothing.
    let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    exact.then_some(number as u64)
}
