//! From an ONNX model to a graph that is ready to run.

use super::reader::{Constants, Reader, Refusal};
use super::roles::{self, Role, Shapes};
use super::{Graph, Parameter, Plan, Slot, Step, ops, plan};
use gleaner::onnx::proto::{NodeProto, tensor_proto::DataType};
use gleaner::onnx::{self, Classifier, Model, OutputKind, Values};
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, TchError, Tensor};

/// Before this version of the operator set, BatchNormalization and broadcasting meant other things.
const OLDEST_OPSET: i64 = 9;

/// Constants longer than this are weights; they never shape the computation.
const LONGEST_CONSTANT: usize = 64;

/// Why a model cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The model's file is not what it should be.
    #[error(transparent)]
    Model(#[from] onnx::Error),
    /// The operator set is too old, or the model does not name one.
    #[error(
        "{file}: the operator set is of version {version}, but the trainer knows versions from {OLDEST_OPSET} on; \
         export the model with a newer one, or convert it with onnx.version_converter"
    )]
    Opset {
        /// The model's file.
        file: String,
        /// Its version; 0 if it says none.
        version: i64,
    },
    /// An operator that the trainer does not know.
    #[error(
        "{file}: node {node:?}: the trainer does not know the operator {operator}; \
         export a model that is made of {known}, or train with a command of your own (`trainer.command`)"
    )]
    Operator {
        /// The model's file.
        file: String,
        /// The node's name.
        node: String,
        /// The operator, with its domain if it is not ONNX's own.
        operator: String,
        /// All known operators.
        known: String,
    },
    /// An operator that is known, used in a way that is not.
    #[error("{file}: node {node:?} ({operator}): {reason}")]
    Refused {
        /// The model's file.
        file: String,
        /// The node's name.
        node: String,
        /// The operator.
        operator: String,
        /// What is not supported.
        reason: String,
    },
    /// Something about the graph as a whole.
    #[error("{file}: {reason}")]
    Graph {
        /// The model's file.
        file: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// libtorch could not take the weights.
    #[error("the weights could not be moved into libtorch: {0}")]
    Torch(#[from] TchError),
}

impl Graph {
    /// Makes a trainable module of a model, with its weights on `device`.
    ///
    /// # Errors
    /// Whatever the trainer does not understand is refused here, by node, operator and attribute.
    pub fn new(model: &Model, classifier: &Classifier, device: Device) -> Result<Self, BuildError> {
        let file = || model.file().to_owned();
        let version = model.opset().unwrap_or(0);
        if version < OLDEST_OPSET {
            return Err(BuildError::Opset { file: file(), version });
        }
        let mut slots = Slots::default();
        let input = slots.of(&classifier.input);
        let (mut parameters, constants) = weights(model, device)?;
        let homes: Vec<Slot> = parameters.iter().map(|parameter| slots.of(&parameter.name)).collect();
        let steps = steps(model, version, &constants, &mut slots)?;
        let outputs = model.outputs().into_iter().map(|port| (port.name.clone(), slots.of(&port.name))).collect();
        let logits = slots.of(logits_name(model, classifier)?);
        let logits_plan = plan(&steps, &[logits]);
        retire(&mut parameters, &homes, &steps, &logits_plan);
        for parameter in &mut parameters {
            if matches!(parameter.role, Role::Trained { .. }) {
                parameter.tensor = parameter.tensor.f_set_requires_grad(true)?;
            }
        }
        let input = (classifier.input.clone(), input);
        let slots = slots.count();
        Ok(Self { steps, slots, input, outputs, logits, logits_plan, parameters, homes, narrow: false })
    }
}

/// Numbers the values of the graph by name.
#[derive(Default)]
struct Slots(BTreeMap<String, Slot>);

impl Slots {
    fn of(&mut self, name: &str) -> Slot {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

/// Every floating-point value that stands in the model, with its role, and the small constants beside them.
fn weights(model: &Model, device: Device) -> Result<(Vec<Parameter>, Constants), BuildError> {
    let graph = model.graph();
    let constant_nodes = graph.node.iter().filter(|node| node.op_type() == "Constant");
    let names = graph.initializer.iter().map(|tensor| tensor.name());
    let names = names.chain(constant_nodes.filter_map(|node| node.output.first().map(String::as_str)));
    let convolutions = graph.node.iter().filter(|node| node.op_type() == "Conv");
    let kernels: BTreeSet<&str> = convolutions.filter_map(|node| node.input.get(1).map(String::as_str)).collect();
    let mut constants = Constants::default();
    let mut parameters = Vec::new();
    for name in names {
        let tensor = model.tensor(name)?;
        let dims: Vec<i64> = tensor.dims.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX)).collect();
        match tensor.values {
            Values::I64(values) => {
                constants.integers.insert(name.to_owned(), values);
            }
            Values::F32(values) => {
                let mut tensor = Tensor::f_from_slice(&values)?.f_reshape(&dims)?.f_to_device(device)?;
                if device == Device::Cpu && dims.len() == 4 && kernels.contains(name) {
                    tensor = channels_last(&tensor)?;
                }
                parameters.push(Parameter { name: name.to_owned(), tensor, role: Role::Fixed });
                if values.len() <= LONGEST_CONSTANT {
                    constants.floats.insert(name.to_owned(), values);
                }
            }
        }
    }
    let initializers = graph.initializer.iter().filter_map(|tensor| {
        let elements = tensor.dims.iter().try_fold(1usize, |all, &one| all.checked_mul(usize::try_from(one).ok()?))?;
        let floating = !constants.integers.contains_key(tensor.name());
        floating.then(|| (tensor.name(), (elements, tensor.dims.len())))
    });
    let shapes: Shapes<'_> = initializers.collect();
    let roles = roles::assign(graph, &shapes).map_err(|conflict| BuildError::Graph {
        file: model.file().to_owned(),
        reason: format!(
            "initializer {:?} is a weight in one place and a running statistic at node {:?}; export the model again \
             without merging equal weights",
            conflict.initializer, conflict.node
        ),
    })?;
    for parameter in &mut parameters {
        let Some(role) = roles.get(parameter.name.as_str()) else { continue };
        let stored = graph.initializer.iter().find(|tensor| tensor.name() == parameter.name);
        if stored.is_some_and(|tensor| tensor.data_type() != DataType::Float as i32) {
            return Err(BuildError::Graph {
                file: model.file().to_owned(),
                reason: format!("weight {:?} is not of type float32; export the model in float32", parameter.name),
            });
        }
        parameter.role = *role;
    }
    Ok((parameters, constants))
}

/// The same weight, laid out in memory with its channels last. libtorch keeps to the layout of a convolution's weight, and
/// so do the layers behind it; on a processor that spares it from rearranging every image before and after each
/// convolution.
fn channels_last(weight: &Tensor) -> Result<Tensor, TchError> {
    let moved = weight.f_permute([0, 2, 3, 1])?;
    // With a single channel `contiguous` would leave the strides as they are, and they are what libtorch goes by.
    let mut laid_out = Tensor::f_empty(moved.size(), (moved.kind(), moved.device()))?;
    laid_out.f_copy_(&moved)?;
    laid_out.f_permute([0, 3, 1, 2])
}

fn steps(model: &Model, opset: i64, constants: &Constants, slots: &mut Slots) -> Result<Vec<Step>, BuildError> {
    let graph = model.graph();
    let read = graph.node.iter().flat_map(|node| &node.input).cloned();
    let used: BTreeSet<String> = read.chain(graph.output.iter().map(|output| output.name().to_owned())).collect();
    let mut steps = Vec::new();
    for (index, node) in graph.node.iter().enumerate().filter(|(_, node)| node.op_type() != "Constant") {
        let name = label(index, node);
        let ours = matches!(node.domain(), "" | "ai.onnx");
        let Some(build) = ops::find(node.op_type()).filter(|_| ours) else {
            let operator = if ours { String::new() } else { format!("{}.", node.domain()) } + node.op_type();
            return Err(BuildError::Operator {
                file: model.file().to_owned(),
                node: name,
                operator,
                known: ops::known(),
            });
        };
        let mut reader = Reader::new(node, opset, constants, &used);
        let compute = build(&mut reader).and_then(|compute| reader.finish().map(|()| compute));
        let compute = compute.map_err(|Refusal(reason)| BuildError::Refused {
            file: model.file().to_owned(),
            node: name.clone(),
            operator: node.op_type().to_owned(),
            reason,
        })?;
        let inputs = node.input.iter().map(|input| (!input.is_empty()).then(|| slots.of(input))).collect();
        let output = slots.of(node.output.first().map_or("", String::as_str));
        let multiplies = matches!(node.op_type(), "Conv" | "Gemm" | "MatMul");
        steps.push(Step { label: format!("{name:?} ({})", node.op_type()), compute, multiplies, inputs, output });
    }
    Ok(steps)
}

/// A node's name, or what else tells it from others.
fn label(index: usize, node: &NodeProto) -> String {
    match (node.name(), node.output.first()) {
        ("", Some(output)) if !output.is_empty() => format!("the one that makes {output}"),
        ("", _) => format!("number {index}"),
        (name, _) => name.to_owned(),
    }
}

/// The value that the loss is taken of: the classifier's output, or what goes into the Softmax behind it.
fn logits_name<'a>(model: &'a Model, classifier: &'a Classifier) -> Result<&'a str, BuildError> {
    let mut name = classifier.output.as_str();
    if classifier.kind == OutputKind::Logits {
        return Ok(name);
    }
    let maker =
        |name: &str| model.graph().node.iter().find(|node| node.output.first().is_some_and(|made| made == name));
    while let Some(node) = maker(name) {
        let Some(input) = node.input.first() else { break };
        match node.op_type() {
            "Softmax" => return Ok(input),
            "Identity" | "Dropout" => name = input,
            other => {
                return Err(BuildError::Graph {
                    file: model.file().to_owned(),
                    reason: format!(
                        "the output {:?} comes out of a Softmax through {other}, so its logits cannot be told; \
                         export the model with logits or with a Softmax at its end",
                        classifier.output
                    ),
                });
            }
        }
    }
    Ok(name)
}

/// Weights that the logits do not depend on stay as they are.
fn retire(parameters: &mut [Parameter], homes: &[Slot], steps: &[Step], plan: &Plan) {
    let chosen = plan.steps.iter().filter_map(|&index| steps.get(index));
    let needed: BTreeSet<Slot> = chosen.flat_map(|step| step.inputs.iter().flatten().copied()).collect();
    for (parameter, home) in parameters.iter_mut().zip(homes) {
        if !needed.contains(home) {
            parameter.role = Role::Fixed;
        }
    }
}
