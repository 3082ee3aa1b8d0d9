//! From an ONNX model to a graph that is ready to run.

use super::error::BuildError;
use super::fuse;
use super::layout::channels_last;
use super::program::{Program, Slot, Step, plan};
use super::reader::{Constants, Reader, Refusal};
use super::{Graph, Parameter, operators, ops, sequences, values};
use gleaner::onnx::proto::NodeProto;
use gleaner::onnx::training::{self, OLDEST_OPSET, Role};
use gleaner::onnx::{Classifier, Model};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind, Tensor};

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
        let numbers = numbers(&nodes, device, &constants, &slots.0)?;
        Ok(Self { steps, slots: slots.0, inputs, outputs, constants, numbers, device })
    }
}

impl Graph {
    /// Makes a trainable module of a model, with its weights on `device`.
    ///
    /// # Errors
    /// Whatever the trainer does not understand is refused here, by node, operator and attribute.
    pub fn new(model: &Model, classifier: &Classifier, device: Device) -> Result<Self, BuildError> {
        let roles = training::parameters(model, classifier)?;
        let program = Program::build(model, device, true)?;
        let name = training::logits(model, classifier)?;
        let Some(logits) = program.slot(name) else {
            let reason = format!("nothing computes the logits {name:?}; export the model again");
            return Err(BuildError::Graph { file: model.file().to_owned(), reason });
        };
        let plan = plan(&program.steps, &[logits]);
        let mut parameters = parameters(roles, &program);
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

/// See [`Program::numbers`].
fn numbers(
    nodes: &[Cow<'_, NodeProto>],
    device: Device,
    constants: &Constants,
    slots: &BTreeMap<String, Slot>,
) -> Result<BTreeMap<Slot, Tensor>, BuildError> {
    let mut numbers = BTreeMap::new();
    let made = nodes.iter().filter(|node| device != Device::Cpu && node.op_type() == "Constant");
    for name in made.filter_map(|node| node.output.first()) {
        let number = constants.get(name).filter(|value| value.numel() == 1);
        if let (Some(number), Some(slot)) = (number, slots.get(name)) {
            numbers.insert(*slot, number.f_to_device(Device::Cpu)?);
        }
    }
    Ok(numbers)
}

/// Every floating-point initializer, with its role. It is the program's own tensor: what changes it,
/// changes what the program computes.
fn parameters(roles: Vec<training::Parameter>, program: &Program) -> Vec<Parameter> {
    let parameters = roles.into_iter().filter_map(|training::Parameter { name, alias, role, .. }| {
        let tensor = program.constants.get(&name)?.shallow_clone();
        Some(Parameter { name, alias, tensor, role })
    });
    parameters.collect()
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
    let copies = training::passed_on(nodes.iter().map(Cow::as_ref), |name| constants.contains_key(name));
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
        let mut reader = Reader::new(node, opset, constants, &copies, &used);
        let compute = build.compute(&mut reader).and_then(|compute| reader.finish(&compute).map(|()| compute));
        let compute = compute.map_err(|Refusal(reason)| BuildError::Refused {
            file: model.file().to_owned(),
            node: name.clone(),
            operator: node.op_type().to_owned(),
            reason,
        })?;
        let inputs: Vec<Option<Slot>> =
            node.input.iter().map(|input| (!input.is_empty()).then(|| slots.of(input))).collect();
        let outputs = node.output.iter().map(|output| used.contains(output).then(|| slots.of(output))).collect();
        let multiplies = matches!(node.op_type(), "Conv" | "ConvTranspose" | "Einsum" | "Gemm" | "Linear" | "MatMul");
        let data = ops::data_inputs(node.op_type());
        let statistics = match (node.op_type(), inputs.as_slice()) {
            ("BatchNormalization", [_, _, _, Some(mean), Some(variance)]) => Some([*mean, *variance]),
            _ => None,
        };
        steps.push(Step {
            label: format!("{name:?} ({})", node.op_type()),
            operator: node.op_type().to_owned(),
            compute,
            multiplies,
            data,
            statistics,
            judges: false,
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
