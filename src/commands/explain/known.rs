//! What the state holds, read so that the table of samples and the epochs belong together.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use super::why::Case;
use crate::config::{Config, Others, Word as _};
use crate::duplicates::Duplicates;
use crate::ledger::{EpochRecord, Ledger, LedgerError, NEVER, NONE, Run, Samples};
use crate::pool::Pool;
use crate::prediction::Prediction;
use crate::service::{Plan, pool_digest, review};
use crate::suspects::{Doubt, Evidence, Reviews, Rule, Spared, Verdict};

/// How often a reading is tried that the service may have disturbed, and the pause in between: it renames the table of
/// samples just after the commit.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// What the state knew at one moment.
pub(super) struct Known {
    ledger: Ledger,
    /// All committed epochs, oldest first.
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) samples: Samples,
    /// The settings under which the last list was made.
    rules: Option<Rules>,
    /// What a person has said, as the last list honours it.
    pub(super) reviews: Reviews,
    /// Images that are so alike that one stands for the other.
    pub(super) duplicates: Duplicates,
    evidence: Option<Evidence>,
    spared: Spared,
}

/// Those settings of a run that decide about an image, as the ledger has them; nothing where it has none of that name.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) policy: String,
    pub(super) confident: Option<f64>,
    /// Nothing, too, where gleaner settles it by the planned work.
    pub(super) share: Option<f64>,
    pub(super) mode: Option<String>,
    pub(super) fraction: Option<f64>,
    /// Epochs after which an answer no longer counts.
    stale: Option<u32>,
    cost: Option<f64>,
    /// What makes an image a suspect: a mean below this, over so many models; and the share of a class that must be taken for
    /// another one.
    suspects: Option<(f64, f64, f64)>,
    /// What a rare class is to have, as a share of an even one.
    pub(super) floor: f64,
    /// Whether the others are drawn at random while suspects are kept out.
    pub(super) even: bool,
}

impl Rules {
    fn of(run: &Run) -> Self {
        let config: Value = serde_json::from_str(&run.config_text).unwrap_or_default();
        let number = |key: &str| config.pointer(key).and_then(Value::as_f64);
        Self {
            policy: run.policy.clone(),
            confident: number("/mine/confident"),
            share: number("/extras/share"),
            mode: config.pointer("/cluster/mode").and_then(Value::as_str).map(str::to_owned),
            fraction: number("/cluster/fraction"),
            stale: config.pointer("/mine/stale").and_then(Value::as_u64).and_then(|stale| u32::try_from(stale).ok()),
            cost: number("/plan/cost"),
            suspects: number("/suspects/p_label")
                .zip(number("/suspects/scores"))
                .map(|(p_label, scores)| (p_label, scores, number("/suspects/mixed_up").unwrap_or(1.0))),
            floor: number("/classes/floor").unwrap_or_default(),
            even: config.pointer("/suspects/others").and_then(Value::as_str) == Some(Others::Even.word()),
        }
    }

    fn evidence(&self, pool: &Pool, samples: &Samples) -> Option<Evidence> {
        let rule = |(p_label, scores, mixed_up)| Rule::new(p_label, scores as u8, mixed_up, pool.classes());
        self.suspects.map(|known| Evidence::gather(rule(known), pool, samples))
    }
}

/// Opens the ledger of a config for reading.
pub(super) fn open(config: &Config) -> Result<Ledger, LedgerError> {
    Ledger::open_read_only(&config.state.folder)
}

/// Reads what the ledger and the table of samples hold.
pub(super) fn read(ledger: Ledger, config: &Config, pool: &Pool) -> anyhow::Result<Known> {
    if ledger.run()?.is_some_and(|record| record.run.pool_digest != pool_digest(pool)) {
        bail!(
            "{}: is not the pool that the run in {} was begun with; put back its list as it was, or name the config of \
             the run",
            pool.source().display(),
            config.state.folder.display()
        );
    }
    let len = pool.len() as usize;
    let mut failures = 0;
    loop {
        let epochs = ledger.epochs()?;
        let samples = ledger.read_samples(len);
        let reviews = ledger.reviews()?.iter().filter_map(review).collect();
        let mut duplicates = Duplicates::default();
        duplicates.extend(ledger.duplicates()?);
        let last = |epoch: Option<&EpochRecord>| epoch.map(|epoch| epoch.commit.epoch);
        if last(epochs.last()) == last(ledger.last_epoch()?.as_ref()) {
            match samples {
                Ok(samples) => {
                    let run = last(epochs.last()).map(|epoch| ledger.run_of(epoch)).transpose()?.flatten();
                    let rules = run.map(|record| Rules::of(&record.run));
                    let samples = samples.unwrap_or_else(|| Samples::new(len));
                    let evidence = rules.as_ref().and_then(|rules| rules.evidence(pool, &samples));
                    let spared = Spared::default();
                    return Ok(Known { ledger, epochs, samples, rules, reviews, duplicates, evidence, spared });
                }
                Err(error) if failures == ATTEMPTS => return Err(error.into()),
                Err(_) => failures += 1,
            }
        }
        thread::sleep(PAUSE);
    }
}

impl Known {
    /// The epoch of the last list that has a sample.
    pub(super) fn last_trained(&self, id: u32) -> Option<u32> {
        epoch(&self.samples.last_trained, id)
    }

    /// The epoch whose model scored a sample last, or could not because the image cannot be read.
    pub(super) fn last_scored(&self, id: u32) -> Option<u32> {
        epoch(&self.samples.last_scored, id)
    }

    /// What was said of a sample last.
    pub(super) fn answer(&self, id: u32) -> Option<Prediction> {
        self.samples.score(id).filter(|said| said.predicted != NONE)
    }

    /// Why the image could not be read when it was to be scored last; nothing where it could.
    pub(super) fn unreadable(&self, path: &Path, id: u32) -> Result<Option<String>, LedgerError> {
        if self.last_scored(id).is_none() || self.answer(id).is_some() {
            return Ok(None);
        }
        let begins = format!("{}: ", path.display());
        let events = self.ledger.events(u32::MAX)?;
        let event = events.into_iter().rev().find(|event| event.kind == "skipped" && event.text.starts_with(&begins));
        Ok(Some(event.map_or_else(|| "the ledger does not say why".to_owned(), |event| event.text)))
    }

    /// What decides why a sample is not on the list `last`.
    pub(super) fn case<'a>(
        &'a self,
        pool: &Pool,
        id: u32,
        last: &'a EpochRecord,
        unreadable: Option<&'a str>,
    ) -> Option<Case<'a>> {
        let earlier = self.epochs.iter().rev().find(|record| record.commit.epoch < last.commit.epoch);
        let rules = self.rules.as_ref()?;
        // The model of the epoch before has chosen the list; what is known of an image that is not on it is as it was then.
        let chosen_by = last.commit.epoch.saturating_sub(1);
        Some(Case {
            rules,
            fresh: rules.stale.is_some_and(|stale| self.samples.is_fresh(id, chosen_by, stale)),
            commit: &last.commit,
            before: earlier.map(|record| record.commit.epoch),
            candidates: pool.len().saturating_sub(self.dropped()),
            cut: self.was_cut(last, pool.len()),
            dropped: self.reviews.drops(id),
            suspect: self.is_kept_out(pool, id),
            left_out_for: self.left_out_for(pool, id, last).map(|kept| pool.path(kept)),
            unreadable_now: self.samples.is_unreadable(id),
            label: pool.label(id),
            last_trained: self.last_trained(id),
            last_scored: self.last_scored(id),
            answer: self.answer(id),
            unreadable,
            inclusion: super::measured(&self.samples.inclusion, id),
        })
    }

    /// The image that stands for this one, if it may.
    fn left_out_for(&self, pool: &Pool, id: u32, last: &EpochRecord) -> Option<u32> {
        let may = |kept: &u32| {
            let suspected = last.commit.kept_out > 0 && self.is_kept_out(pool, *kept);
            !suspected && !self.reviews.drops(*kept) && !self.samples.is_unreadable(*kept)
        };
        self.duplicates.left_out_for(pool, id).filter(may)
    }

    /// What speaks against its label, where no person has said anything about it.
    pub(super) fn doubt(&self, pool: &Pool, id: u32) -> Option<Doubt> {
        let evidence = self.evidence.as_ref().filter(|_| self.reviews.of(id).is_none())?;
        evidence.against(&self.samples, id, pool.label(id))
    }

    fn is_unbelieved(&self, id: u32) -> bool {
        let unbelieved = self.evidence.as_ref().is_some_and(|evidence| evidence.is_unbelieved(&self.samples, id));
        unbelieved && self.reviews.of(id).is_none()
    }

    /// Whether it is one of those that are kept out where suspects are.
    fn is_kept_out(&self, pool: &Pool, id: u32) -> bool {
        self.is_unbelieved(id) && !self.spared.has(pool.label(id))
    }

    /// How many images a person's reviews keep out of training.
    fn dropped(&self) -> u32 {
        let dropped = self.reviews.iter().filter(|(id, _)| self.reviews.drops(*id)).count();
        u32::try_from(dropped).unwrap_or(u32::MAX)
    }

    /// Gives the images the labels that a person has given them; who is a suspect, and of which class, follows from that.
    pub(super) fn relabel(&mut self, pool: &mut Pool) {
        for (reviewed, verdict) in self.reviews.iter() {
            if let Verdict::Relabel(label) = verdict {
                pool.relabel(reviewed, label);
            }
        }
        self.evidence = self.rules.as_ref().and_then(|rules| rules.evidence(pool, &self.samples));
        let unbelieved: Vec<u32> = (0..pool.len()).filter(|&id| self.is_unbelieved(id)).collect();
        self.spared = Spared::of(pool, &unbelieved);
    }

    /// Whether a list is as long as the plan still paid for after its scan, and so was cut to that length.
    fn was_cut(&self, last: &EpochRecord, pool: u32) -> bool {
        let Some(cost) = self.rules.as_ref().and_then(|rules| rules.cost) else { return false };
        let plan = Plan { total: Some(cost * f64::from(pool)), forward: last.commit.forward_ratio };
        let earlier = self.epochs.iter().filter(|record| record.commit.epoch < last.commit.epoch);
        let spent: f64 = earlier.map(|record| record.cost).sum();
        let left = plan.visits_left(spent + plan.cost(0, last.commit.scan_forwards));
        last.commit.strata.size() == u64::try_from(left).ok()
    }
}

fn epoch(column: &[i32], id: u32) -> Option<u32> {
    let epoch = column.get(id as usize).copied().filter(|&epoch| epoch != NEVER)?;
    u32::try_from(epoch).ok()
}
