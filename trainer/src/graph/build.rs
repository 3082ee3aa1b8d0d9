//! From an ONNX model to a graph that is ready to run.

use super::error::{BuildError, OLDEST_OPSET};
use super::fuse;
use super::program::{Plan, Program, Slot, Step, plan};
use super::reader::{Constants, Reader, Refusal};
use super::roles::{self, Role, Weights};
use super::{Graph, Parameter, operators, ops, sequences, values};
use gleaner::onnx::proto::NodeProto;
use gleaner::onnx::{Classifier, Model, OutputKind};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind, TchError, Tensor};

impl Program {
    /// Makes a program of any model, with its floating-point values on `device`.
    ///
    /// # Errors
    /// Whatever the trainer does not understand is refused here, by node, operator and attribute.
    pub fn new(model: &Model, device: Device) -> Result<Self, BuildError> {
        Self::build(model, device, false)
    }

    fn build(model: &Model, device: Device, fused: bool) -> Result<Self, BuildError> {
        let version = model.opset().unwrap_or(0);
        if version < OLDEST_OPSET {
            return Err(BuildError::Opset { file: model.file().to_owned(), version });
        }
        let inputs: Vec<String> = model.inputs().into_iter().map(|port| port.name).collect();
        let outputs: Vec<String> = model.outputs().into_iter().map(|port| port.name).collect();
        let mut slots = Slots::default();
        for name in inputs.iter().chain(&outputs) {
            slots.of(name);
        }
        let mut constants = constants(model, device)?;
        let mut nodes = sequences::resolve(&model.graph().node, &mut constants)?;
        if fused {
            nodes = fuse::fuse(nodes, &outputs, &constants);
        }
        for name in constants.keys() {
            slots.of(name);
        }
        let steps = steps(model, &nodes, &constants, &mut slots)?;
        Ok(Self { steps, slots: slots.0, inputs, outputs, constants, device })
    }
}

impl Graph {
    /// Makes a trainable module of a model, with its weights on `device`.
    ///
    /// # Errors
    /// Whatever the trainer does not understand is refused here, by node, operator and attribute.
    pub fn new(model: &Model, classifier: &Classifier, device: Device) -> Result<Self, BuildError> {
        let program = Program::build(model, device, true)?;
        let name = logits_name(model, classifier)?;
        let Some(logits) = program.slot(name) else {
            let reason = format!("nothing computes the logits {name:?}; export the model again");
            return Err(BuildError::Graph { file: model.file().to_owned(), reason });
        };
        let plan = plan(&program.steps, &[logits]);
        let mut parameters = parameters(model, &program)?;
        retire(&mut parameters, &program, &plan);
        for parameter in &mut parameters {
            if matches!(parameter.role, Role::Trained { .. }) {
                parameter.tensor = parameter.tensor.f_set_requires_grad(true)?;
            }
        }
        Ok(Self { program, input: classifier.input.clone(), logits, plan, parameters, narrow: false })
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
}

/// Every value that stands in the model, by name. Integers stay on the processor.
fn constants(model: &Model, device: Device) -> Result<Constants, BuildError> {
    let graph = model.graph();
    let initializers = graph.initializer.iter().map(|tensor| (tensor.name(), tensor.data_type()));
    let nodes = graph.node.iter().filter(|node| node.op_type() == "Constant");
    let made = nodes.filter_map(|node| Some((node.output.first()?.as_str(), values::element_of_constant(node))));
    let convolutions = graph.node.iter().filter(|node| node.op_type() == "Conv");
    let kernels: BTreeSet<&str> = convolutions.filter_map(|node| node.input.get(1).map(String::as_str)).collect();
    let mut constants = Constants::new();
    for (name, element) in initializers.chain(made) {
        let value = model.tensor(name)?;
        let Some(kind) = values::kind(element) else {
            return Err(BuildError::Graph {
                file: model.file().to_owned(),
                reason: format!(
                    "value {name:?} is of a type that libtorch does not compute with; export it as float32"
                ),
            });
        };
        let mut tensor = values::tensor(&value, kind)?;
        if matches!(kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16) {
            tensor = tensor.f_to_device(device)?;
        }
        if device == Device::Cpu && value.dims.len() == 4 && kernels.contains(name) {
            tensor = channels_last(&tensor)?;
        }
        constants.insert(name.to_owned(), tensor);
    }
    Ok(constants)
}

/// Every floating-point initializer, with its role. It is the program's own tensor: what changes it,
/// changes what the program computes.
fn parameters(model: &Model, program: &Program) -> Result<Vec<Parameter>, BuildError> {
    let graph = model.graph();
    let stored = || graph.initializer.iter().filter_map(|tensor| program.constants.get_key_value(tensor.name()));
    let floats = || stored().filter(|(_, tensor)| tensor.is_floating_point());
    let mut weights = Weights::new();
    for (name, tensor) in floats() {
        weights.insert(name, roles::Weight::of(tensor)?);
    }
    let roles = roles::assign(graph, &weights).map_err(|conflict| BuildError::Graph {
        file: model.file().to_owned(),
        reason: format!(
            "initializer {:?} is a weight in one place and a running statistic at node {:?}; export the model again \
             without merging equal weights",
            conflict.initializer, conflict.node
        ),
    })?;
    let mut parameters = Vec::new();
    for (name, tensor) in floats() {
        let role = roles.get(name.as_str()).copied().unwrap_or(Role::Fixed);
        if role != Role::Fixed && tensor.kind() != Kind::Float {
            return Err(BuildError::Graph {
                file: model.file().to_owned(),
                reason: format!("weight {name:?} is not of type float32; export the model in float32"),
            });
        }
        parameters.push(Parameter { name: name.clone(), tensor: tensor.shallow_clone(), role });
    }
    Ok(parameters)
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

fn steps(
    model: &Model,
    nodes: &[Cow<'_, NodeProto>],
    constants: &Constants,
    slots: &mut Slots,
) -> Result<Vec<Step>, BuildError> {
    let graph = model.graph();
    let opset = model.opset().unwrap_or(0);
    let read = nodes.iter().flat_map(|node| &node.input).cloned();
    let used: BTreeSet<String> = read.chain(graph.output.iter().map(|output| output.name().to_owned())).collect();
    let mut steps = Vec::new();
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.op_type() != "Constant") {
        let name = label(index, node);
        let ours = matches!(node.domain(), "" | "ai.onnx");
        let Some(build) = ops::find(node.domain(), node.op_type()) else {
            let operator = if ours { String::new() } else { format!("{}.", node.domain()) } + node.op_type();
            return Err(BuildError::Operator {
                file: model.file().to_owned(),
                node: name,
                operator,
                known: operators().join(", "),
            });
        };
        let mut reader = Reader::new(node, opset, constants, &used);
        let compute = build.compute(&mut reader).and_then(|compute| reader.finish(&compute).map(|()| compute));
        let compute = compute.map_err(|Refusal(reason)| BuildError::Refused {
            file: model.file().to_owned(),
            node: name.clone(),
            operator: node.op_type().to_owned(),
            reason,
        })?;
        let inputs = node.input.iter().map(|input| (!input.is_empty()).then(|| slots.of(input))).collect();
        let outputs = node.output.iter().map(|output| used.contains(output).then(|| slots.of(output))).collect();
        let multiplies = matches!(node.op_type(), "Conv" | "Gemm" | "Linear" | "MatMul");
        let all_data = !ops::reads_lists(node.op_type());
        steps.push(Step {
            label: format!("{name:?} ({})", node.op_type()),
            operator: node.op_type().to_owned(),
            compute,
            multiplies,
            all_data,
            inputs,
            outputs,
        });
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
fn retire(parameters: &mut [Parameter], program: &Program, plan: &Plan) {
    let chosen = plan.steps.iter().filter_map(|&index| program.steps.get(index));
    let needed: BTreeSet<Slot> = chosen.flat_map(|step| step.inputs.iter().flatten().copied()).collect();
    for parameter in parameters {
        if program.slot(&parameter.name).is_none_or(|slot| !needed.contains(&slot)) {
            parameter.role = Role::Fixed;
        }
    }
}
