//! Where the groups of the last list were centred. They are part of the epoch's commit, in the same transaction, because
//! the next list depends on them.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Ledger, LedgerError};

/// The centroids of an epoch's groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Centroids {
    /// How distances are measured, in the config's word.
    pub distance: String,
    /// The length of an embedding.
    pub dims: u32,
    /// Row by row; the row's number is the group's.
    pub values: Vec<f32>,
}

impl Ledger {
    /// The centroids that were committed last, if any were.
    pub fn centroids(&self) -> Result<Option<Centroids>, LedgerError> {
        self.connection
            .query_row("SELECT distance, dims, content FROM centroids ORDER BY epoch DESC LIMIT 1", [], |row| {
                let content: Vec<u8> = row.get("content")?;
                let values = content.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                Ok(Centroids { distance: row.get("distance")?, dims: row.get("dims")?, values })
            })
            .optional()
            .map_err(self.reading())
    }
}

/// Keeps the newest only: a committed epoch never changes, so the older ones are of no use.
pub(super) fn replace(transaction: &Transaction<'_>, epoch: u32, centroids: &Centroids) -> rusqlite::Result<()> {
    let content: Vec<u8> = centroids.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    transaction.execute("DELETE FROM centroids", [])?;
    transaction
        .execute(
            "INSERT INTO centroids (epoch, distance, dims, content) VALUES (?1, ?2, ?3, ?4)",
            params![epoch, centroids.distance, centroids.dims, content],
        )
        .map(|_| ())
}
