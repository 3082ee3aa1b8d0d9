//! The scan itself: images in order, until the quota is full or the budget is spent.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering as Memory};

use super::{Order, Rule};
use crate::draw::Draws;
use crate::pixels::Augment;
use crate::pool::Pool;
use crate::prediction::Prediction;
use crate::progress::Progress;
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
    /// The probability with which the scan came to it (see [`Order`]).
    pub inclusion: f32,
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
    /// Visits what `order` says with the loaded checkpoint, a round after the other.
    ///
    /// Batches have a fixed membership and are judged in order, so the harvest is the same for any number of threads.
    /// Errors: those of [`Scorer::scan`].
    pub fn run(&self, scorer: &Scorer, order: &mut Order) -> Result<Harvest, ScoreError> {
        let mut harvest = Harvest {
            seen: Vec::new(),
            embeddings: Vec::new(),
            width: scorer.facts().embedding.unwrap_or(0),
            skipped: Vec::new(),
            tally: Tally::default(),
            ended: if self.limits.quota == 0 { Ended::Quota } else { Ended::Exhausted },
        };
        let mut cells = Vec::new();
        let mut progress = Progress::begin("scanning", self.limits.forwards.min(order.len()) as u64);
        while harvest.ended == Ended::Exhausted {
            // An image that could not be read has cost no forward, so others may take its place.
            let allowed = self.limits.forwards.saturating_sub(harvest.seen.len());
            let round = order.next_round(allowed);
            if round.is_empty() {
                if allowed == 0 && order.visited() < order.len() {
                    harvest.ended = Ended::Budget;
                }
                break;
            }
            self.visit(scorer, &round, order, &mut cells, &mut harvest, &mut progress)?;
        }
        let inclusion = order.inclusion_of_cells();
        for (seen, &cell) in harvest.seen.iter_mut().zip(&cells) {
            seen.inclusion = inclusion.get(cell).copied().unwrap_or(f32::NAN);
        }
        Ok(harvest)
    }

    /// Visits a round and adds what comes of it to the harvest, and the cell of each scored image to `cells`.
    fn visit(
        &self,
        scorer: &Scorer,
        round: &[u32],
        order: &mut Order,
        cells: &mut Vec<usize>,
        harvest: &mut Harvest,
        progress: &mut Progress,
    ) -> Result<(), ScoreError> {
        let mut found = harvest.found();
        let tally = scorer.scan(self.pool, round, self.augment.as_ref(), |visit| {
            if self.cancel.load(Memory::Relaxed) {
                harvest.ended = Ended::Cancelled;
                return ControlFlow::Break(());
            }
            progress.step();
            match visit {
                Visit::Skipped { sample, reason } => {
                    order.learn(None);
                    harvest.skipped.push((sample, reason.to_string()));
                }
                Visit::Scored { sample, prediction, embedding } => {
                    let find = self.rule.finds(&prediction, self.pool.label(sample));
                    found += usize::from(find);
                    if find {
                        progress.find();
                    }
                    cells.push(order.learn(Some(find)));
                    harvest.seen.push(Seen { sample, prediction, found: find, inclusion: f32::NAN });
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
