//! The scan itself: images in order, until the quota is full or the budget is spent.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering as Memory};

use super::{Order, Rule};
use crate::draw::Draws;
use crate::files::PublishError;
use crate::pixels::Augment;
use crate::pool::Pool;
use crate::prediction::Prediction;
use crate::progress::Progress;
use crate::score::{ScoreError, Scorer, Tally, Visit};
use crate::spool::{MEMORY, Numbers, Spool};

/// When a scan ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Images wanted for the next subset.
    pub quota: f64,
    /// What a scored image that is no find brings towards the quota: the share of them that is taken along.
    pub known: f64,
    /// What comes along for every scored image, without a scan.
    pub along: f64,
    /// Forwards allowed.
    pub forwards: usize,
    /// Whether images that nobody has looked at are to make up for what the scan could not pay for.
    pub unseen: bool,
}

impl Limits {
    /// So many images are wanted, none of which come without being found, whatever it costs.
    pub fn of(quota: f64) -> Self {
        Self { quota, known: 0.0, along: 0.0, forwards: usize::MAX, unseen: false }
    }

    /// Whether so many finds among so many scored images are enough.
    fn are_met(&self, found: usize, scored: usize) -> bool {
        self.missing(found, scored) <= 0.0
    }

    /// Images that are still wanted then.
    fn missing(&self, found: usize, scored: usize) -> f64 {
        let brought = found as f64 + self.known * scored.saturating_sub(found) as f64 + self.along * scored as f64;
        self.quota - brought
    }
}

/// Why a scan ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// The quota is full.
    Quota,
    /// The budget of forwards is spent.
    Budget,
    /// Every candidate was visited.
    #[default]
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
#[derive(Debug, Default)]
pub struct Harvest {
    /// Every scanned image, in the order of the scan.
    pub seen: Vec<Seen>,
    /// Their embeddings, row by row, `seen.len()` x `width`.
    pub embeddings: Numbers,
    /// Images that are taken without a look, and the probability of that or of a look.
    pub unseen: Vec<(u32, f32)>,
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

/// Why a scan failed.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The model, or what runs it.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// There was no place for the embeddings.
    #[error("embeddings, in a file without a name: {0}")]
    Spool(#[from] PublishError),
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
    /// Where embeddings go that are too many for the memory.
    pub folder: &'a Path,
}

impl Scan<'_> {
    /// Visits what `order` says with the loaded checkpoint, a round after the other.
    ///
    /// Batches have a fixed membership and are judged in order, so the harvest is the same for any number of threads.
    ///
    /// # Errors
    /// Those of [`Scorer::scan`], and no room on the disk for embeddings that are too many for the memory.
    pub fn run(&self, scorer: &Scorer, order: &mut Order) -> Result<Harvest, ScanError> {
        let mut basket = Basket::new(self, scorer, order);
        while basket.harvest.ended == Ended::Exhausted {
            // An image that could not be read has cost no forward, so others may take its place.
            let allowed = self.limits.forwards.saturating_sub(basket.harvest.seen.len());
            let round = basket.order.next_round(allowed);
            if round.is_empty() {
                if allowed == 0 && basket.order.visited() < basket.order.len() {
                    basket.harvest.ended = Ended::Budget;
                }
                break;
            }
            basket.fill(scorer, &round)?;
        }
        Ok(basket.finish()?)
    }
}

/// A harvest while it comes in.
struct Basket<'a> {
    scan: &'a Scan<'a>,
    order: &'a mut Order,
    harvest: Harvest,
    found: usize,
    embeddings: Spool,
    /// The cell of each scored image.
    cells: Vec<usize>,
    progress: Progress,
}

impl<'a> Basket<'a> {
    fn new(scan: &'a Scan<'a>, scorer: &Scorer, order: &'a mut Order) -> Self {
        let harvest = Harvest {
            seen: Vec::new(),
            embeddings: Numbers::default(),
            unseen: Vec::new(),
            width: scorer.facts().embedding.unwrap_or(0),
            skipped: Vec::new(),
            tally: Tally::default(),
            ended: if scan.limits.are_met(0, 0) { Ended::Quota } else { Ended::Exhausted },
        };
        let progress = Progress::begin("scanning", scan.limits.forwards.min(order.len()) as u64);
        let embeddings = Spool::new(scan.folder, MEMORY);
        Self { scan, order, harvest, found: 0, embeddings, cells: Vec::new(), progress }
    }

    /// Visits a round and adds what comes of it.
    fn fill(&mut self, scorer: &Scorer, round: &[u32]) -> Result<(), ScanError> {
        let mut spooled = Ok(());
        let tally = scorer.scan(self.scan.pool, round, self.scan.augment.as_ref(), |visit| {
            if self.scan.cancel.load(Memory::Relaxed) {
                self.harvest.ended = Ended::Cancelled;
                return ControlFlow::Break(());
            }
            self.progress.step();
            spooled = self.take(visit);
            if spooled.is_err() {
                return ControlFlow::Break(());
            }
            if !self.scan.limits.are_met(self.found, self.harvest.seen.len()) {
                return ControlFlow::Continue(());
            }
            self.harvest.ended = Ended::Quota;
            ControlFlow::Break(())
        })?;
        self.harvest.tally.add(&tally);
        Ok(spooled?)
    }

    fn take(&mut self, visit: Visit<'_>) -> Result<(), PublishError> {
        match visit {
            Visit::Skipped { sample, reason } => {
                self.order.learn(None);
                self.harvest.skipped.push((sample, reason.to_string()));
                Ok(())
            }
            Visit::Scored { sample, prediction, embedding } => {
                let found = self.scan.rule.finds(&prediction, self.scan.pool.label(sample));
                if found {
                    self.found += 1;
                    self.progress.find();
                }
                self.cells.push(self.order.learn(Some(found)));
                self.harvest.seen.push(Seen { sample, prediction, found, inclusion: f32::NAN });
                self.embeddings.push(embedding)
            }
        }
    }

    fn finish(mut self) -> Result<Harvest, PublishError> {
        let unseen = self.without_a_look();
        let inclusion = self.order.inclusion_of_cells();
        let of = |cell: usize| inclusion.get(cell).copied().unwrap_or(f32::NAN);
        self.harvest.unseen = unseen.into_iter().map(|(sample, cell)| (sample, of(cell))).collect();
        for (seen, &cell) in self.harvest.seen.iter_mut().zip(&self.cells) {
            seen.inclusion = of(cell);
        }
        self.harvest.embeddings = self.embeddings.finish()?;
        Ok(self.harvest)
    }

    /// Where the budget has ended the scan, so many of the others as are missing, with their cells. As to those that are
    /// scored, to every one of them comes what comes along.
    fn without_a_look(&mut self) -> Vec<(u32, usize)> {
        let limits = &self.scan.limits;
        if !limits.unseen || self.harvest.ended != Ended::Budget {
            return Vec::new();
        }
        let missing = limits.missing(self.found, self.harvest.seen.len()).max(0.0);
        self.order.take((missing / (1.0 + limits.along)).round() as usize)
    }
}
