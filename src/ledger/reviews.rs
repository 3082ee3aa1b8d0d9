//! What a person has said of images, as the newest list honours it. It is part of the epoch's commit, in the same
//! transaction, because the list depends on it.

use rusqlite::{Transaction, params};

use super::{Ledger, LedgerError, Review};

impl Ledger {
    /// The reviews that the newest list honours, by sample.
    pub fn reviews(&self) -> Result<Vec<Review>, LedgerError> {
        if !self.has_table("reviews")? {
            return Ok(Vec::new());
        }
        self.all("SELECT sample, verdict, new_label FROM reviews ORDER BY sample", [], |row| {
            Ok(Review { sample: row.get("sample")?, verdict: row.get("verdict")?, new_label: row.get("new_label")? })
        })
    }
}

pub(super) fn replace(transaction: &Transaction<'_>, reviews: &[Review]) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM reviews", [])?;
    let mut insert = transaction.prepare("INSERT INTO reviews (sample, verdict, new_label) VALUES (?1, ?2, ?3)")?;
    for Review { sample, verdict, new_label } in reviews {
        insert.execute(params![sample, verdict, new_label])?;
    }
    Ok(())
}
