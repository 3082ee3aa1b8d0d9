//! What a training step may tell about itself when it has ended.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde_json::{Map, Value};

/// An account has a few numbers; whatever is longer than this is something else.
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
    let account = read_account(path)
        .inspect_err(|reason| {
            tracing::warn!(report = %path.display(), reason, "the training step's report is passed over");
        })
        .ok()??;
    let Account { seconds, loss } = Account::of(&account);
    let count = |key: &str| number(&account, key).and_then(whole);
    Some(Report { images: count("images"), skipped: count("skipped"), seconds, loss })
}

/// What a step says of itself while it runs and afterwards.
pub(super) struct Account {
    pub(super) seconds: Option<f64>,
    pub(super) loss: Option<f64>,
}

impl Account {
    pub(super) fn of(account: &Map<String, Value>) -> Self {
        let seconds = number(account, "seconds").filter(|seconds| *seconds >= 0.0);
        Self { seconds, loss: number(account, "loss") }
    }
}

/// Reads an account; `None` when there is none.
///
/// # Errors
/// In words for a note: why it cannot be understood.
pub(super) fn read_account(path: &Path) -> Result<Option<Map<String, Value>>, String> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // To open a pipe would be to wait for its other end.
        Ok(metadata) if !metadata.is_file() => return Err("it is no regular file".to_owned()),
        _ => {}
    }
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("it cannot be read: {error}")),
        Ok(_) => serde_json::from_str(&text).map(Some).map_err(|error| format!("it is no JSON object: {error}")),
    }
}

pub(super) fn number(account: &Map<String, Value>, key: &str) -> Option<f64> {
    account.get(key).and_then(Value::as_f64)
}

/// A count, which may have been written as `6000.0`.
pub(super) fn whole(number: f64) -> Option<u64> {
    // Up to 2^53 every whole number is exact, so the conversion loses nothing.
    let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    exact.then_some(number as u64)
}
