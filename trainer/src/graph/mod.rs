//! An ONNX graph as a trainable module.
//!
//! | file | owns |
//! | --- | --- |
//! | `build` | from an ONNX model to a program and its parameters |
//! | `error` | why a model cannot be trained |
//! | `untie` | giving every layer its own small weights where an exporter merged equal ones |
//! | `sequences` | pieces of a tensor that an exporter put into a sequence |
//! | `roles` | which weights train, which are running statistics, which stay |
//! | `fuse` | what libtorch computes in one go where an exporter wrote several nodes |
//! | `program` | the steps of a graph, and running them |
//! | `reuse` | results that are written over an input that nobody needs any more |
//! | `values` | the values that stand in a model, as libtorch's tensors |
//! | `reader` | a node's attributes, and the refusal of what is not understood |
//! | `ops` | what each operator computes |
//!
//! # Which weights train
//!
//! A 32-bit float initializer trains if the logits follow from it and it stands at one of these places, by itself or
//! through nodes that compute from it and from constants alone (a transposed weight, a class token that is expanded to
//! the batch, rows that are gathered from a table, a weight that is standardised; what is compared or rounded on the way
//! has no gradient and stays):
//!
//! - weight and bias of `Conv` and `Gemm`, either side of `MatMul` (of two initializers, the right one), the bias of
//!   `Attention`, scale and bias of `BatchNormalization`, `GroupNormalization`, `InstanceNormalization`,
//!   `LayerNormalization` and `RMSNormalization`, and the slope of `PRelu`;
//! - behind a trained layer: what `Add`, `Mul` or `Concat` joins to the value that comes from the image, if it has more
//!   than one element. So biases that stand by themselves, layer scales, class tokens and embeddings of positions train;
//!   what acts on the image before the first trained layer is preprocessing, and a single number is a constant of the
//!   architecture.
//!
//! Attention masks stay: a tensor that is added, or is the bias of `Attention`, and holds nothing but zeros and numbers
//! of -100 and below, both of them. Integers and truth values, such as an index of relative positions, stay, and so do
//! values in `Constant` nodes.
//!
//! Weight decay acts on weights of `Conv`, `Gemm` and `MatMul` of two or more dimensions, and on nothing else.
//! Mean and variance of `BatchNormalization` follow the batches and are no weights.

mod build;
mod error;
mod fuse;
mod ops;
mod program;
mod reader;
mod reuse;
mod roles;
mod sequences;
mod untie;
mod values;

use program::{Plan, Slot};
use tch::{Kind, TchError, Tensor};

pub use error::BuildError;
pub use program::Program;
pub use roles::Role;
pub use untie::untie;
pub use values::{ValueError, value};

/// Whether a forward pass trains (batch statistics, Dropout) or judges (running statistics, no Dropout).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics normalise and move the running ones; Dropout drops.
    Train,
    /// The running statistics normalise; Dropout is the identity.
    Evaluate,
}

/// A node could not compute its output.
#[derive(Debug, thiserror::Error)]
#[error("node {node}: {fault}")]
pub struct RunError {
    /// The node, by name and operator.
    pub node: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong in a node's computation.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// libtorch refused, mostly because shapes do not fit.
    #[error("{}", first_line(.0))]
    Torch(#[from] TchError),
    /// An input that the operator cannot do without is missing.
    #[error("input {0} is missing; export the model again")]
    Missing(usize),
    /// Batch statistics of one value have no variance.
    #[error(
        "one value per channel has no variance, so this batch cannot be normalised; \
         train on at least 2 images at a time (`train.batch`)"
    )]
    OneValue,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// libtorch's messages carry a C++ stack trace after the first line.
fn first_line(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// The names of the operators that can be trained, besides `Constant`.
pub fn operators() -> Vec<&'static str> {
    ops::known()
}

/// One weight, running statistic or other floating-point initializer of the graph.
#[derive(Debug)]
pub struct Parameter {
    /// The initializer's name in the ONNX graph.
    pub name: String,
    /// Its values; a leaf that asks for gradients if it trains.
    pub tensor: Tensor,
    /// What becomes of it in training.
    pub role: Role,
}

/// An ONNX graph as a trainable module: tensors of images in, logits out.
pub struct Graph {
    program: Program,
    input: String,
    logits: Slot,
    plan: Plan,
    parameters: Vec<Parameter>,
    narrow: bool,
}

impl Graph {
    /// The name of the image input.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// Makes training passes compute convolutions and products of matrices in bfloat16. Weights, normalisation statistics and
    /// logits stay in 32 bits, and so does everything in evaluation.
    ///
    /// The ranges of the two kinds of numbers are the same, so no loss needs to be scaled (Kalamkar et al., "A Study of
    /// BFLOAT16 for Deep Learning Training", 2019).
    pub fn narrow(self) -> Self {
        Self { narrow: true, ..self }
    }

    /// The floating-point initializers, in the order in which the ONNX graph has them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The logits `[images, classes]` of a batch. A Softmax at the end of the graph is left out: it belongs to the
    /// loss.
    pub fn logits(&self, images: &Tensor, mode: Mode) -> Result<Tensor, RunError> {
        let feeds = [(self.input.as_str(), images.shallow_clone())];
        let pass = self.program.run(&self.plan, &feeds, mode, self.narrow)?;
        let logits = pass.named(self.logits, "the logits")?;
        logits.f_to_kind(Kind::Float).map_err(|error| RunError { node: "the logits".to_owned(), fault: error.into() })
    }
}
