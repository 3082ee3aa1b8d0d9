//! Images that are not for training, whatever the model says of them: what a person has dropped, and suspects once there
//! are enough of them to matter, and what another image stands for.

use std::collections::BTreeMap;

use super::ServiceError;
use super::run::Run;
use crate::config::Policy;
use crate::duplicates::Duplicates;
use crate::ledger::{EpochRecord, Review, Samples};
use crate::pool::Pool;
use crate::settings;
use crate::suspects::{Evidence, Reviews, Spared, Verdict};

/// Suspects are kept out only by a model that is right on this share of the validation images: one that is wrong more often
/// than right is no witness.
const WITNESS: f64 = 0.5;

/// Who is put aside, for one list.
#[derive(Clone, Debug)]
pub(super) struct Aside<'a> {
    pub(super) reviews: &'a Reviews,
    pub(super) evidence: Evidence,
    pub(super) duplicates: &'a Duplicates,
    pub(super) pool: &'a Pool,
    /// How many suspects are kept out of training; 0 where they are not.
    pub(super) kept_out: u64,
    pub(super) spared: Spared,
}

impl Aside<'_> {
    /// Whether the label of a sample is probably wrong, and no person has said anything about it.
    pub(super) fn is_suspect(&self, samples: &Samples, id: u32) -> bool {
        self.evidence.against(samples, id, self.pool.label(id)).is_some() && self.reviews.of(id).is_none()
    }

    /// Whether it is a suspect that may be kept out.
    fn is_unbelieved(&self, samples: &Samples, id: u32) -> bool {
        self.evidence.is_unbelieved(samples, id) && self.reviews.of(id).is_none()
    }

    /// All suspects, by number.
    pub(super) fn suspects(&self, samples: &Samples) -> Vec<u32> {
        (0..self.pool.len()).filter(|&id| self.is_suspect(samples, id)).collect()
    }

    /// Whether a sample is kept out because its label is probably wrong.
    pub(super) fn keeps_out(&self, samples: &Samples, id: u32) -> bool {
        self.kept_out > 0 && self.is_unbelieved(samples, id) && !self.spared.has(self.pool.label(id))
    }

    /// Whether a sample may be trained on.
    pub(super) fn allows(&self, samples: &Samples, id: u32) -> bool {
        let is_out = |id| self.reviews.drops(id) || self.keeps_out(samples, id);
        // Whoever stands for others must be allowed to.
        let cannot_stand = |id| is_out(id) || samples.is_unreadable(id);
        !is_out(id) && self.duplicates.left_out_for(self.pool, id).is_none_or(cannot_stand)
    }
}

impl Run {
    /// Nobody but those whom a person has dropped, and what is known against the others.
    pub(super) fn nobody_kept_out(&self) -> Aside<'_> {
        Aside {
            reviews: &self.reviews,
            evidence: Evidence::gather(
                settings::suspects(&self.config, self.pool.classes()),
                &self.pool,
                &self.samples,
            ),
            duplicates: &self.duplicates,
            pool: &self.pool,
            kept_out: 0,
            spared: Spared::default(),
        }
    }

    /// Who is put aside when the next list is chosen, after the list `last`.
    ///
    /// Only `confidence` keeps suspects out, only those whom hardly any model believes, and only by a model that can be
    /// believed itself. It begins when they are `suspects.keep_out` of the pool, and ends when they are less than half of
    /// that, so that it does not go back and forth.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(super) fn aside(&self, last: Option<&EpochRecord>) -> Result<Aside<'_>, ServiceError> {
        let aside = self.nobody_kept_out();
        let threshold = self.config.suspects.keep_out;
        let believed = self.ledger.validations()?.last().is_some_and(|validation| validation.accuracy >= WITNESS);
        if self.config.policy != Policy::Confidence || threshold >= 1.0 || !believed {
            return Ok(aside);
        }
        let unbelieved: Vec<u32> = (0..self.pool.len()).filter(|&id| aside.is_unbelieved(&self.samples, id)).collect();
        let spared = Spared::of(&self.pool, &unbelieved);
        let kept_out = unbelieved.iter().filter(|&&id| !spared.has(self.pool.label(id))).count() as u64;
        let keeps_out_now = last.is_some_and(|last| last.commit.kept_out > 0);
        let enough = f64::from(self.pool.len()) * if keeps_out_now { threshold / 2.0 } else { threshold };
        Ok(if kept_out as f64 >= enough { Aside { kept_out, spared, ..aside } } else { aside })
    }

    /// Takes in what a person has said of images since the list before.
    ///
    /// Reviews that make no sense are told of, and those that the list before honours stay in force. Where a label has
    /// changed, what models said of the image was said of another label and is forgotten.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(super) fn honour_reviews(&mut self) -> Result<(), ServiceError> {
        let standing: Reviews = self.ledger.reviews()?.iter().filter_map(review).collect();
        let classes = u32::try_from(self.classes).unwrap_or(u32::MAX);
        // A class must have a name where classes have names.
        let classes = self.pool.class_names().map_or(classes, |_| classes.min(self.pool.classes()));
        let path = settings::reviews(&self.config);
        let reviews = match Reviews::read(&path, &self.pool, classes) {
            Ok(reviews) => reviews,
            Err(error) => {
                tracing::warn!(%error, "the reviews are passed over, those before stay in force");
                self.ledger.record_event("reviews", &error.to_string())?;
                standing.clone()
            }
        };
        if reviews.is_empty() && !standing.is_empty() {
            let news = format!("{}: has no reviews any more, {} are taken back", path.display(), standing.len());
            tracing::warn!("{news}");
            self.ledger.record_event("reviews", &news)?;
        }
        if reviews != standing {
            tracing::info!(reviews = reviews.len(), before = standing.len(), "a person's reviews have changed");
        }
        for (id, label) in std::mem::take(&mut self.listed_labels) {
            self.pool.relabel(id, label);
        }
        let touched = standing.iter().chain(reviews.iter()).map(|(id, _)| id);
        let touched: BTreeMap<u32, u32> = touched.map(|id| (id, self.pool.label(id))).collect();
        for (id, listed) in touched {
            let (before, now) = (standing.label(id).unwrap_or(listed), reviews.label(id).unwrap_or(listed));
            if before != now {
                self.samples.forget_answers(id);
            }
            if now != listed {
                self.listed_labels.insert(id, listed);
                self.pool.relabel(id, now);
            }
        }
        self.reviews = reviews;
        Ok(())
    }

    /// The reviews as the ledger keeps them, if they are others than it has.
    pub(super) fn changed_reviews(&self) -> Result<Option<Vec<Review>>, ServiceError> {
        let now: Vec<Review> = (self.reviews.iter())
            .map(|(sample, verdict)| Review {
                sample,
                verdict: verdict.word().to_owned(),
                new_label: self.reviews.label(sample),
            })
            .collect();
        Ok((self.ledger.reviews()? != now).then_some(now))
    }
}

/// A review as the ledger has it.
pub fn review(review: &Review) -> Option<(u32, Verdict)> {
    Some((review.sample, Verdict::of(&review.verdict, review.new_label)?))
}
