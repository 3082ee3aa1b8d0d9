//! How far a running step is, for whoever has started it.

use gleaner::files::temporary_beside;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often it is told.
const EVERY: Duration = Duration::from_secs(1);

/// A JSON file that is replaced again and again while the step runs. Nothing in it outlives the step, so nothing is flushed
/// to the disk.
#[derive(Debug)]
pub struct News {
    path: Option<PathBuf>,
    told: Option<Instant>,
}

impl News {
    /// News in the file of this path, if there is one.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, told: None }
    }

    /// Whether it is time to tell how far the step is.
    pub fn are_due(&self) -> bool {
        self.path.is_some() && self.told.is_none_or(|told| told.elapsed() >= EVERY)
    }

    /// Replaces the file. A step that cannot tell of itself goes on in silence, and says so once.
    pub fn tell(&mut self, account: &serde_json::Value) {
        let Some(path) = &self.path else { return };
        let temporary = temporary_beside(path);
        if let Err(error) = fs::write(&temporary, account.to_string()).and_then(|()| fs::rename(&temporary, path)) {
            eprintln!("note: how far this step is will not be told in {}: {error}", path.display());
            self.path = None;
        }
        self.told = Some(Instant::now());
    }
}
