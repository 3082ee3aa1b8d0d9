//! Scoring: batches of images in, [`Prediction`]s and embeddings out, by ONNX Runtime.
//!
//! ```text
//! samples ─► queue ─► worker: files or cache ─► its own batch of u8 ─► session ─► outputs ─► visits, in order
//! ```
//!
//! Workers share the machine by doing one thing after another ([`Scorer`]). Results come in the order that was asked for,
//! and depend on neither the number of threads nor timing.

mod assemble;
mod batch;
mod device;
mod engine;
mod graph;
mod memory;
mod runtime;
mod scorer;
mod session;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

pub use assemble::Facts;
pub use device::{Device, Provider};
pub use runtime::describe;
pub use scorer::{Scorer, Tally, Visit};

use crate::cache::Cache;
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
    pub batch: Batch,
    /// Threads, for decoding and for a model on the processor together.
    pub threads: usize,
    /// Which value of the graph is the embedding.
    pub embedding: Embedding,
    /// Where the model runs.
    pub device: Device,
    /// How much more memory the process may take, in bytes, while a model is loaded and tried on the processor; three
    /// quarters of what is free unless it is said.
    pub max_bytes: Option<u64>,
    /// How wide the model's numbers are.
    pub precision: Precision,
    /// Where TensorRT keeps what it has measured of its kernels, from one checkpoint to the next.
    pub timings: Option<PathBuf>,
    /// Pixels that were decoded before.
    pub cache: Arc<Cache>,
}

/// How large a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// As large as this machine likes best with this model.
    Auto,
    /// So many images.
    Of(usize),
}

/// How wide the numbers are that a model computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    Single,
    /// 16 bits, where a GPU is faster with them.
    Half,
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
    /// The device that was asked for cannot be used.
    #[error(
        "score.device: {provider} cannot be used: {reason}; see that the GPU, its driver and cuDNN are there and that the \
         GPU build of ONNX Runtime is staged (`make RUNTIME=cuda`), or write `device: cpu`"
    )]
    Provider {
        /// What was asked for.
        provider: Provider,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// A thread of the scan is gone.
    #[error("{}: a scoring thread ended unexpectedly; see the log for its message", .0.display())]
    Thread(PathBuf),
}

impl ScoreError {
    /// Whether the checkpoint is to blame, and not this machine.
    pub fn blames_checkpoint(&self) -> bool {
        matches!(self, Self::Model { .. } | Self::NotFinite { .. } | Self::Classes { .. })
    }
}

/// Keeps what sessions leave behind in the allocator in few places. To be called before any thread is started.
///
/// glibc gives threads that come and go arenas of their own, and what one frees there another does not use: over twenty
/// checkpoints that came to half as much memory again. One arena for four cores is enough, as small pieces never wait
/// for one.
pub fn settle_memory() {
    #[cfg(target_env = "gnu")]
    {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let arenas = i32::try_from(cores.div_ceil(4)).unwrap_or(1);
        // SAFETY: mallopt takes no pointer, and no other thread runs yet.
        #[allow(unsafe_code)]
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, arenas);
        }
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
