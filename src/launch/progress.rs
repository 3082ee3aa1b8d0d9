//! What a training step may tell about itself while it runs.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use humantime::format_duration;
use indicatif::HumanCount;

use super::report::{Account, number, read_account, whole};

/// How far a training step is by its own account, written as JSON to the file that `GLEANER_PROGRESS` names, again and
/// again: `{"images": 1200, "total": 6000, "seconds": 3.5, "loss": 0.31}`. All but `images` may be missing, and other keys
/// may be there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Images visited so far.
    pub images: u64,
    /// Images that the step will have visited at its end; unless it says so, those of its list.
    pub total: u64,
    /// Seconds of training so far.
    pub seconds: Option<f64>,
    /// Mean training loss so far.
    pub loss: Option<f64>,
}

impl Progress {
    /// Images a second.
    pub fn rate(&self) -> Option<f64> {
        let rate = self.images as f64 / self.seconds?;
        (rate.is_finite() && rate > 0.0).then_some(rate)
    }

    /// Seconds until the last image, if the rest of the work goes as the work so far has gone.
    pub fn seconds_left(&self) -> Option<f64> {
        self.rate()?;
        Some(self.total.saturating_sub(self.images) as f64 * self.seconds? / self.images as f64)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} images", HumanCount(self.images), HumanCount(self.total))?;
        if let Some(rate) = self.rate() {
            let digits = if rate < 10.0 { 1 } else { 0 };
            write!(formatter, ", {rate:.digits$} images/s")?;
        }
        if let Some(loss) = self.loss {
            write!(formatter, ", loss {loss:.4}")?;
        }
        match self.seconds_left().and_then(|seconds| Duration::try_from_secs_f64(seconds.ceil()).ok()) {
            Some(left) => write!(formatter, ", {} left", format_duration(left)),
            None => Ok(()),
        }
    }
}

/// Reads how far a step on a list of `size` images is; `None` while it has not told.
///
/// # Errors
/// In words for a note: why the file cannot be understood. It may just be being written.
pub fn read_progress(path: &Path, size: u64) -> Result<Option<Progress>, String> {
    let Some(account) = read_account(path)? else { return Ok(None) };
    let count = |key: &str| number(&account, key).and_then(whole);
    let images = count("images").ok_or("it does not say how many `images` were visited")?;
    let Account { seconds, loss } = Account::of(&account);
    Ok(Some(Progress { images, total: count("total").unwrap_or(size), seconds, loss }))
}
