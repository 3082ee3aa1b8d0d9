//! What was recorded.

use std::path::PathBuf;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Params, Row, params};

use super::{
    Checkpoint, CheckpointRecord, CheckpointStatus, EpochCommit, EpochRecord, EpochStatus, Event, Ledger, LedgerError,
    Outcome, Run, RunRecord, Standing, Strata, Totals, Training, Validation,
};

const EPOCHS: &str = "
    SELECT epochs.*, checkpoints.validation_accuracy, checkpoints.validation_loss,
           checkpoints.validation_images, checkpoints.validation_s
    FROM epochs LEFT JOIN checkpoints ON checkpoints.epoch = epochs.epoch AND checkpoints.status = 'accepted'";

impl Ledger {
    /// What the run, as it was last begun, was asked to do.
    pub fn run(&self) -> Result<Option<RunRecord>, LedgerError> {
        self.one("SELECT * FROM runs ORDER BY run DESC LIMIT 1", [], run)
    }

    /// What the run was asked to do when the list of this epoch was committed.
    pub fn run_of(&self, epoch: u32) -> Result<Option<RunRecord>, LedgerError> {
        let query = "SELECT runs.* FROM runs JOIN epochs ON epochs.run = runs.run WHERE epochs.epoch = ?1";
        self.one(query, params![epoch], run)
    }

    /// All committed epochs, oldest first.
    pub fn epochs(&self) -> Result<Vec<EpochRecord>, LedgerError> {
        let mut epochs = self.all(&format!("{EPOCHS} ORDER BY epochs.epoch"), [], epoch)?;
        for epoch in &mut epochs {
            epoch.commit.lists = self.lists(epoch.commit.epoch)?;
        }
        Ok(epochs)
    }

    /// One committed epoch.
    pub fn epoch(&self, number: u32) -> Result<Option<EpochRecord>, LedgerError> {
        self.with_lists(self.one(&format!("{EPOCHS} WHERE epochs.epoch = ?1"), params![number], epoch)?)
    }

    /// The newest committed epoch.
    pub fn last_epoch(&self) -> Result<Option<EpochRecord>, LedgerError> {
        self.with_lists(self.one(&format!("{EPOCHS} ORDER BY epochs.epoch DESC LIMIT 1"), [], epoch)?)
    }

    /// The accepted checkpoint of an epoch.
    pub fn checkpoint(&self, epoch: u32) -> Result<Option<CheckpointRecord>, LedgerError> {
        let query = "SELECT * FROM checkpoints WHERE status = 'accepted' AND epoch = ?1";
        self.one(query, params![epoch], checkpoint)
    }

    /// The accepted checkpoint of the highest epoch.
    pub fn newest_checkpoint(&self) -> Result<Option<CheckpointRecord>, LedgerError> {
        self.one("SELECT * FROM checkpoints WHERE status = 'accepted' ORDER BY epoch DESC LIMIT 1", [], checkpoint)
    }

    /// Every checkpoint that was met, by epoch, then as they came.
    pub fn checkpoints(&self) -> Result<Vec<CheckpointRecord>, LedgerError> {
        self.all("SELECT * FROM checkpoints ORDER BY epoch, id", [], checkpoint)
    }

    /// Why this content was rejected after it had validated well, if it was: whatever epoch it claimed to be of. What was
    /// rejected at once may be fit by now, if the config was to blame.
    pub fn rejected_late(&self, digest: &str) -> Result<Option<String>, LedgerError> {
        let query = "SELECT coalesce(reason, '') FROM checkpoints
                     WHERE status = 'rejected' AND digest = ?1 AND validation_accuracy IS NOT NULL ORDER BY id DESC LIMIT 1";
        self.one(query, params![digest], |row| row.get(0))
    }

    /// How well the accepted checkpoints do, by epoch: what the stop rules judge.
    pub fn validations(&self) -> Result<Vec<Validation>, LedgerError> {
        let query = "SELECT * FROM checkpoints
                     WHERE status = 'accepted' AND validation_accuracy IS NOT NULL ORDER BY epoch";
        Ok(self.all(query, [], checkpoint)?.into_iter().filter_map(|record| record.validation).collect())
    }

    /// Sums over all committed epochs.
    pub fn totals(&self) -> Result<Totals, LedgerError> {
        let query = "SELECT count(*), coalesce(sum(train_visits), 0), coalesce(sum(scan_forwards), 0), total(cost),
                            total(train_s), total(step_s), total(scan_s), total(cluster_s), total(select_s)
                     FROM epochs";
        let totals = self.one(query, [], |row| {
            Ok(Totals {
                epochs: row.get(0)?,
                train_visits: row.get(1)?,
                scan_forwards: row.get(2)?,
                cost: row.get(3)?,
                train_s: row.get(4)?,
                step_s: row.get(5)?,
                scan_s: row.get(6)?,
                cluster_s: row.get(7)?,
                select_s: row.get(8)?,
            })
        })?;
        Ok(totals.unwrap_or_default())
    }

    /// The newest `most` events, oldest first.
    pub fn events(&self, most: u32) -> Result<Vec<Event>, LedgerError> {
        let query = "SELECT * FROM (SELECT * FROM events ORDER BY id DESC LIMIT ?1) ORDER BY id";
        self.all(query, params![most], |row| {
            Ok(Event { time: row.get("time")?, kind: row.get("kind")?, text: row.get("text")? })
        })
    }

    /// How the run ended, if it did.
    pub fn outcome(&self) -> Result<Option<Outcome>, LedgerError> {
        self.one("SELECT * FROM outcome", [], |row| {
            Ok(Outcome {
                reason: row.get("reason")?,
                best_epoch: row.get("best_epoch")?,
                best_accuracy: row.get("best_accuracy")?,
                test_accuracy: row.get("test_accuracy")?,
            })
        })
    }

    /// Where the run stands.
    pub fn standing(&self) -> Result<Standing, LedgerError> {
        if let Some(outcome) = self.outcome()? {
            return Ok(Standing::Stopped(outcome));
        }
        let (epoch, checkpoint) = (self.last_epoch()?, self.newest_checkpoint()?);
        Ok(match (epoch, checkpoint) {
            (None, _) => Standing::Fresh,
            (Some(epoch), Some(checkpoint)) if checkpoint.checkpoint.epoch >= epoch.commit.epoch => {
                Standing::Trained(Box::new(checkpoint))
            }
            (Some(epoch), _) => Standing::Committed(Box::new(epoch)),
        })
    }

    fn with_lists(&self, epoch: Option<EpochRecord>) -> Result<Option<EpochRecord>, LedgerError> {
        let Some(mut epoch) = epoch else { return Ok(None) };
        epoch.commit.lists = self.lists(epoch.commit.epoch)?;
        Ok(Some(epoch))
    }

    fn lists(&self, epoch: u32) -> Result<Vec<(String, String)>, LedgerError> {
        let query = "SELECT name, digest FROM lists WHERE epoch = ?1 ORDER BY name";
        self.all(query, params![epoch], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    pub(super) fn one<T, P: Params>(
        &self,
        query: &str,
        parameters: P,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, LedgerError> {
        self.connection.query_row(query, parameters, read).optional().map_err(self.reading())
    }

    pub(super) fn all<T, P: Params>(
        &self,
        query: &str,
        parameters: P,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let rows =
            || -> rusqlite::Result<Vec<T>> { self.connection.prepare(query)?.query_map(parameters, read)?.collect() };
        rows().map_err(self.reading())
    }
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let seed: String = row.get("seed")?;
    Ok(RunRecord {
        number: row.get("run")?,
        started: row.get("started")?,
        run: Run {
            seed: seed.parse().map_err(|_| unknown(&seed))?,
            policy: row.get("policy")?,
            config_digest: row.get("config_digest")?,
            pool_digest: row.get("pool_digest")?,
            config_text: row.get("config_text")?,
        },
    })
}

fn epoch(row: &Row<'_>) -> rusqlite::Result<EpochRecord> {
    let number = row.get("epoch")?;
    let status: String = row.get("status")?;
    Ok(EpochRecord {
        commit: EpochCommit {
            epoch: number,
            lists: Vec::new(),
            strata: Strata {
                initial: row.get("size_initial")?,
                uniform: row.get("size_uniform")?,
                mined: row.get("size_mined")?,
                extra: row.get("size_extra")?,
                full: row.get("size_full")?,
            },
            scanned: row.get("scanned")?,
            mined: row.get("mined")?,
            clusters: row.get("clusters")?,
            skipped: row.get("skipped")?,
            suspects: later(row, "suspects")?,
            kept_out: later(row, "kept_out")?,
            scan_forwards: row.get("scan_forwards")?,
            forward_ratio: row.get("forward_ratio")?,
            scan_s: row.get("scan_s")?,
            cluster_s: row.get("cluster_s")?,
            select_s: row.get("select_s")?,
            centroids: None,
            reviews: None,
            duplicates: Vec::new(),
        },
        committed: row.get("committed")?,
        status: EpochStatus::from_name(&status).ok_or_else(|| unknown(&status))?,
        training: Training {
            train_visits: row.get("train_visits")?,
            train_s: row.get("train_s")?,
            step_s: row.get("step_s")?,
        },
        validation: validation(row, number)?,
        cost: row.get("cost")?,
    })
}

fn checkpoint(row: &Row<'_>) -> rusqlite::Result<CheckpointRecord> {
    let epoch = row.get("epoch")?;
    let status: String = row.get("status")?;
    let path: String = row.get("path")?;
    Ok(CheckpointRecord {
        checkpoint: Checkpoint {
            epoch,
            path: PathBuf::from(path),
            digest: row.get("digest")?,
            status: CheckpointStatus::from_name(&status).ok_or_else(|| unknown(&status))?,
            reason: row.get("reason")?,
        },
        seen_at: row.get("seen_at")?,
        validation: validation(row, epoch)?,
    })
}

fn validation(row: &Row<'_>, epoch: u32) -> rusqlite::Result<Option<Validation>> {
    let accuracy: Option<f64> = row.get("validation_accuracy")?;
    let Some(accuracy) = accuracy else { return Ok(None) };
    let loss: Option<f64> = row.get("validation_loss")?;
    let images: Option<u64> = row.get("validation_images")?;
    let seconds: Option<f64> = row.get("validation_s")?;
    let (images, seconds) = (images.unwrap_or_default(), seconds.unwrap_or_default());
    Ok(Some(Validation { epoch, accuracy, loss: loss.unwrap_or(f64::NAN), images, seconds }))
}

/// A count that earlier versions did not keep: 0 where the ledger has no such column, as one that is only read may.
fn later(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    match row.get(column) {
        Err(rusqlite::Error::InvalidColumnName(_)) => Ok(0),
        other => other,
    }
}

fn unknown(text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("{text:?} is not known here").into())
}
