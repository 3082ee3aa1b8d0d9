//! What a run has spent, and what it got for it.

use serde::Serialize;

use crate::config::{Config, Word as _};
use crate::ledger::Ledger;

/// A finished run; costs are in full-data epochs, accuracies from 0 to 1. The names are the keys of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    pub(super) policy: &'static str,
    pub(super) seed: u64,
    pub(super) cost: Cost,
    /// Lists that were trained on.
    pub(super) epochs: u64,
    pub(super) best_epoch: Option<u32>,
    pub(super) best_validation_accuracy: Option<f64>,
    pub(super) test_accuracy: Option<f64>,
    pub(super) wall_s: Wall,
    /// The rule that ended it.
    pub(super) ended_by: String,
    /// Whether it ended before its learning rate had come down, as far as it was planned at all.
    pub(super) ended_early: bool,
    /// How many images a person has reviewed.
    pub(super) reviews: usize,
    /// The cost up to and with each validated epoch, and the accuracy then.
    pub(super) validations: Vec<Validated>,
}

/// Work in full-data epochs.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    pub(super) total: f64,
    pub(super) training: f64,
    pub(super) scanning: f64,
    /// What one visit is.
    #[serde(skip)]
    one_image: f64,
}

/// Seconds by the clock, as far as the ledger has them.
#[derive(Debug, Serialize)]
pub(super) struct Wall {
    pub(super) total: f64,
    pub(super) training: f64,
    pub(super) scanning: f64,
    pub(super) clustering: f64,
    pub(super) selecting: f64,
}

/// A validation, and what was spent before it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Validated {
    pub(super) epoch: u32,
    pub(super) cost: f64,
    pub(super) accuracy: f64,
}

impl Account {
    /// Reads the account of a run that has ended off its ledger.
    pub(super) fn of(ledger: &Ledger, config: &Config, pool: u32) -> anyhow::Result<Self> {
        let totals = ledger.totals()?;
        let outcome = ledger.outcome()?;
        let one_image = 1.0 / f64::from(pool.max(1));
        let training = totals.train_visits as f64 * one_image;
        let total = totals.cost * one_image;
        let (reason, best_epoch, best_validation_accuracy, test_accuracy) = match outcome {
            Some(outcome) => (outcome.reason, outcome.best_epoch, outcome.best_accuracy, outcome.test_accuracy),
            None => (String::new(), None, None, None),
        };
        let mut cost = 0.0;
        let mut validations = Vec::new();
        for record in ledger.epochs()? {
            cost += record.cost * one_image;
            let (epoch, accuracy) = (record.commit.epoch, record.validation.map(|validation| validation.accuracy));
            validations.extend(accuracy.map(|accuracy| Validated { epoch, cost, accuracy }));
        }
        Ok(Self {
            policy: config.policy.word(),
            seed: config.seed,
            cost: Cost { total, training, scanning: total - training, one_image },
            epochs: totals.epochs,
            best_epoch,
            best_validation_accuracy,
            test_accuracy,
            wall_s: Wall {
                total: totals.train_s + totals.scan_s + totals.cluster_s + totals.select_s,
                training: totals.train_s,
                scanning: totals.scan_s,
                clustering: totals.cluster_s,
                selecting: totals.select_s,
            },
            ended_early: ended_early(config, &reason),
            reviews: ledger.reviews()?.len(),
            ended_by: reason,
            validations,
        })
    }

    /// All the work, in full-data epochs.
    pub(super) fn spent(&self) -> f64 {
        self.cost.total
    }

    /// The accuracy of the last validation that had cost no more than this; half an image is forgiven, as a plan does.
    pub(super) fn accuracy_at(&self, cost: f64) -> Option<f64> {
        let within = |validated: &&Validated| validated.cost <= cost + 0.5 * self.cost.one_image;
        self.validations.iter().take_while(within).last().map(|validated| validated.accuracy)
    }
}

/// The learning rate follows plan.cost, or else stop.epochs: a run that another rule has ended was not at its end.
fn ended_early(config: &Config, reason: &str) -> bool {
    let followed = if config.plan.cost.is_some() { "plan.cost" } else { "stop.epochs" };
    !reason.starts_with(followed)
}
