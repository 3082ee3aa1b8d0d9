//! One turn of the loop without a service: from a checkpoint to the next list.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::advance::Advance;
use super::examine::{Examined, judge};
use super::waiting::passes;
use super::{Run, ServiceError};
use crate::launch::Report;
use crate::ledger::{Outcome, Standing};
use crate::settings;
use crate::watch::{Now, Reconciler};

/// What one turn came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Mined {
    /// This list is the next epoch's.
    Published(PathBuf),
    /// A stop rule applied.
    Ended(Outcome),
}

impl Run {
    /// Takes a checkpoint (the newest whole one in the watched folder, if none is named), accepts it, and publishes the
    /// list that follows it, or ends the run if a stop rule applies.
    ///
    /// Errors: there is no such checkpoint, it is not fit, or a later one was taken before.
    pub fn mine(&mut self, checkpoint: Option<&Path>) -> Result<Mined, ServiceError> {
        let never = AtomicBool::new(false);
        if let Standing::Fresh = self.ledger.standing()? {
            self.begin_list()?;
        }
        let Some(last) = self.ledger.last_epoch()? else { return Err(self.no_checkpoint("nothing is committed")) };
        // A turn may have been broken off before the stable names followed.
        self.point_next(&last)?;
        match self.ledger.standing()? {
            Standing::Stopped(outcome) => return Ok(Mined::Ended(outcome)),
            // A turn that was broken off after its checkpoint was accepted is finished first.
            Standing::Trained(accepted) => {
                if checkpoint.is_some_and(|path| path != accepted.checkpoint.path) {
                    let accepted = accepted.checkpoint.path.display();
                    tracing::warn!(%accepted, "accepted before and finished first; give the other one again afterwards");
                }
            }
            Standing::Fresh | Standing::Committed(_) => {
                let path = match checkpoint {
                    Some(path) => path.to_owned(),
                    None => self.newest(last.commit.epoch)?,
                };
                let unfit = |reason: String| ServiceError::Checkpoint { path: path.clone(), reason };
                let name = path.file_name().unwrap_or_default();
                let epoch = self.pattern.epoch_of(name).ok_or_else(|| {
                    unfit(format!("its name does not follow checkpoint.pattern ({})", self.config().checkpoint.pattern))
                })?;
                if epoch < last.commit.epoch {
                    return Err(unfit(format!(
                        "it is of epoch {epoch}, where {} or later is awaited",
                        last.commit.epoch
                    )));
                }
                self.note_training(&last, &passes(&last, epoch), None)?;
                if let Examined::Refused { reason, .. } = self.examine(&path, epoch, &never)? {
                    self.note_training(&last, &Report { images: Some(0), ..Report::default() }, None)?;
                    return Err(unfit(reason));
                }
            }
        }
        let Standing::Trained(accepted) = self.ledger.standing()? else {
            return Err(self.no_checkpoint("no checkpoint is accepted"));
        };
        match self.advance(&accepted.checkpoint, &never)? {
            Advance::Published(epoch) => {
                let config = self.config();
                Ok(Mined::Published(config.lists.folder.join(settings::list_format(config).epoch_name(epoch))))
            }
            Advance::Refused => Err(ServiceError::Checkpoint {
                path: accepted.checkpoint.path,
                reason: "it is not fit, for the reason above in the log; give another one".to_owned(),
            }),
            Advance::Stopped | Advance::Cancelled => match self.ledger.outcome()? {
                Some(outcome) => Ok(Mined::Ended(outcome)),
                None => Err(self.no_checkpoint("the turn was broken off")),
            },
        }
    }

    fn newest(&self, wanted: u32) -> Result<PathBuf, ServiceError> {
        let config = &self.config().checkpoint;
        let mut look_out = Reconciler::new(&config.folder, self.pattern.clone(), std::time::Duration::ZERO);
        let found = look_out.look(wanted, Now::read(), &mut |candidate, _| judge(candidate))?;
        found.ready.map(|candidate| candidate.path).ok_or_else(|| {
            self.no_checkpoint(&format!(
                "it holds no whole checkpoint of epoch {wanted} or later; name one with --checkpoint"
            ))
        })
    }

    fn no_checkpoint(&self, reason: &str) -> ServiceError {
        ServiceError::Checkpoint { path: self.config().checkpoint.folder.clone(), reason: reason.to_owned() }
    }
}
