//! What the service records. Every method is one transaction: after a crash it happened, or it did not.

use rusqlite::{Connection, Transaction, TransactionBehavior, named_params, params};

use super::{
    EpochCommit, Ledger, LedgerError, Outcome, PreparedSamples, Run, RunStart, Training, Validation, centroids,
    duplicates, reviews,
};

impl Ledger {
    /// Notes what this start was asked to do, if that differs from the start before. Call it once, after opening.
    pub fn begin_run(&mut self, run: &Run) -> Result<RunStart, LedgerError> {
        let before = self.run()?;
        if before.as_ref().is_some_and(|before| before.run == *run) {
            return Ok(RunStart::Continued);
        }
        self.transact("the run cannot be recorded", |transaction| {
            transaction.execute(
                "INSERT INTO runs (started, seed, policy, config_digest, pool_digest, config_text)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![now(), run.seed.to_string(), run.policy, run.config_digest, run.pool_digest, run.config_text],
            )
        })?;
        Ok(before.map_or(RunStart::First, |before| RunStart::Changed(Box::new(before))))
    }

    /// Makes an epoch true: its list stands, and the prepared samples are the samples.
    ///
    /// Epochs rise, but may leave numbers out (when several checkpoints came at once, the newest counts). If the error
    /// says that the samples file is committed but could not be renamed, the epoch is true.
    ///
    /// `unreadable` says of each skipped image why it could not be read; they become events of the kind "skipped".
    pub fn commit_epoch(
        &mut self,
        epoch: &EpochCommit,
        unreadable: &[&str],
        samples: Option<PreparedSamples>,
    ) -> Result<(), LedgerError> {
        let number = epoch.epoch;
        let Some(size) = epoch.strata.size() else {
            return Err(self.conflict(format!("epoch {number} is larger than can be counted")));
        };
        let Some(run) = self.run()? else {
            return Err(self.conflict(format!("epoch {number} belongs to no run; begin one first")));
        };
        if let Some(last) = self.last_epoch()?.filter(|last| last.commit.epoch >= number) {
            return Err(self.conflict(format!(
                "epoch {number} cannot be committed, epoch {} is; a committed epoch never changes",
                last.commit.epoch
            )));
        }
        self.transact(format!("epoch {number} cannot be committed"), |transaction| {
            insert_epoch(transaction, epoch, run.number, size)?;
            for (name, digest) in &epoch.lists {
                transaction.execute(
                    "INSERT INTO lists (epoch, name, digest) VALUES (?1, ?2, ?3)",
                    params![number, name, digest],
                )?;
            }
            for reason in unreadable {
                insert_event(transaction, "skipped", reason)?;
            }
            if let Some(centroids) = &epoch.centroids {
                centroids::replace(transaction, number, centroids)?;
            }
            if let Some(reviews) = &epoch.reviews {
                reviews::replace(transaction, reviews)?;
            }
            duplicates::add(transaction, &epoch.duplicates)?;
            samples.as_ref().map_or(Ok(()), |samples| replace_samples(transaction, samples))
        })?;
        samples.map_or(Ok(()), |_| self.finish_samples())
    }

    /// Notes what the training of an epoch took; a later call for the same epoch replaces it, but not
    /// durations by none.
    pub fn record_training(&mut self, epoch: u32, training: &Training) -> Result<(), LedgerError> {
        let changed = self.transact(format!("the training of epoch {epoch} cannot be recorded"), |transaction| {
            transaction.execute(
                "UPDATE epochs SET train_visits = ?2, train_s = coalesce(?3, train_s), step_s = coalesce(?4, step_s)
                 WHERE epoch = ?1",
                params![epoch, training.train_visits, training.train_s, training.step_s],
            )
        })?;
        if changed == 0 {
            return Err(self.conflict(format!("epoch {epoch} was trained, but its list was never committed")));
        }
        Ok(())
    }

    /// Notes how well the accepted checkpoint of an epoch does.
    pub fn record_validation(&mut self, validation: &Validation) -> Result<(), LedgerError> {
        let epoch = validation.epoch;
        let changed = self.transact(format!("the validation of epoch {epoch} cannot be recorded"), |transaction| {
            transaction.execute(
                "UPDATE checkpoints SET validation_accuracy = ?2, validation_loss = ?3,
                        validation_images = ?4, validation_s = ?5
                 WHERE epoch = ?1 AND status = 'accepted'",
                params![epoch, validation.accuracy, validation.loss, validation.images, validation.seconds],
            )
        })?;
        if changed == 0 {
            return Err(self.conflict(format!("epoch {epoch} was validated, but none of its checkpoints is accepted")));
        }
        Ok(())
    }

    /// Notes something worth remembering, as kind "trainer" and text "ended with exit status 1, attempt 2 of 3".
    pub fn record_event(&mut self, kind: &str, text: &str) -> Result<(), LedgerError> {
        self.transact("an event cannot be recorded", |transaction| insert_event(transaction, kind, text))
    }

    /// Notes that the run is over; a later call replaces the outcome.
    pub fn record_outcome(&mut self, outcome: &Outcome) -> Result<(), LedgerError> {
        self.transact("the outcome cannot be recorded", |transaction| {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO outcome (id, stopped, reason, best_epoch, best_accuracy, test_accuracy)
                     VALUES (1, ?1, ?2, ?3, ?4, ?5)",
                    params![now(), outcome.reason, outcome.best_epoch, outcome.best_accuracy, outcome.test_accuracy],
                )
                .map(|_| ())
        })
    }

    /// Takes the outcome back, so that a run whose stop rules were loosened goes on. Without an outcome nothing happens.
    pub fn clear_outcome(&mut self) -> Result<(), LedgerError> {
        self.transact("the outcome cannot be taken back", |transaction| {
            transaction.execute("DELETE FROM outcome", []).map(|_| ())
        })
    }

    pub(super) fn transact<T>(
        &mut self,
        action: impl Into<String>,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        fn run<T>(
            connection: &mut Connection,
            change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
        ) -> rusqlite::Result<T> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        }
        run(&mut self.connection, change).map_err(LedgerError::sqlite(&self.path, action))
    }

    pub(super) fn conflict(&self, problem: String) -> LedgerError {
        LedgerError::Conflict { path: self.path.clone(), problem }
    }
}

pub(super) fn insert_event(transaction: &Transaction<'_>, kind: &str, text: &str) -> rusqlite::Result<()> {
    transaction
        .execute("INSERT INTO events (time, kind, text) VALUES (?1, ?2, ?3)", params![now(), kind, text])
        .map(|_| ())
}

fn insert_epoch(transaction: &Transaction<'_>, epoch: &EpochCommit, run: i64, size: u64) -> rusqlite::Result<usize> {
    transaction.execute(
        "INSERT INTO epochs (epoch, run, committed, size, size_initial, size_uniform, size_mined, size_extra, size_full,
                             scanned, mined, clusters, skipped, suspects, kept_out, scan_forwards, forward_ratio, scan_s,
                             cluster_s, select_s)
         VALUES (:epoch, :run, :committed, :size, :size_initial, :size_uniform, :size_mined, :size_extra, :size_full,
                 :scanned, :mined, :clusters, :skipped, :suspects, :kept_out, :scan_forwards, :forward_ratio, :scan_s,
                 :cluster_s, :select_s)",
        named_params! {
            ":epoch": epoch.epoch,
            ":run": run,
            ":committed": now(),
            ":size": size,
            ":size_initial": epoch.strata.initial,
            ":size_uniform": epoch.strata.uniform,
            ":size_mined": epoch.strata.mined,
            ":size_extra": epoch.strata.extra,
            ":size_full": epoch.strata.full,
            ":scanned": epoch.scanned,
            ":mined": epoch.mined,
            ":clusters": epoch.clusters,
            ":skipped": epoch.skipped,
            ":suspects": epoch.suspects,
            ":kept_out": epoch.kept_out,
            ":scan_forwards": epoch.scan_forwards,
            ":forward_ratio": epoch.forward_ratio,
            ":scan_s": epoch.scan_s,
            ":cluster_s": epoch.cluster_s,
            ":select_s": epoch.select_s,
        },
    )
}

fn replace_samples(transaction: &Transaction<'_>, samples: &PreparedSamples) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO samples_file (id, written, rows, digest) VALUES (1, ?1, ?2, ?3)",
            params![now(), samples.rows, samples.digest],
        )
        .map(|_| ())
}

/// The time now, as `2026-03-21T09:41:00.123Z`.
pub(super) fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
