//! From an accepted checkpoint to the next list, or to the end of the run.

use std::sync::atomic::AtomicBool;

use super::choose::Choosing;
use super::stop::{self, Stop};
use super::{Run, ServiceError};
use crate::ledger::{Checkpoint, Outcome};
use crate::onnx::Model;

/// What an accepted checkpoint led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    /// The list of this epoch is true.
    Published(u32),
    /// A stop rule applied; the outcome is recorded.
    Stopped,
    /// A signal came in between; nothing was recorded.
    Cancelled,
}

impl Run {
    /// Applies the stop rules to the newest accepted checkpoint and, if none does, chooses and publishes the next list.
    pub(super) fn advance(&mut self, checkpoint: &Checkpoint, cancel: &AtomicBool) -> Result<Advance, ServiceError> {
        let epoch = checkpoint.epoch;
        self.load_accepted(checkpoint)?;
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
        let choosing = Choosing {
            config: &self.invocation.config,
            plan: &self.plan,
            pool: &self.pool,
            samples: &self.samples,
            epoch,
            spent,
            cancel,
        };
        let Some((_, scorer)) = &self.loaded else { return Ok(Advance::Cancelled) };
        let chosen = choosing.choose(scorer)?;
        if chosen.cancelled {
            return Ok(Advance::Cancelled);
        }
        if chosen.choices.is_empty() {
            return self.finish("the scan found nothing left to train on", cancel);
        }
        // The memory is the trainer's now.
        self.loaded = None;
        self.publish(epoch + 1, Some(epoch), &chosen)?;
        Ok(Advance::Published(epoch + 1))
    }

    fn stop(&self, epoch: u32, spent: f64) -> Result<Option<Stop>, ServiceError> {
        let accuracies: Vec<f64> = self.ledger.validations()?.iter().map(|validation| validation.accuracy).collect();
        let left = self.plan.visits_left(spent);
        Ok(stop::rule(&self.config().stop, &accuracies, epoch + 1, left, self.plan.total))
    }

    /// Ends the run: the best checkpoint by validation is held against the test images, once.
    fn finish(&mut self, reason: &str, cancel: &AtomicBool) -> Result<Advance, ServiceError> {
        let validations = self.ledger.validations()?;
        let accuracies: Vec<f64> = validations.iter().map(|validation| validation.accuracy).collect();
        let best = stop::best(&accuracies).and_then(|(at, _)| validations.get(at).copied());
        let mut test_accuracy = None;
        if let (Some(best), Some(_)) = (best, &self.test) {
            if let Some(record) = self.ledger.checkpoint(best.epoch)? {
                self.load_accepted(&record.checkpoint)?;
            }
            if let Some(test) = &self.test {
                let Some(report) = self.measure(test, cancel)? else { return Ok(Advance::Cancelled) };
                test_accuracy = Some(report.accuracy());
            }
        }
        let outcome = Outcome {
            reason: reason.to_owned(),
            best_epoch: best.map(|best| best.epoch),
            best_accuracy: best.map(|best| best.accuracy),
            test_accuracy,
        };
        self.ledger.record_outcome(&outcome)?;
        tracing::info!(
            reason, best_epoch = ?outcome.best_epoch, best_accuracy = ?outcome.best_accuracy, ?test_accuracy,
            "the run has ended"
        );
        Ok(Advance::Stopped)
    }

    /// Loads a checkpoint that the ledger knows, if its file is still what was accepted.
    fn load_accepted(&mut self, checkpoint: &Checkpoint) -> Result<(), ServiceError> {
        let model = Model::read(&checkpoint.path)?;
        if let Some(accepted) = checkpoint.digest.as_deref().filter(|&accepted| accepted != model.digest()) {
            return Err(ServiceError::CheckpointChanged {
                path: checkpoint.path.clone(),
                accepted: accepted.to_owned(),
                found: model.digest().to_owned(),
            });
        }
        self.load(model, &checkpoint.path)
    }
}
