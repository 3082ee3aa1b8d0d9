//! What a training step leaves behind: processes, files, and checkpoints that may or may not be its work.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ServiceError;
use super::examine::judge;
use super::following::progress_path;
use super::run::Run;
use super::waiting::standing;
use crate::config::{Config, TrainerProgram};
use crate::files;
use crate::launch::{OrphanError, end_orphans};
use crate::ledger::{self, Step};
use crate::onnx;
use crate::watch::Verdict;

/// How long a process that was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the processes of this run's steps are known: the state folder by its real path.
pub(super) fn state_of(config: &Config) -> PathBuf {
    fs::canonicalize(&config.state.folder).unwrap_or_else(|_| config.state.folder.clone())
}

/// Ends every process of a step of this run, and removes what it told of itself and temporary files. For when no step is
/// meant to run, with the lock on the state folder in hand.
///
/// Errors: a process that does not end.
pub(super) fn clear(config: &Config) -> Result<(), OrphanError> {
    let ended = end_orphans(&state_of(config), PATIENCE)?;
    if ended > 0 {
        tracing::warn!(processes = ended, "ended, they were left by a training step");
    }
    let _ = fs::remove_file(progress_path(config));
    for folder in [&config.state.folder, &config.checkpoint.folder] {
        // A folder that cannot be listed will say so when something is written there.
        let _ = files::sweep(folder);
    }
    Ok(())
}

/// Takes away what a step that did not end well has left under the checkpoint's name: after a restart nobody could tell
/// it from the work of one that did.
pub(super) fn discard(checkpoint: &Path) {
    for leftover in [checkpoint, &onnx::data_beside(checkpoint), &ledger::scores_beside(checkpoint)] {
        if fs::remove_file(leftover).is_ok() {
            tracing::warn!(file = %leftover.display(), "removed, the step that wrote it did not end well");
        }
    }
}

impl Run {
    /// Whether the checkpoint of an epoch stands whole from before a restart, and is the work of a step that came to its
    /// end.
    ///
    /// Of a command that was cut off nobody knows whether what it left is its last word: it may save more than once, in
    /// place. The built-in trainer's checkpoint appears when all is done.
    pub(super) fn left_behind(&self, epoch: u32) -> Result<bool, ServiceError> {
        let came_to_its_end = self.ledger.step(epoch)? == Some(Step::Succeeded);
        if !came_to_its_end && self.config().trainer.program != TrainerProgram::BuiltIn {
            return Ok(false);
        }
        let found = standing(self, epoch, &self.checkpoint_path(epoch))?;
        Ok(found.is_some_and(|candidate| judge(&candidate) == Verdict::Whole))
    }

    /// Puts aside what stands under the name of a checkpoint whose training was never started: a trainer that ran ahead, or
    /// took the wrong number, would else have an epoch counted that nobody has trained.
    pub(super) fn put_aside_untrained(&mut self, epoch: u32) -> Result<(), ServiceError> {
        let path = self.checkpoint_path(epoch);
        let reason = format!(
            "it stood there before epoch {epoch} was trained; the trainer is to write {{checkpoint_out}} and no other checkpoint"
        );
        match standing(self, epoch, &path)? {
            Some(_) => self.refuse(&path, epoch, &reason, None),
            None => Ok(()),
        }
    }
}
