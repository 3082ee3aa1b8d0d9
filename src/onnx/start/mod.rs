//! Graphs to begin with: architectures with random weights, made without PyTorch.
//!
//! Every graph takes `image` [N, channels, height, width] and gives `logits` [N, classes]; N is open. The value
//! `embedding` before the last layer is [N, width]. Weights carry PyTorch's names, so that a state dictionary fits.

mod builder;
mod convnet;
mod resnet18;

pub use convnet::convnet;
pub use resnet18::{Stem, resnet18};
