//! How checkpoints are named: text around one `{epoch}`.

use std::ffi::OsStr;
use std::fmt;

const PLACEHOLDER: &str = "{epoch}";

/// `checkpoint.pattern` cannot name checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is no `{epoch}`.
    #[error(
        "checkpoint.pattern: \"{0}\" has no {{epoch}}, so epochs could not be told apart; write \"epoch-{{epoch}}.onnx\""
    )]
    NoEpoch(String),
    /// There is more than one `{epoch}`.
    #[error("checkpoint.pattern: \"{0}\" has {{epoch}} more than once; leave one")]
    ManyEpochs(String),
    /// A brace that is not part of `{epoch}`.
    #[error("checkpoint.pattern: \"{0}\" has braces other than {{epoch}}, the only placeholder there is")]
    Braces(String),
    /// A path instead of a file name.
    #[error(
        "checkpoint.pattern: \"{0}\" has a '/'; the folder goes to checkpoint.folder, the pattern is a file name only"
    )]
    Folder(String),
    /// A hidden file.
    #[error(
        "checkpoint.pattern: \"{0}\" begins with a '.', but hidden files are never taken for checkpoints; begin with another character"
    )]
    Hidden(String),
}

/// A file name with one `{epoch}` in it, as `epoch-{epoch}.onnx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: String,
}

impl Pattern {
    /// Reads a pattern: any text without '/' and without a leading '.', around exactly one `{epoch}`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let own = || text.to_owned();
        let Some((before, after)) = text.split_once(PLACEHOLDER) else {
            return Err(PatternError::NoEpoch(own()));
        };
        if after.contains(PLACEHOLDER) {
            return Err(PatternError::ManyEpochs(own()));
        }
        if text.contains('/') {
            return Err(PatternError::Folder(own()));
        }
        if before.contains(['{', '}']) || after.contains(['{', '}']) {
            return Err(PatternError::Braces(own()));
        }
        if before.starts_with('.') {
            return Err(PatternError::Hidden(own()));
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// The epoch in a file name, with or without leading zeros; `None` when the name does not follow the pattern or
    /// the number is beyond `u32`.
    pub fn epoch_of(&self, name: &OsStr) -> Option<u32> {
        let digits = name.to_str()?.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        // `parse` alone would take "+7" as well.
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok()
    }

    /// The file name of an epoch, with four digits at least: `epoch-0007.onnx`.
    pub fn name(&self, epoch: u32) -> String {
        format!("{}{epoch:04}{}", self.before, self.after)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{PLACEHOLDER}{}", self.before, self.after)
    }
}
