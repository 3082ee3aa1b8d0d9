//! What became of checkpoints.

use std::slice;

use rusqlite::{Transaction, params};

use super::write::now;
use super::{Checkpoint, CheckpointStatus, Ledger, LedgerError};

impl Ledger {
    /// Notes a checkpoint; the same content under the same epoch again replaces what was noted, but not when it was
    /// first seen. Accepting (or skipping) moves the epoch on.
    ///
    /// An epoch has at most one accepted checkpoint: another one is refused.
    pub fn record_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), LedgerError> {
        self.record_checkpoints(slice::from_ref(checkpoint))
    }

    /// Notes checkpoints like [`record_checkpoint`](Self::record_checkpoint), all at once: a backlog may be of thousands,
    /// and each transaction waits for the disk.
    pub fn record_checkpoints(&mut self, checkpoints: &[Checkpoint]) -> Result<(), LedgerError> {
        let mut paths = Vec::new();
        for checkpoint in checkpoints {
            let epoch = checkpoint.epoch;
            let Some(path) = checkpoint.path.to_str() else {
                return Err(self.conflict(format!("{:?} is not UTF-8; rename checkpoint.folder", checkpoint.path)));
            };
            if checkpoint.status == CheckpointStatus::Accepted
                && let Some(standing) = self.checkpoint(epoch)?
                && standing.checkpoint.digest != checkpoint.digest
            {
                return Err(self.conflict(format!(
                    "epoch {epoch} has an accepted checkpoint already, with other content; give the new one a number of its own"
                )));
            }
            paths.push(path);
        }
        let action = match checkpoints {
            [checkpoint] => format!("checkpoint {} cannot be recorded", checkpoint.epoch),
            _ => format!("{} checkpoints cannot be recorded", checkpoints.len()),
        };
        self.transact(action, |transaction| {
            checkpoints.iter().zip(paths).try_for_each(|(checkpoint, path)| insert(transaction, checkpoint, path))
        })
    }
}

fn insert(transaction: &Transaction<'_>, checkpoint: &Checkpoint, path: &str) -> rusqlite::Result<()> {
    let epoch = checkpoint.epoch;
    transaction.execute(
        "INSERT INTO checkpoints (epoch, path, digest, status, reason, seen_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (epoch, digest)
         DO UPDATE SET path = excluded.path, status = excluded.status, reason = excluded.reason",
        params![epoch, path, checkpoint.digest, checkpoint.status.name(), checkpoint.reason, now()],
    )?;
    let change = match checkpoint.status {
        CheckpointStatus::Accepted => {
            // Whatever was still awaited before it will not be waited for any longer.
            let passed = "UPDATE epochs SET status = 'skipped' WHERE epoch < ?1 AND status = 'committed'";
            transaction.execute(passed, params![epoch])?;
            "UPDATE epochs SET status = 'trained' WHERE epoch = ?1"
        }
        CheckpointStatus::Skipped => "UPDATE epochs SET status = 'skipped' WHERE epoch = ?1 AND status != 'trained'",
        // An accepted one may turn out bad in the scan: the list that it was trained on then awaits another.
        CheckpointStatus::Rejected => {
            "UPDATE epochs SET status = 'committed'
             WHERE epoch = (SELECT max(epoch) FROM epochs WHERE epoch <= ?1) AND NOT EXISTS
                 (SELECT 1 FROM checkpoints WHERE checkpoints.epoch >= epochs.epoch AND status = 'accepted')"
        }
    };
    transaction.execute(change, params![epoch]).map(|_| ())
}
