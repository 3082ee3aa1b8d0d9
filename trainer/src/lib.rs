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
//! | [`sizes`] | how many images each batch has |
//! | [`feed`] | a batch as tensors, on its way to the graph |
//! | [`graph`] | the ONNX graph as a trainable module, and which weights train |
//! | [`mixing`] | mixup and CutMix |
//! | [`loss`] | the weighted cross-entropy |
//! | [`schedule`] | the learning rate over the run |
//! | [`gather`] | batches whose gradients move the weights together |
//! | [`optimiser`] | how gradients move the weights |
//! | [`average`] | the moving average of the weights |
//! | [`state`] | what goes from step to step beside the checkpoint |
//! | [`stored`] | tensors in a file of their own |
//! | [`scores`] | what a step saw of each image |
//! | [`export`] | new weights into the ONNX graph |
//! | [`pass`] | the batches of a step, one after another |
//! | [`step`] | one training step, from arguments to checkpoint |
//! | [`setup`] | what a step begins with |
//! | [`check`] | whether a model can be trained, found by trying it |
//! | [`news`] | how far a running step is |
//! | [`forward`] | a forward pass for comparison with other runtimes |
//! | [`dump`] | any tensor as a file |
//! | [`npy`] | NumPy's file format |
//! | [`frame`] | the form of an image batch |
//! | [`memory`] | what is said when there is not enough of it |
//! | [`device`] | processor or GPU |

#![warn(missing_docs)]

pub mod average;
pub mod check;
pub mod cli;
pub mod device;
pub mod dump;
pub mod export;
pub mod feed;
pub mod forward;
pub mod frame;
pub mod gather;
pub mod graph;
pub mod loader;
pub mod loss;
pub mod manifest;
pub mod memory;
pub mod mixing;
pub mod news;
pub mod npy;
pub mod optimiser;
pub mod pass;
pub mod schedule;
pub mod scores;
pub mod setup;
pub mod sizes;
pub mod state;
pub mod step;
pub mod stored;
