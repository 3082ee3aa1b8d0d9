//! How far a training step is, told to the service manager and on the terminal while it runs.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Config;
use crate::progress::Progress;
use crate::{launch, systemd};

/// How often the step's account is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Where the training step that runs may tell how far it is. There is never more than one, and without one no file.
pub fn progress_path(config: &Config) -> PathBuf {
    config.state.folder.join("progress.json")
}

/// Tells what a step of `epoch`, on a list of `size` images, says of itself in `file`, for as long as somebody waits.
///
/// An account that cannot be understood may just be being written; one that stays so is told of, once.
pub(super) async fn follow(file: &Path, epoch: u32, size: u64) -> Infallible {
    let mut bar: Option<Progress> = None;
    let (mut unclear, mut told) = (false, false);
    loop {
        tokio::time::sleep(EVERY).await;
        match launch::read_progress(file, size) {
            Ok(Some(reached)) => {
                let bar = bar.get_or_insert_with(|| Progress::begin("training", reached.total));
                bar.reach(reached.images, &reached.loss.map_or_else(String::new, |loss| format!("loss {loss:.4}")));
                systemd::status(&format!("training epoch {epoch}: {reached}"));
                unclear = false;
            }
            Ok(None) => {}
            Err(reason) if unclear && !told => {
                tracing::warn!(
                    progress = %file.display(),
                    reason,
                    "what the training step says of its progress is passed over"
                );
                told = true;
            }
            Err(_) => unclear = true,
        }
    }
}
