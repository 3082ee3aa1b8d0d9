//! The scan itself: images in order, until the quota is full or the budget is spent.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Rule;
use crate::draw::Draws;
use crate::pixels::Augment;
use crate::pool::Pool;
use crate::prediction::Prediction;
use crate::score::{ScoreError, Scorer, Tally, Visit};

/// When a scan ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Finds wanted.
    pub quota: usize,
    /// Forwards allowed.
    pub forwards: usize,
}

/// Why a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The quota is full.
    Quota,
    /// The budget of forwards is spent.
    Budget,
    /// Every candidate was visited.
    Exhausted,
    /// Somebody asked for it; what was found so far is of no use.
    Cancelled,
}

/// A scanned image.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Its id in the pool.
    pub sample: u32,
    /// The model's answer.
    pub prediction: Prediction,
    /// Whether it is a find.
    pub found: bool,
}

/// What a scan brought in.
#[derive(Debug)]
pub struct Harvest {
    /// Every scanned image, in the order of the scan.
    pub seen: Vec<Seen>,
    /// Their embeddings, row by row, `seen.len()` x `width`.
    pub embeddings: Vec<f32>,
    /// Values in an embedding; 0 if the model gives none out.
    pub width: usize,
    /// Images that could not be read, with the reason.
    pub skipped: Vec<(u32, String)>,
    /// Forwards and seconds.
    pub tally: Tally,
    /// Why the scan ended.
    pub ended: Ended,
}

impl Harvest {
    /// How many finds there are.
    pub fn found(&self) -> usize {
        self.seen.iter().filter(|seen| seen.found).count()
    }
}

/// A scan that is about to happen.
#[derive(Debug)]
pub struct Scan<'a> {
    /// The images.
    pub pool: &'a Pool,
    /// What makes a find.
    pub rule: Rule,
    /// When it ends.
    pub limits: Limits,
    /// How images are changed before they are scored, if at all.
    pub augment: Option<(Augment, Draws)>,
    /// Set by another thread to break the scan off.
    pub cancel: &'a AtomicBool,
}

impl Scan<'_> {
    /// Visits `order` with the loaded checkpoint.
    ///
    /// Batches have a fixed membership and are judged in order, so the harvest is the same for any number of threads.
    /// Errors: those of [`Scorer::scan`].
    pub fn run(&self, scorer: &Scorer, order: &[u32]) -> Result<Harvest, ScoreError> {
        let mut harvest = Harvest {
            seen: Vec::new(),
            embeddings: Vec::new(),
            width: scorer.facts().embedding.unwrap_or(0),
            skipped: Vec::new(),
            tally: Tally::default(),
            ended: if self.limits.quota == 0 { Ended::Quota } else { Ended::Exhausted },
        };
        let (mut rest, mut allowed) = (order, self.limits.forwards);
        while harvest.ended == Ended::Exhausted && !rest.is_empty() {
            if allowed == 0 {
                harvest.ended = Ended::Budget;
                break;
            }
            let (now, later) = rest.split_at(allowed.min(rest.len()));
            let skipped_before = harvest.skipped.len();
            self.visit(scorer, now, &mut harvest)?;
            // An image that could not be read has cost no forward, so others may take its place.
            allowed = harvest.skipped.len() - skipped_before;
            rest = later;
        }
        Ok(harvest)
    }

    /// Visits some of the images and adds what comes of them to the harvest.
    fn visit(&self, scorer: &Scorer, samples: &[u32], harvest: &mut Harvest) -> Result<(), ScoreError> {
        let mut found = harvest.found();
        let tally = scorer.scan(self.pool, samples, self.augment.as_ref(), |visit| {
            if self.cancel.load(Ordering::Relaxed) {
                harvest.ended = Ended::Cancelled;
                return ControlFlow::Break(());
            }
            match visit {
                Visit::Skipped { sample, reason } => harvest.skipped.push((sample, reason.to_string())),
                Visit::Scored { sample, prediction, embedding } => {
                    let find = self.rule.finds(&prediction, self.pool.label(sample));
                    found += usize::from(find);
                    harvest.seen.push(Seen { sample, prediction, found: find });
                    harvest.embeddings.extend_from_slice(embedding);
                }
            }
            if found < self.limits.quota {
                return ControlFlow::Continue(());
            }
            harvest.ended = Ended::Quota;
            ControlFlow::Break(())
        })?;
        harvest.tally.add(&tally);
        Ok(())
    }
}
