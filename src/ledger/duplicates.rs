//! Near-duplicates as they were found, list by list. They are part of the epoch's commit, in the same transaction, because
//! the next list depends on them.

use rusqlite::{Transaction, params};

use super::{Ledger, LedgerError};
use crate::duplicates::Duplicate;

impl Ledger {
    /// All near-duplicates that are known, by sample.
    pub fn duplicates(&self) -> Result<Vec<Duplicate>, LedgerError> {
        if !self.has_table("duplicates")? {
            return Ok(Vec::new());
        }
        self.all("SELECT sample, kept, distance, epoch FROM duplicates ORDER BY sample", [], |row| {
            let distance: f64 = row.get("distance")?;
            Ok(Duplicate {
                sample: row.get("sample")?,
                kept: row.get("kept")?,
                distance: distance as f32,
                epoch: row.get("epoch")?,
            })
        })
    }

    /// Whether there is a table: one of an earlier version, that is only read, may lack some.
    pub(super) fn has_table(&self, name: &str) -> Result<bool, LedgerError> {
        Ok(!self.all("SELECT 1 FROM sqlite_schema WHERE name = ?1", [name], |_| Ok(()))?.is_empty())
    }
}

pub(super) fn add(transaction: &Transaction<'_>, duplicates: &[Duplicate]) -> rusqlite::Result<()> {
    let mut insert = transaction
        .prepare("INSERT OR REPLACE INTO duplicates (sample, kept, distance, epoch) VALUES (?1, ?2, ?3, ?4)")?;
    for Duplicate { sample, kept, distance, epoch } in duplicates {
        insert.execute(params![sample, kept, f64::from(*distance), epoch])?;
    }
    Ok(())
}
