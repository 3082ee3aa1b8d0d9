//! From an accepted checkpoint to the next list, or to the end of the run.

use std::sync::atomic::AtomicBool;

use super::choose::Choosing;
use super::run::shown;
use super::stop::{self, Stop};
use super::{Run, ServiceError};
use crate::ledger::{Checkpoint, CheckpointStatus, Outcome};
use crate::onnx::Model;
use crate::systemd;

/// What an accepted checkpoint led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    /// The list of this epoch is true.
    Published(u32),
    /// The checkpoint turned out not to be fit; it is put aside, and another one of its epoch is awaited.
    Refused,
    /// A stop rule applied; the outcome is recorded.
    Stopped,
    /// A signal came in between; nothing was recorded.
    Cancelled,
}

/// What holding a checkpoint against the test images came to.
enum Tested {
    /// The share of right predictions, 0 to 1.
    Accuracy(f64),
    /// There are no test images, or the checkpoint is gone.
    Impossible,
    Cancelled,
}

impl Run {
    /// Applies the stop rules to the newest accepted checkpoint and, if none does, chooses and publishes the next list.
    pub(super) fn advance(&mut self, checkpoint: &Checkpoint, cancel: &AtomicBool) -> Result<Advance, ServiceError> {
        let epoch = checkpoint.epoch;
        if let Err(error) = self.load_accepted(checkpoint) {
            if !matches!(error, ServiceError::Onnx(_) | ServiceError::CheckpointChanged { .. }) {
                return Err(error);
            }
            // What was accepted is no more: whatever stands there now, or comes, is looked at anew.
            tracing::warn!(%error, "the accepted checkpoint cannot be scanned with; another one is awaited");
            self.ledger.record_checkpoint(&Checkpoint {
                status: CheckpointStatus::Skipped,
                reason: Some(error.to_string()),
                ..checkpoint.clone()
            })?;
            return Ok(Advance::Refused);
        }
        systemd::status(&format!("choosing what follows epoch {epoch}"));
        let validations = self.ledger.validations()?;
        if validations.last().is_none_or(|last| last.epoch != epoch) {
            // The service died between accepting and validating.
            let Some(report) = self.measure(&self.validation, cancel)? else { return Ok(Advance::Cancelled) };
            self.record_validation(epoch, &report)?;
        }
        let spent = self.ledger.totals()?.cost;
        if let Some(stop) = self.stop(epoch, spent)? {
            return self.finish(&stop.to_string(), cancel);
        }
        self.recall_samples()?;
        let last = self.ledger.last_epoch()?;
        let trained_on = last.as_ref().map_or(epoch, |last| last.commit.epoch);
        self.learn_from_training(&checkpoint.path, epoch, trained_on)?;
        self.honour_reviews()?;
        let aside = self.aside(last.as_ref())?;
        let choosing = Choosing {
            config: &self.config,
            plan: &self.plan,
            pool: &self.pool,
            samples: &self.samples,
            aside,
            centroids: self.ledger.centroids()?,
            epoch,
            trained_on,
            spent,
            cancel,
            cache: &self.cache,
        };
        let Some((_, scorer)) = &self.loaded else { return Ok(Advance::Cancelled) };
        let chosen = match choosing.choose(scorer) {
            Err(error) if error.blames_checkpoint() => {
                // Its faults showed only on images that validation does not have. What its training said goes with it.
                self.loaded = None;
                self.forget_samples();
                let before = self.refused_late.take().filter(|(of, ..)| *of == epoch).map_or(0, |(_, count, _)| count);
                self.refused_late = Some((epoch, before + 1, error.to_string()));
                self.refuse(&checkpoint.path, epoch, &error.to_string(), Some(checkpoint.digest.clone()))?;
                return Ok(Advance::Refused);
            }
            chosen => chosen?,
        };
        if chosen.cancelled {
            self.forget_samples();
            return Ok(Advance::Cancelled);
        }
        let nothing = chosen.seen.is_empty() && chosen.choices.is_empty();
        if let (true, Some((_, first))) = (nothing, chosen.skipped.first()) {
            let (list, images, first) = (self.pool.source().to_owned(), chosen.skipped.len(), first.clone());
            return Err(ServiceError::NothingReadable { list, images, first });
        }
        if chosen.choices.is_empty() {
            return self.finish(
                "the scan found nothing left to train on (mine.confident and mine.budget decide what it finds)",
                cancel,
            );
        }
        // The memory is the trainer's now.
        self.loaded = None;
        self.publish(epoch + 1, Some(epoch), &chosen)?;
        Ok(Advance::Published(epoch + 1))
    }

    fn stop(&self, epoch: u32, spent: f64) -> Result<Option<Stop>, ServiceError> {
        let accuracies: Vec<f64> = self.ledger.validations()?.iter().map(|validation| validation.accuracy).collect();
        let left = if self.plan.is_done(spent) { 0 } else { self.plan.visits_left(spent) };
        Ok(stop::rule(&self.config().stop, &accuracies, epoch + 1, left, self.plan.total))
    }

    /// Ends the run: the best checkpoint by validation is held against the test images, once.
    fn finish(&mut self, reason: &str, cancel: &AtomicBool) -> Result<Advance, ServiceError> {
        let validations = self.ledger.validations()?;
        let accuracies: Vec<f64> = validations.iter().map(|validation| validation.accuracy).collect();
        let best = stop::best(&accuracies).and_then(|(at, _)| validations.get(at).copied());
        let test_accuracy = match best {
            Some(best) => match self.test(best.epoch, cancel)? {
                Tested::Accuracy(accuracy) => Some(accuracy),
                Tested::Impossible => None,
                Tested::Cancelled => return Ok(Advance::Cancelled),
            },
            None => None,
        };
        let outcome = Outcome {
            reason: reason.to_owned(),
            best_epoch: best.map(|best| best.epoch),
            best_accuracy: best.map(|best| best.accuracy),
            test_accuracy,
        };
        self.ledger.record_outcome(&outcome)?;
        let (best_accuracy, test_accuracy) = (shown(outcome.best_accuracy), shown(test_accuracy));
        let best_epoch = outcome.best_epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
        tracing::info!(reason, best_epoch, best_accuracy, test_accuracy, "the run has ended");
        Ok(Advance::Stopped)
    }

    /// Holds the checkpoint of an epoch against the test images.
    fn test(&mut self, epoch: u32, cancel: &AtomicBool) -> Result<Tested, ServiceError> {
        if self.test.is_none() {
            return Ok(Tested::Impossible);
        }
        if let Some(record) = self.ledger.checkpoint(epoch)?
            && let Err(error) = self.load_accepted(&record.checkpoint)
        {
            tracing::warn!(%error, "the best checkpoint cannot be held against the test images");
            return Ok(Tested::Impossible);
        }
        match &self.test {
            None => Ok(Tested::Impossible),
            Some(test) => {
                Ok(self.measure(test, cancel)?.map_or(Tested::Cancelled, |it| Tested::Accuracy(it.accuracy())))
            }
        }
    }

    /// Loads a checkpoint that the ledger knows, if its file is still what was accepted.
    fn load_accepted(&mut self, checkpoint: &Checkpoint) -> Result<(), ServiceError> {
        let model = Model::read(&checkpoint.path)?;
        if checkpoint.digest != model.digest() {
            return Err(ServiceError::CheckpointChanged {
                path: checkpoint.path.clone(),
                accepted: checkpoint.digest.clone(),
                found: model.digest().to_owned(),
            });
        }
        self.load(model, &checkpoint.path)
    }
}
