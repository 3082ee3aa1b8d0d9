//! Scoring: batches of images in, [`Prediction`]s and embeddings out, by ONNX Runtime.
//!
//! One thread owns the session ([`Scorer`]); the caller's side decodes the next batch meanwhile. Batches have a fixed
//! membership and shape, and results come in the order that was asked for, so they depend on neither thread count nor
//! timing.

mod runtime;
mod scorer;
mod session;

use std::path::PathBuf;

pub use runtime::describe;
pub use scorer::{Scorer, Tally, Visit};
pub use session::Facts;

use crate::libraries::LibraryMissing;
use crate::onnx::Embedding;
use crate::pixels::{PixelError, Preprocess};
#[cfg(doc)]
use crate::prediction::Prediction;

/// How a checkpoint is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How a file becomes the model's input.
    pub preprocess: Preprocess,
    /// Images in a batch, unless the graph fixes it.
    pub batch: usize,
    /// Threads for ONNX Runtime and for decoding.
    pub threads: usize,
    /// Which value of the graph is the embedding.
    pub embedding: Embedding,
}

/// Why scoring did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// ONNX Runtime is not where it should be.
    #[error(transparent)]
    LibraryMissing(#[from] LibraryMissing),
    /// ONNX Runtime is there and cannot be used.
    #[error(
        "{}: cannot be loaded as ONNX Runtime: {reason}; run `make` in gleaner's source folder to stage the version that \
         fits",
        library.display()
    )]
    Library {
        /// The file.
        library: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// The preprocessing is not one that can be done.
    #[error("pixels: {0}")]
    Settings(PixelError),
    /// The checkpoint is not a model that can score these images.
    #[error("{}: {reason}", checkpoint.display())]
    Model {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// ONNX Runtime failed on a model that it has run before: a matter of this machine, as when memory runs out.
    #[error("{}: {reason}, which it did before; see that there is enough memory", checkpoint.display())]
    Run {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// The model answers with NaN or infinity.
    #[error(
        "{}: its scores for {} are not finite (NaN or infinity); the training that made it has diverged, try a lower \
         learning rate",
        checkpoint.display(), image.display()
    )]
    NotFinite {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The first image for which that was so.
        image: PathBuf,
    },
    /// The model does not have the classes that the run is about.
    #[error(
        "{}: it tells {model} classes apart, where this run has {expected}; export the model that `model.start` began \
         with, or mend the labels",
        checkpoint.display()
    )]
    Classes {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Columns of the model's output.
        model: usize,
        /// Classes of the starting graph and the pool.
        expected: usize,
    },
    /// The thread that owns the session is gone.
    #[error("{}: the scoring thread ended unexpectedly; see the log for its message", .0.display())]
    Thread(PathBuf),
}

impl ScoreError {
    /// Whether the checkpoint is to blame, and not this machine.
    pub fn blames_checkpoint(&self) -> bool {
        matches!(self, Self::Model { .. } | Self::NotFinite { .. } | Self::Classes { .. })
    }
}

/// Gives memory that a dropped session leaves in the allocator back to the system.
pub fn release_memory() {
    // SAFETY: malloc_trim takes no pointer and may be called at any time.
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)]
    unsafe {
        libc::malloc_trim(0);
    }
}
