//! gleaner's own training step: an ONNX graph as a trainable module in libtorch.
//!
//! A step takes a checkpoint and a manifest and leaves the next checkpoint: the same graph with new weights. It runs in
//! a process of its own, so that the service never links libtorch.
//!
//! ```text
//! manifest ─► loader ─► batches ─┐
//! checkpoint in ─► graph ────────┴─► step (loss, optimiser, schedule) ─► export ─► state ─► scores ─► checkpoint out
//! ```
//!
//! | file | owns |
//! | --- | --- |
//! | [`cli`] | the command line |
//! | [`manifest`] | what an epoch trains on |
//! | [`loader`] | image files to batches, in the background |
//! | [`graph`] | the ONNX graph as a trainable module, and which weights train |
//! | [`mixing`] | mixup and CutMix |
//! | [`loss`] | the weighted cross-entropy |
//! | [`schedule`] | the learning rate over the run |
//! | [`optimiser`] | gradient descent with momentum |
//! | [`state`] | the momentum from step to step |
//! | [`scores`] | what a step saw of each image |
//! | [`export`] | new weights into the ONNX graph |
//! | [`step`] | one training step, from arguments to checkpoint |
//! | [`forward`] | a forward pass for comparison with other runtimes |
//! | [`npy`] | NumPy's file format |
//! | [`device`] | processor or GPU |

#![warn(missing_docs)]

pub mod cli;
pub mod device;
pub mod export;
pub mod forward;
pub mod graph;
pub mod loader;
pub mod loss;
pub mod manifest;
pub mod mixing;
pub mod npy;
pub mod optimiser;
pub mod schedule;
pub mod scores;
pub mod state;
pub mod step;
