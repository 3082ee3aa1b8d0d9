//! What can go wrong with suspects, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::files::PublishError;

/// A list of suspects could not be written, or reviews not be read.
#[derive(Debug, thiserror::Error)]
pub enum SuspectsError {
    /// The list could not be written; what stood there before is untouched.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The operating system refused to read the reviews.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Reviews that make no sense; none of the file's is honoured.
    #[error("{}", problems.join("\n"))]
    Reviews {
        /// Each with file, line and remedy; of many the first twenty.
        problems: Vec<String>,
    },
}
