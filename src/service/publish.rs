//! The commit of an epoch: lists and samples are written beside, one transaction makes them true, then the stable names
//! follow.

use std::borrow::Cow;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use super::choose::Chosen;
use super::run::Run;
use super::subset::Subset;
use super::{ServiceError, plan::Plan};
use crate::config::{ListPaths, Policy};
use crate::duplicates;
use crate::ledger::{EpochCommit, Strata};
use crate::lists;
use crate::mine::Order;
use crate::pool::Pool;
use crate::select::{self, Stratum};
use crate::settings;
use crate::suspects::{self, Suspects};
use crate::systemd;

impl Run {
    /// Epoch 0: a random share of the pool (S1).
    pub(super) fn begin(&mut self) -> Result<(), ServiceError> {
        self.refuse_old_checkpoints()?;
        self.begin_list()
    }

    /// The same where checkpoints may stand already.
    pub(super) fn begin_list(&mut self) -> Result<(), ServiceError> {
        let (seed, fraction) = (self.config().seed, self.config().initial.fraction);
        let affordable = self.plan.visits_left(0.0);
        self.honour_reviews()?;
        let allowed = (0..self.pool.len()).filter(|&id| !self.reviews.drops(id));
        let choices = select::initial(allowed, select::share_count(self.pool.len(), fraction), seed);
        let choices = select::cut(&choices, affordable, seed, 0);
        if choices.is_empty() {
            let reviews = settings::reviews(&self.config);
            return Err(ServiceError::NobodyLeft { reviews });
        }
        let chosen = Chosen { choices: select::order(&choices, seed, 0), ..Chosen::default() };
        self.publish(0, None, &chosen)
    }

    /// Publishes the list of `epoch`, as chosen by the checkpoint of `scanned_by`, and makes it true.
    pub(super) fn publish(&mut self, epoch: u32, scanned_by: Option<u32>, chosen: &Chosen) -> Result<(), ServiceError> {
        systemd::status(&format!("publishing the list of epoch {epoch}"));
        self.recall_samples()?;
        let start = Instant::now();
        self.note(epoch, scanned_by, chosen);
        let outcome = self.make_true(epoch, scanned_by, chosen, start);
        if outcome.is_ok() {
            self.duplicates.extend(chosen.duplicates.iter().copied());
        }
        if outcome.is_err() {
            // What was noted has not come true, or nobody knows: the file tells.
            self.forget_samples();
        }
        outcome
    }

    fn make_true(
        &mut self,
        epoch: u32,
        scanned_by: Option<u32>,
        chosen: &Chosen,
        start: Instant,
    ) -> Result<(), ServiceError> {
        if self.ledger.last_epoch()?.is_some() {
            // Lists of an epoch that the ledger does not know were never true: a process died before it committed them.
            lists::withdraw(&self.config().lists.folder, epoch)?;
        }
        let (pool, samples, config) = (&self.pool, &self.samples, &self.config);
        let chosen_by = scanned_by.and_then(|epoch| match config.policy {
            Policy::Confidence => Some((epoch, config.mine.stale)),
            Policy::Patent => Some((epoch, 1)),
            Policy::Uniform => None,
        });
        let rows = Subset { pool, samples, choices: &chosen.choices, chosen_by, paths: config.lists.paths };
        let names = class_names(pool, self.classes);
        // Two large files that have nothing to do with each other, and nothing counts before both are there.
        let (published, prepared) = thread::scope(|scope| {
            let lists = thread::Builder::new().name("lists".to_owned()).spawn_scoped(scope, || {
                lists::publish_epoch(&config.lists.folder, epoch, &settings::list_formats(config), &names, &rows)
            });
            let prepared = self.ledger.prepare_samples(samples, &mut |id, path: &mut Vec<u8>| {
                path.extend_from_slice(pool.listed(id));
                pool.label(id)
            });
            (lists.map(ScopedJoinHandle::join), prepared)
        });
        let files = published.map_err(ServiceError::Thread)?.map_err(|_| ServiceError::Panicked)??.names().collect();
        let prepared = prepared?;
        // Before the epoch is true: a crash in between writes the same again.
        let aside = self.nobody_kept_out();
        let suspects = Suspects {
            ids: aside.suspects(samples),
            pool,
            samples,
            evidence: &aside.evidence,
            kept_out: chosen.kept_out > 0,
            absolute: config.lists.paths == ListPaths::Absolute,
        };
        suspects::publish(&config.lists.folder.join(suspects::LIST_FILE), &suspects)?;
        let suspects = suspects.ids.len() as u64;
        let kept_out = chosen.kept_out;
        let mut known = self.duplicates.clone();
        known.extend(chosen.duplicates.iter().copied());
        let absolute = config.lists.paths == ListPaths::Absolute;
        duplicates::publish(&config.lists.folder.join(duplicates::LIST_FILE), &known.sorted(), pool, absolute)?;
        let (reviews, duplicates) = (self.changed_reviews()?, chosen.duplicates.clone());
        let commit =
            EpochCommit { suspects, kept_out, reviews, duplicates, ..record(epoch, &self.plan, chosen, files) };
        for (id, reason) in &chosen.skipped {
            tracing::warn!(sample = id, %reason, "an image is left out");
        }
        let unreadable: Vec<&str> = chosen.skipped.iter().map(|(_, reason)| reason.as_str()).collect();
        self.ledger.commit_epoch(&commit, &unreadable, Some(prepared))?;
        let strata = &commit.strata;
        tracing::info!(
            epoch,
            size = chosen.choices.len(),
            initial = strata.initial,
            uniform = strata.uniform,
            mined = strata.mined,
            extra = strata.extra,
            scanned = commit.scanned,
            found = commit.mined,
            clusters = commit.clusters,
            skipped = commit.skipped,
            suspects,
            kept_out,
            near_duplicates = chosen.duplicates.len(),
            scan_s = format_args!("{:.2}", commit.scan_s),
            cluster_s = format_args!("{:.2}", commit.cluster_s),
            select_s = format_args!("{:.2}", commit.select_s),
            publish_s = format_args!("{:.2}", start.elapsed().as_secs_f64()),
            "published"
        );
        let config = self.config();
        Ok(lists::point_next(&config.lists.folder, epoch, &settings::list_formats(config))?)
    }

    /// Brings what is known of each sample to where it will be once this list is true.
    fn note(&mut self, epoch: u32, scanned_by: Option<u32>, chosen: &Chosen) {
        let samples = &mut self.samples;
        if let Some(scanned_by) = scanned_by {
            for (seen, cluster) in chosen.seen.iter().zip(&chosen.clusters_of_seen) {
                samples.record_score(seen.sample, scanned_by, &seen.prediction);
                samples.record_answer(seen.sample, seen.prediction.is_right(self.pool.label(seen.sample)));
                if let Some(cluster) = cluster {
                    samples.record_cluster(seen.sample, *cluster);
                }
            }
            for (id, _) in &chosen.skipped {
                samples.record_unreadable(*id, scanned_by);
            }
        }
        for (id, probability) in chosen.order.iter().flat_map(Order::inclusion) {
            samples.record_inclusion(id, probability);
        }
        for choice in &chosen.choices {
            samples.record_visit(choice.sample, epoch);
            samples.record_chosen(choice.sample, choice.inclusion as f32);
        }
    }
}

/// The classes' own names, or numbers for names.
fn class_names(pool: &Pool, classes: usize) -> Cow<'_, [String]> {
    match pool.class_names() {
        Some(names) => Cow::Borrowed(names),
        None => Cow::Owned(lists::numbered_classes(u32::try_from(classes).unwrap_or(u32::MAX))),
    }
}

fn record(epoch: u32, plan: &Plan, chosen: &Chosen, lists: Vec<(String, String)>) -> EpochCommit {
    let count = |stratum| chosen.choices.iter().filter(|choice| choice.stratum == stratum).count() as u64;
    EpochCommit {
        epoch,
        lists,
        strata: Strata {
            initial: count(Stratum::Initial),
            uniform: count(Stratum::Uniform),
            mined: count(Stratum::Mined),
            extra: count(Stratum::Extra),
            full: count(Stratum::Full),
        },
        scanned: chosen.seen.len() as u64,
        mined: chosen.mined,
        clusters: u64::from(chosen.clusters),
        skipped: chosen.skipped.len() as u64,
        scan_forwards: chosen.forwards,
        forward_ratio: plan.forward,
        scan_s: chosen.scan_s,
        cluster_s: chosen.cluster_s,
        select_s: chosen.select_s,
        centroids: chosen.centroids.clone(),
        ..EpochCommit::default()
    }
}
