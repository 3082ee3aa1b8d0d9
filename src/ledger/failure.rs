//! Why a run could not go on. It stands until somebody starts the run again, which is the next attempt.

use rusqlite::params;

use super::write::{insert_event, now};
use super::{Ledger, LedgerError};

/// What a run has failed of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub time: String,
    /// Why, and what to do about it.
    pub reason: String,
}

impl Ledger {
    /// Notes that the run has failed, also as an event of the kind "failed", which stays.
    pub fn record_failure(&mut self, reason: &str) -> Result<(), LedgerError> {
        self.transact("the failure cannot be recorded", |transaction| {
            let insert = "INSERT OR REPLACE INTO failure (id, time, reason) VALUES (1, ?1, ?2)";
            transaction.execute(insert, params![now(), reason])?;
            insert_event(transaction, "failed", reason)
        })
    }

    /// Takes the failure back: the run is tried again. Without one nothing happens.
    pub fn clear_failure(&mut self) -> Result<(), LedgerError> {
        self.transact("the failure cannot be taken back", |transaction| {
            transaction.execute("DELETE FROM failure", []).map(|_| ())
        })
    }

    /// Why the run has failed, unless it was started again since.
    pub fn failure(&self) -> Result<Option<Failure>, LedgerError> {
        if !self.has_table("failure")? {
            return Ok(None);
        }
        let read = |row: &rusqlite::Row<'_>| Ok(Failure { time: row.get("time")?, reason: row.get("reason")? });
        self.one("SELECT time, reason FROM failure", [], read)
    }
}
