//! Which weights train, which follow the batches, and which stay.

use super::rule::{Misfit, assign, reads};
use super::weights::{Weights, is_floating};
use super::{Candidate, logits, names};
use crate::onnx::error::{Problem, Result};
use crate::onnx::proto::GraphProto;
use crate::onnx::{Classifier, ElementType, Model};
use std::collections::BTreeSet;

/// What becomes of a weight in training. The rule is told at the head of [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Follows the gradient.
    Trained {
        /// Whether weight decay acts on it.
        decays: bool,
    },
    /// A running mean or variance, moved by every training batch.
    Running,
    /// Stays as it is.
    Fixed(Reason),
}

impl Role {
    /// Whether training leaves it as it is.
    pub fn stays(self) -> bool {
        matches!(self, Self::Fixed(_))
    }
}

impl Reason {
    /// Whether a person may say that it trains all the same: nothing but the rule stands against it.
    pub(super) fn gives_way(self) -> bool {
        matches!(self, Self::Preprocessing | Self::Input | Self::SingleNumber | Self::Mask | Self::Constant)
    }
}

/// Why a weight stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The logits do not follow from it.
    Unused,
    /// It acts on the image before the first trained layer.
    Preprocessing,
    /// A layer computes from it as from an image.
    Input,
    /// It is a single number.
    SingleNumber,
    /// It is an attention mask.
    Mask,
    /// Only its shape is used, or what is compared or rounded.
    NoGradient,
    /// It stands at a place where the rule sees no weight.
    Constant,
    /// It is not of 32 bits.
    OtherType,
    /// A [`super::Selection`] keeps it.
    Frozen,
}

/// One weight, running statistic or other floating-point initializer of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The initializer's name.
    pub name: String,
    /// What people call it, if its name is one that an exporter made up and its layer is known.
    pub alias: Option<String>,
    /// Its shape.
    pub dims: Vec<usize>,
    /// What becomes of it in training.
    pub role: Role,
}

impl Parameter {
    /// How many numbers it holds.
    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether it stays although it may well be one that was learned, as far as the rule can tell.
    pub(super) fn is_in_doubt(&self) -> bool {
        let told = matches!(self.role, Role::Fixed(Reason::Preprocessing | Reason::Input | Reason::Constant));
        told && self.count() > 1
    }

    /// What a [`super::Selection`] is applied to.
    pub fn candidate(&mut self) -> Candidate<'_> {
        Candidate { name: &self.name, alias: self.alias.as_deref(), role: &mut self.role }
    }
}

/// The floating-point initializers of a classifier, in the order in which they stand in the graph.
///
/// # Errors
/// [`Problem::Untrainable`] if a BatchNormalization is in training mode, if two layers want different things of one of them,
/// or if one that trains is not of 32 bits.
pub fn parameters(model: &Model, classifier: &Classifier) -> Result<Vec<Parameter>> {
    let weights = Weights::of(model);
    let roles = assign(model.graph(), &weights).map_err(|misfit| {
        model.error(Problem::Untrainable(match misfit {
            Misfit::Conflict { initializer, node } => format!(
                "initializer {initializer:?} is a weight in one place and a running statistic at node {node:?}; export the \
                 model again without merging equal weights"
            ),
            Misfit::ByTheBatch { node } => format!(
                "node {node:?} (BatchNormalization) is in training mode (training_mode is 1); export the model in evaluation \
                 mode"
            ),
        }))
    })?;
    let needed = needed(model.graph(), logits(model, classifier)?);
    let mut aliases = names::aliases(model.graph());
    let mut parameters = Vec::new();
    for tensor in model.graph().initializer.iter().filter(|tensor| is_floating(tensor)) {
        let name = tensor.name();
        let role = roles.get(name).copied().unwrap_or(Role::Fixed(Reason::Constant));
        if !role.stays() && tensor.data_type() != ElementType::Float as i32 {
            let reason = format!("weight {name:?} is not of type float32; export the model in float32");
            return Err(model.error(Problem::Untrainable(reason)));
        }
        let role = match role {
            _ if !needed.contains(name) => Role::Fixed(Reason::Unused),
            _ if tensor.data_type() != ElementType::Float as i32 => Role::Fixed(Reason::OtherType),
            role => role,
        };
        let dims = tensor.dims.iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
        parameters.push(Parameter { name: name.to_owned(), alias: aliases.remove(name), dims, role });
    }
    Ok(parameters)
}

/// Every value from which `target` follows.
fn needed<'a>(graph: &'a GraphProto, target: &'a str) -> BTreeSet<&'a str> {
    let mut needed = BTreeSet::from([target]);
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|output| needed.contains(output.as_str())) {
            needed.extend(reads(node).iter().map(String::as_str));
        }
    }
    needed
}
