//! How far the training step of an epoch has come: whether a checkpoint that stands under its number can be its work.

use rusqlite::params;

use super::{Ledger, LedgerError};

/// How far a training step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was started; whether it came to its end nobody saw.
    Started,
    /// It ended with exit code 0 and left a checkpoint.
    Succeeded,
}

impl Ledger {
    /// Notes how far the training step of a committed epoch has come.
    pub fn record_step(&mut self, epoch: u32, step: Step) -> Result<(), LedgerError> {
        let changed =
            self.transact(format!("the training step of epoch {epoch} cannot be recorded"), |transaction| {
                transaction.execute("UPDATE epochs SET step = ?2 WHERE epoch = ?1", params![epoch, step.name()])
            })?;
        if changed == 0 {
            return Err(self.conflict(format!("epoch {epoch} is being trained, but its list was never committed")));
        }
        Ok(())
    }

    /// How far the training step of an epoch has come; `None` if it was never started.
    pub fn step(&self, epoch: u32) -> Result<Option<Step>, LedgerError> {
        let query = "SELECT step FROM epochs WHERE epoch = ?1 AND step IS NOT NULL";
        let name: Option<String> = self.one(query, params![epoch], |row| row.get(0))?;
        Ok(name.and_then(|name| Step::from_name(&name)))
    }
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Succeeded => "succeeded",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Started, Self::Succeeded].into_iter().find(|step| step.name() == name)
    }
}
