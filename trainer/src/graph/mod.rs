//! An ONNX graph as a trainable module.
//!
//! | file | owns |
//! | --- | --- |
//! | `build` | from an ONNX model to a program and its parameters |
//! | `error` | why a model cannot be trained |
//! | `sequences` | pieces of a tensor that an exporter put into a sequence |
//! | `fuse` | what libtorch computes in one go where an exporter wrote several nodes |
//! | `layout` | how the weights of convolutions lie in memory |
//! | `program` | the steps of a graph, and running them |
//! | `reuse` | results that are written over an input that nobody needs any more |
//! | `trace` | every value that a graph computes |
//! | `values` | the values that stand in a model, as libtorch's tensors |
//! | `reader` | a node's attributes, and the refusal of what is not understood |
//! | `ops` | what each operator computes |
//!
//! Which weights train is told at [`gleaner::onnx::training`].

mod build;
mod error;
mod fuse;
mod layout;
mod ops;
mod program;
mod reader;
mod reuse;
mod sequences;
mod trace;
mod values;

use gleaner::onnx;
use gleaner::onnx::training::{Candidate, Reason, Role, Selection};
use program::{Plan, Slot};
use std::collections::BTreeSet;
use tch::{Kind, TchError, Tensor};

pub use error::BuildError;
pub use program::Program;
pub use trace::Computed;
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

/// Weights could not be frozen.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The patterns do not fit the graph.
    #[error(transparent)]
    Selection(#[from] onnx::Problem),
    /// libtorch refused.
    #[error("the weights cannot be frozen: {0}")]
    Torch(#[from] TchError),
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
    /// See [`gleaner::onnx::training::Parameter::alias`].
    pub alias: Option<String>,
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
    /// BFLOAT16 for Deep Learning Training", 2019). That is why there is no float16 beside it, which is no faster on GPUs
    /// that have both (NVIDIA's since Ampere), and whose small gradients vanish unless the loss is scaled.
    pub fn narrow(self) -> Self {
        Self { narrow: true, ..self }
    }

    /// Lets train what `selection` wants besides, and keeps what it does not let train: no gradient is computed for it, and statistics stand still. A
    /// BatchNormalization of which both do normalises by them in training, too.
    ///
    /// # Errors
    /// Those of [`Selection::apply`].
    pub fn freeze(mut self, selection: &Selection) -> Result<Self, FreezeError> {
        selection.apply(self.parameters.iter_mut().map(|Parameter { name, alias, role, .. }| Candidate {
            name,
            alias: alias.as_deref(),
            role,
        }))?;
        let frozen = |parameter: &&mut Parameter| parameter.role == Role::Fixed(Reason::Frozen);
        let trained = |parameter: &&mut Parameter| matches!(parameter.role, Role::Trained { .. });
        for parameter in self.parameters.iter_mut().filter(trained) {
            parameter.tensor = parameter.tensor.f_set_requires_grad(true)?;
        }
        let mut slots = BTreeSet::new();
        for parameter in self.parameters.iter_mut().filter(frozen) {
            parameter.tensor = parameter.tensor.f_set_requires_grad(false)?;
            slots.extend(self.program.slot(&parameter.name));
        }
        for step in &mut self.program.steps {
            step.judges = step.statistics.is_some_and(|statistics| statistics.iter().all(|slot| slots.contains(slot)));
        }
        Ok(self)
    }

    /// The floating-point initializers, in the order in which the ONNX graph has them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What training moves, by name: trained weights and running statistics.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        let moved = self.parameters.iter().filter(|parameter| !parameter.role.stays());
        moved.map(|parameter| (parameter.name.as_str(), &parameter.tensor))
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
