//! Waiting for a checkpoint that somebody else makes (`trainer: none`).

use std::path::Path;

use super::examine::{Examined, judge};
use super::run::{Run, short};
use super::shutdown::Shutdown;
use super::{ServiceError, in_background, systemd};
use crate::digest;
use crate::launch::Report;
use crate::ledger::{Checkpoint, CheckpointStatus, EpochRecord};
use crate::watch::{self, Candidate, Method, Now, Reconciled, Reconciler, Verdict, Watcher};

/// Waits until a checkpoint of `epoch` or a later one is there and fit, and records it.
pub(super) async fn for_checkpoint(
    mut run: Run,
    epoch: &EpochRecord,
    shutdown: &mut Shutdown,
) -> Result<Run, ServiceError> {
    let wanted = epoch.commit.epoch;
    let config = run.config().checkpoint.clone();
    let mut watcher = Watcher::start(&config.folder, Method::Native, config.poll)?;
    let mut look_out = Reconciler::new(&config.folder, run.pattern.clone(), config.quiet);
    systemd::status(&format!("waiting for {} in {}", run.pattern.name(wanted), config.folder.display()));
    tracing::info!(epoch = wanted, folder = %config.folder.display(), "waiting for the checkpoint");
    let mut again = None;
    loop {
        let quiet_is_over = async {
            match again {
                Some(delay) => tokio::time::sleep(delay).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            hints = watcher.next() => look_out.heed(&hints),
            () = quiet_is_over => {}
            () = shutdown.wait() => return Ok(run),
        }
        let (back, (moved, reconciled)) = in_background(run, move |_| {
            let reconciled = look_out.look(wanted, Now::read(), &mut |candidate, _| judge(candidate))?;
            Ok((look_out, reconciled))
        })
        .await?;
        (run, look_out) = (back, moved);
        again = reconciled.look_again_in();
        for path in &reconciled.ignored {
            tracing::info!(file = %path.display(), pattern = config.pattern, "ignored, its name is not a checkpoint's");
        }
        for rejection in &reconciled.rejected {
            run.reject(&rejection.candidate, &rejection.reason, None)?;
        }
        let Some(candidate) = reconciled.ready.clone() else { continue };
        run.note_training(epoch, &Report::default(), None)?;
        let cancel = shutdown.flag();
        let found = candidate.clone();
        let (back, examined) = in_background(run, move |run| run.examine(&found.path, found.epoch, &cancel)).await?;
        run = back;
        match examined {
            Examined::Cancelled => return Ok(run),
            Examined::Accepted => {
                run.pass_over(&candidate, &reconciled)?;
                return Ok(run);
            }
            Examined::Refused { reason, digest } => {
                run.reject(&candidate, &reason, digest)?;
                look_out.reject(&candidate, reason);
                // An older one may be waiting behind it.
                again = Some(std::time::Duration::ZERO);
            }
        }
    }
}

impl Run {
    /// Records the checkpoints that a newer one made superfluous.
    fn pass_over(&mut self, taken: &Candidate, reconciled: &Reconciled) -> Result<(), ServiceError> {
        for older in &reconciled.skipped {
            let Ok(digest) = digest::of_file(&older.path) else { continue };
            tracing::info!(checkpoint = short(&older.path), newer = short(&taken.path), "skipped");
            self.ledger.record_checkpoint(&Checkpoint {
                epoch: older.epoch,
                path: older.path.clone(),
                digest: Some(digest),
                status: CheckpointStatus::Skipped,
                reason: Some(format!("{} is newer", short(&taken.path))),
            })?;
        }
        Ok(())
    }

    /// Puts an unfit checkpoint of this path aside.
    pub(super) fn refuse(
        &mut self,
        path: &Path,
        epoch: u32,
        reason: &str,
        digest: Option<String>,
    ) -> Result<(), ServiceError> {
        // Whoever wrote it has ended: there is nothing to wait for.
        let quiet = std::time::Duration::ZERO;
        let mut look_out = Reconciler::new(&self.config().checkpoint.folder, self.pattern.clone(), quiet);
        let mut found = None;
        look_out.look(epoch, Now::read(), &mut |candidate, _| {
            if candidate.path == path {
                found = Some(candidate.clone());
            }
            Verdict::Unfinished(String::new())
        })?;
        match found {
            Some(candidate) => self.reject(&candidate, reason, digest),
            None => Ok(()),
        }
    }

    /// Puts an unfit checkpoint aside and records why.
    fn reject(&mut self, candidate: &Candidate, reason: &str, digest: Option<String>) -> Result<(), ServiceError> {
        let Some(digest) = digest.or_else(|| digest::of_file(&candidate.path).ok()) else { return Ok(()) };
        tracing::warn!(checkpoint = short(&candidate.path), reason, "rejected");
        self.ledger.record_checkpoint(&Checkpoint {
            epoch: candidate.epoch,
            path: candidate.path.clone(),
            digest: Some(digest.clone()),
            status: CheckpointStatus::Rejected,
            reason: Some(reason.to_owned()),
        })?;
        match watch::quarantine(candidate, &digest, reason) {
            Ok(folder) => tracing::warn!(folder = %folder.display(), "put aside, with the reason beside it"),
            Err(error) => tracing::warn!(%error, "the rejected checkpoint stays where it is"),
        }
        Ok(())
    }
}
