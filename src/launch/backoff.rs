//! How long to wait before a failed step is tried again.

use std::time::Duration;

/// No delay is longer than this.
const LONGEST: Duration = Duration::from_secs(600);

/// Counts the attempts at one step; each delay is twice the one before, up to ten minutes.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    retries_left: u32,
}

impl Backoff {
    /// `attempts` in all, the first included, and `first` between the first two.
    pub fn new(first: Duration, attempts: u32) -> Self {
        Self { next: first.min(LONGEST), retries_left: attempts.saturating_sub(1) }
    }

    /// To be asked after an attempt has failed: how long to wait before the next one, or `None` when it was the last.
    pub fn next_delay(&mut self) -> Option<Duration> {
        self.retries_left = self.retries_left.checked_sub(1)?;
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(LONGEST);
        Some(delay)
    }
}
