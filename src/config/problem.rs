//! What is wrong with a config: every problem with its place and its remedy.

use serde::Serialize;
use std::fmt;

/// One thing that is wrong. Shown as `place: message; remedy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `file:line:column`, `--set key=value`, or the file alone.
    pub place: String,
    /// The key with its sections, dots between; empty if no key is to blame.
    pub key: String,
    /// Line in the file, from 1; absent for overrides and for a file that cannot be read.
    pub line: Option<usize>,
    /// Column in the line, in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.message, self.remedy)
    }
}

/// A config that cannot be used: all of its problems, in the order of the file, then of the overrides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct ConfigError {
    /// Never empty.
    pub problems: Vec<Problem>,
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Something between the file's start and the last override. Orders as a person reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// 0 is the file, n the n-th override.
    pub source: usize,
    /// From 1; 0 = the file as a whole.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Place {
    /// The file as a whole.
    pub(super) const FILE: Self = Self { source: 0, line: 0, column: 0 };

    /// The n-th override, from 0.
    pub(super) fn of_override(index: usize) -> Self {
        Self { source: index + 1, line: 1, column: 1 }
    }

    /// Whether an override, rather than the file, says so.
    pub(super) fn is_override(self) -> bool {
        self.source > 0
    }
}

/// What is wrong with a value, before it is known where it stands.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub message: String,
    /// Empty where an example of a good value is remedy enough.
    pub remedy: String,
    /// Where, if not at the start of the value.
    pub place: Option<Place>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into(), place: None }
    }

    /// The same fault, said of one item of a list at its own place.
    pub(super) fn of_item(self, place: Place) -> Self {
        Self { message: format!("has an item that {}", self.message), place: Some(place), ..self }
    }
}
