//! Waiting for a checkpoint that somebody else makes (`trainer: none`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::examine::{Examined, judge};
use super::run::{Run, short};
use super::{ServiceError, Signals, in_background};
use crate::digest;
use crate::launch::Report;
use crate::ledger::{Checkpoint, CheckpointStatus, EpochRecord, scores_beside};
use crate::watch::{self, Candidate, Hints, Now, Reconciled, Reconciler, Verdict, WatchError, Watcher};
use crate::{settings, systemd};

/// Waits until a checkpoint of `epoch` or a later one is there and fit, and records it.
pub(super) async fn for_checkpoint(
    mut run: Run,
    epoch: &EpochRecord,
    signals: &mut Signals,
) -> Result<Run, ServiceError> {
    let wanted = epoch.commit.epoch;
    let config = run.config().checkpoint.clone();
    let mut watcher = Watcher::start(&config.folder, settings::watching(&config), config.poll);
    let mut look_out = Reconciler::new(&config.folder, run.pattern.clone(), config.quiet);
    tracing::info!(epoch = wanted, folder = %config.folder.display(), "waiting for the checkpoint");
    let awaited = format!("waiting for {} in {}", run.pattern.name(wanted), config.folder.display());
    systemd::status(&awaited);
    let mut again = None;
    let mut told = BTreeSet::new();
    loop {
        let quiet_is_over = async {
            match again {
                Some(delay) => tokio::time::sleep(delay).await,
                None => std::future::pending().await,
            }
        };
        let hints = systemd::waiting(async {
            tokio::select! {
                hints = watcher.next() => Some(hints),
                () = quiet_is_over => Some(Hints::default()),
                () = signals.shutdown.wait() => None,
                // The loop comes back here with the new settings.
                () = signals.reload.wait() => None,
            }
        });
        let Some(hints) = hints.await else { return Ok(run) };
        look_out.heed(&hints);
        let (back, (moved, looked)) = in_background(run, move |_| {
            let looked = look_out.look(wanted, Now::read(), &mut |candidate, _| judge(candidate));
            Ok((look_out, looked))
        })
        .await?;
        (run, look_out) = (back, moved);
        systemd::ready();
        let reconciled = match looked {
            Ok(reconciled) => reconciled,
            Err(error) => {
                // A file server that is away, or a folder that is just being replaced: the next event or turn of the timer
                // looks again.
                if told.insert((config.folder.clone(), error.to_string())) {
                    tracing::warn!(%error, "the folder is looked at again later");
                }
                again = None;
                continue;
            }
        };
        again = reconciled.look_again_in();
        for path in reconciled.ignored.iter().filter(|path| run.strangers.insert(path.to_path_buf())) {
            tracing::info!(file = %path.display(), pattern = config.pattern, "ignored, its name is not a checkpoint's");
        }
        for waiting in &reconciled.waiting {
            if told.insert((waiting.candidate.path.clone(), waiting.reason.clone())) {
                tracing::info!(checkpoint = short(&waiting.candidate.path), reason = waiting.reason, "not ready yet");
            }
        }
        for rejection in &reconciled.rejected {
            run.reject(&rejection.candidate, &rejection.reason, None)?;
        }
        let Some(candidate) = reconciled.ready.clone() else { continue };
        run.note_training(epoch, &passes(epoch, candidate.epoch), None)?;
        let cancel = signals.shutdown.flag();
        let found = candidate.clone();
        let (back, examined) = in_background(run, move |run| run.examine(&found.path, found.epoch, &cancel)).await?;
        run = back;
        match examined {
            Examined::Cancelled => return Ok(run),
            Examined::Accepted => {
                let cancel = signals.shutdown.flag();
                return Ok(in_background(run, move |run| run.pass_over(&candidate, &reconciled, &cancel)).await?.0);
            }
            Examined::Refused { reason, digest } => {
                run.note_training(epoch, &Report { images: Some(0), ..Report::default() }, None)?;
                run.reject(&candidate, &reason, digest)?;
                look_out.reject(&candidate, reason);
                // An older one may be waiting behind it.
                again = Some(Duration::ZERO);
                systemd::status(&awaited);
            }
        }
    }
}

/// The training that a checkpoint stands for: whoever left checkpoint `of` has trained on this list in each epoch up to
/// that one.
pub(super) fn passes(epoch: &EpochRecord, of: u32) -> Report {
    let passes = u64::from(of.saturating_sub(epoch.commit.epoch)) + 1;
    Report { images: epoch.commit.strata.size().map(|size| size * passes), ..Report::default() }
}

impl Run {
    /// Records the checkpoints that a newer one made superfluous, as far as a signal leaves time for it.
    fn pass_over(
        &mut self,
        taken: &Candidate,
        reconciled: &Reconciled,
        cancel: &AtomicBool,
    ) -> Result<(), ServiceError> {
        let skipped = |older: &Candidate| {
            tracing::info!(checkpoint = short(&older.path), newer = short(&taken.path), "skipped");
            Some(Checkpoint {
                epoch: older.epoch,
                path: older.path.clone(),
                digest: digest::of_file(&older.path).ok()?,
                status: CheckpointStatus::Skipped,
                reason: Some(format!("{} is newer", short(&taken.path))),
            })
        };
        let older = reconciled.skipped.iter().take_while(|_| !cancel.load(Ordering::Relaxed));
        let older: Vec<Checkpoint> = older.filter_map(skipped).collect();
        Ok(self.ledger.record_checkpoints(&older)?)
    }

    /// Records that the checkpoint of this path is not fit and, where it stands in the watched folder, puts it aside.
    pub(super) fn refuse(
        &mut self,
        path: &Path,
        epoch: u32,
        reason: &str,
        digest: Option<String>,
    ) -> Result<(), ServiceError> {
        match standing(self, epoch, path)? {
            Some(candidate) => self.reject(&candidate, reason, digest),
            None => self.record_rejection(path, epoch, reason, digest.or_else(|| digest::of_file(path).ok())),
        }
    }

    fn record_rejection(
        &mut self,
        path: &Path,
        epoch: u32,
        reason: &str,
        digest: Option<String>,
    ) -> Result<(), ServiceError> {
        tracing::warn!(checkpoint = short(path), reason, "rejected");
        // Without a digest it could not even be read, and there is nothing to know it again by.
        let Some(digest) = digest else { return Ok(()) };
        let (path, reason) = (path.to_owned(), Some(reason.to_owned()));
        let status = CheckpointStatus::Rejected;
        Ok(self.ledger.record_checkpoint(&Checkpoint { epoch, path, digest, status, reason })?)
    }

    /// Puts an unfit checkpoint aside and records why.
    fn reject(&mut self, candidate: &Candidate, reason: &str, digest: Option<String>) -> Result<(), ServiceError> {
        // What its training said of the images must not speak for the checkpoint that comes in its place.
        let _ = std::fs::remove_file(scores_beside(&candidate.path));
        let digest = digest.or_else(|| digest::of_file(&candidate.path).ok());
        self.record_rejection(&candidate.path, candidate.epoch, reason, digest.clone())?;
        let Some(digest) = digest else { return Ok(()) };
        match watch::quarantine(candidate, &digest, reason) {
            Ok(folder) => tracing::warn!(folder = %folder.display(), "put aside, with the reason beside it"),
            Err(error) => tracing::warn!(%error, "the rejected checkpoint stays where it is"),
        }
        Ok(())
    }
}

/// The checkpoint of this path as it stands in the watched folder. Whoever wrote it has ended: nothing is waited for.
pub(super) fn standing(run: &Run, epoch: u32, path: &Path) -> Result<Option<Candidate>, WatchError> {
    let mut look_out = Reconciler::new(&run.config().checkpoint.folder, run.pattern.clone(), Duration::ZERO);
    let mut found = None;
    look_out.look(epoch, Now::read(), &mut |candidate, _| {
        if candidate.path == path {
            found = Some(candidate.clone());
        }
        Verdict::Unfinished(String::new())
    })?;
    Ok(found)
}
