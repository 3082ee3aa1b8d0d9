//! An ONNX graph as a trainable module.
//!
//! | file | owns |
//! | --- | --- |
//! | `build` | from an ONNX model to steps, slots and parameters |
//! | `untie` | giving every layer its own small weights where an exporter merged equal ones |
//! | `roles` | which weights train, which are running statistics, which stay |
//! | `reader` | a node's attributes and constant inputs, and the refusal of what is not understood |
//! | `ops` | what each operator computes |
//!
//! # Which weights train
//!
//! - The weight and the bias of `Conv`, `Gemm` and `MatMul`, and scale and bias of `BatchNormalization`.
//! - A tensor added or multiplied by `Add` or `Mul`, if it has more than one element and if a trained layer stands
//!   before it: what acts on the image before the first trained layer is preprocessing, and a single number is a
//!   constant of the architecture.
//! - Only 32-bit floats that stand as initializers and from which the logits follow. Values in `Constant` nodes stay.
//!
//! Weight decay acts on weights of `Conv`, `Gemm` and `MatMul` of two or more dimensions, and on nothing else.
//! Mean and variance of `BatchNormalization` follow the batches and are no weights.

mod build;
mod ops;
mod reader;
mod roles;
mod untie;

use std::collections::BTreeSet;
use tch::{Kind, TchError, Tensor};

pub use build::BuildError;
pub use roles::Role;
pub use untie::untie;

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

/// One weight, running statistic or constant of the graph.
#[derive(Debug)]
pub struct Parameter {
    /// The initializer's name in the ONNX graph.
    pub name: String,
    /// Its values; a leaf that asks for gradients if it trains.
    pub tensor: Tensor,
    /// What becomes of it in training.
    pub role: Role,
}

/// Where a value of the graph is kept during a pass.
type Slot = usize;

/// One node, ready to run.
struct Step {
    label: String,
    compute: ops::Compute,
    /// Whether it is a convolution or a product of matrices, which [`Graph::narrow`] speaks of.
    multiplies: bool,
    inputs: Vec<Option<Slot>>,
    output: Slot,
}

/// The steps that some outputs need, and after which step each value is no longer needed.
struct Plan {
    steps: Vec<usize>,
    /// Beside each step, the slots that nothing reads afterwards.
    spent: Vec<Vec<Slot>>,
}

/// An ONNX graph as a trainable module: tensors of images in, logits or all outputs out.
pub struct Graph {
    steps: Vec<Step>,
    slots: usize,
    input: (String, Slot),
    outputs: Vec<(String, Slot)>,
    logits: Slot,
    logits_plan: Plan,
    parameters: Vec<Parameter>,
    /// Beside each parameter, its slot.
    homes: Vec<Slot>,
    narrow: bool,
}

impl Graph {
    /// The name of the image input.
    pub fn input(&self) -> &str {
        &self.input.0
    }

    /// Makes training passes compute convolutions and products of matrices in bfloat16. Weights, normalisation statistics and
    /// logits stay in 32 bits, and so does everything in evaluation.
    ///
    /// The ranges of the two kinds of numbers are the same, so no loss needs to be scaled (Kalamkar et al., "A Study of
    /// BFLOAT16 for Deep Learning Training", 2019).
    pub fn narrow(self) -> Self {
        Self { narrow: true, ..self }
    }

    /// Weights, running statistics and constants, in the order in which the ONNX graph has them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The logits `[images, classes]` of a batch. A Softmax at the end of the graph is left out: it belongs to the
    /// loss.
    pub fn logits(&self, images: &Tensor, mode: Mode) -> Result<Tensor, RunError> {
        let mut values = self.run(&self.logits_plan, images, mode)?;
        let logits = take(&mut values, self.logits, &self.input.0)?;
        logits.f_to_kind(Kind::Float).map_err(|error| RunError { node: "the logits".to_owned(), fault: error.into() })
    }

    /// Every output of the graph, by name, in evaluation mode.
    pub fn outputs(&self, images: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        let targets: Vec<Slot> = self.outputs.iter().map(|(_, slot)| *slot).collect();
        let plan = plan(&self.steps, &targets);
        let values = self.run(&plan, images, Mode::Evaluate)?;
        let mut named = Vec::new();
        for (name, slot) in &self.outputs {
            let value = values.get(*slot).and_then(|value| value.as_ref().map(Tensor::shallow_clone));
            named.push((name.clone(), value.ok_or_else(|| absent(name))?));
        }
        Ok(named)
    }

    fn run(&self, plan: &Plan, images: &Tensor, mode: Mode) -> Result<Vec<Option<Tensor>>, RunError> {
        let mut values: Vec<Option<Tensor>> = Vec::new();
        values.resize_with(self.slots, || None);
        put(&mut values, self.input.1, images.shallow_clone());
        for (parameter, &home) in self.parameters.iter().zip(&self.homes) {
            put(&mut values, home, parameter.tensor.shallow_clone());
        }
        for (&index, spent) in plan.steps.iter().zip(&plan.spent) {
            let Some(step) = self.steps.get(index) else { continue };
            let inputs: Vec<Option<&Tensor>> = step
                .inputs
                .iter()
                .map(|slot| slot.and_then(|slot| values.get(slot).and_then(Option::as_ref)))
                .collect();
            let output = if self.narrow && step.multiplies && mode == Mode::Train {
                in_16_bits(&inputs).map_err(Fault::from).and_then(|narrowed| {
                    let narrowed: Vec<Option<&Tensor>> = narrowed.iter().map(Option::as_ref).collect();
                    (step.compute)(ops::Inputs::new(&narrowed), mode)
                })
            } else {
                (step.compute)(ops::Inputs::new(&inputs), mode)
            };
            let output = output.map_err(|fault| RunError { node: step.label.clone(), fault })?;
            put(&mut values, step.output, output);
            for &slot in spent {
                if let Some(value) = values.get_mut(slot) {
                    *value = None;
                }
            }
        }
        Ok(values)
    }
}

fn in_16_bits(inputs: &[Option<&Tensor>]) -> Result<Vec<Option<Tensor>>, TchError> {
    inputs.iter().map(|input| input.map(|input| input.f_to_kind(Kind::BFloat16)).transpose()).collect()
}

fn put(values: &mut [Option<Tensor>], slot: Slot, value: Tensor) {
    if let Some(place) = values.get_mut(slot) {
        *place = Some(value);
    }
}

fn take(values: &mut [Option<Tensor>], slot: Slot, name: &str) -> Result<Tensor, RunError> {
    values.get_mut(slot).and_then(Option::take).ok_or_else(|| absent(name))
}

fn absent(name: &str) -> RunError {
    RunError { node: name.to_owned(), fault: Fault::Other("nothing computes this value".to_owned()) }
}

/// The steps from which `targets` follow, in order. A value is dropped after its last use, so that evaluation needs
/// little memory; in training, libtorch keeps what the backward pass needs.
fn plan(steps: &[Step], targets: &[Slot]) -> Plan {
    let mut needed: BTreeSet<Slot> = targets.iter().copied().collect();
    let mut later: BTreeSet<Slot> = needed.clone();
    let mut chosen = Vec::new();
    let mut spent = Vec::new();
    for (index, step) in steps.iter().enumerate().rev() {
        if !needed.contains(&step.output) {
            continue;
        }
        let mut last_used_here = Vec::new();
        for &slot in step.inputs.iter().flatten() {
            needed.insert(slot);
            if later.insert(slot) {
                last_used_here.push(slot);
            }
        }
        chosen.push(index);
        spent.push(last_used_here);
    }
    chosen.reverse();
    spent.reverse();
    Plan { steps: chosen, spent }
}
