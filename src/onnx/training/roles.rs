//! Which weights train, which follow the batches, and which stay.

use super::{Candidate, logits, names};
use crate::onnx::error::{Problem, Result};
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto};
use crate::onnx::{Classifier, ElementType, Model, Values, element, tensor};
use std::collections::{BTreeMap, BTreeSet};

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

/// Why a weight stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The logits do not follow from it.
    Unused,
    /// It acts on the image before the first trained layer.
    Preprocessing,
    /// It is a single number.
    SingleNumber,
    /// It is an attention mask.
    Mask,
    /// Only its shape is used, or what is compared or rounded.
    NoGradient,
    /// It stands at a place where the rule sees no weight.
    Constant,
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

    /// What a [`super::Selection`] is applied to.
    pub fn candidate(&mut self) -> Candidate<'_> {
        Candidate { name: &self.name, alias: self.alias.as_deref(), role: &mut self.role }
    }
}

/// The floating-point initializers of a classifier, in the order in which they stand in the graph.
///
/// # Errors
/// [`Problem::Untrainable`] if two layers want different things of one of them, or if one that trains is not of 32 bits.
pub fn parameters(model: &Model, classifier: &Classifier) -> Result<Vec<Parameter>> {
    let weights = Weights::of(model);
    let roles = assign(model.graph(), &weights).map_err(|conflict| {
        model.error(Problem::Untrainable(format!(
            "initializer {:?} is a weight in one place and a running statistic at node {:?}; export the model again \
             without merging equal weights",
            conflict.initializer, conflict.node
        )))
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
        let role = if needed.contains(name) { role } else { Role::Fixed(Reason::Unused) };
        let dims = tensor.dims.iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
        parameters.push(Parameter { name: name.to_owned(), alias: aliases.remove(name), dims, role });
    }
    Ok(parameters)
}

fn is_floating(tensor: &TensorProto) -> bool {
    ElementType::try_from(tensor.data_type()).is_ok_and(element::is_floating)
}

/// Every value from which `target` follows.
fn needed<'a>(graph: &'a GraphProto, target: &'a str) -> BTreeSet<&'a str> {
    let mut needed = BTreeSet::from([target]);
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|output| needed.contains(output.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
        }
    }
    needed
}

/// Two layers want different things of one initializer.
struct Conflict {
    initializer: String,
    node: String,
}

/// The floating-point initializers, by name.
struct Weights<'a> {
    model: &'a Model,
    tensors: BTreeMap<&'a str, &'a TensorProto>,
}

impl<'a> Weights<'a> {
    fn of(model: &'a Model) -> Self {
        let tensors = model.graph().initializer.iter().filter(|tensor| is_floating(tensor));
        Self { model, tensors: tensors.map(|tensor| (tensor.name(), tensor)).collect() }
    }

    fn decays(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| tensor.dims.len() >= 2)
    }

    fn is_single(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| tensor::count(tensor).is_ok_and(|count| count <= 1))
    }

    /// Whether it holds nothing but zeros and what attention masks hold where nothing may be seen, and both of them.
    fn is_mask(&self, name: &str) -> bool {
        let Ok(Values::F32(values)) = self.model.tensor(name).map(|tensor| tensor.values) else { return false };
        let (open, blocked) = (|value: &f32| *value == 0.0, |value: &f32| *value <= MASKED);
        values.iter().all(|value| open(value) || blocked(value))
            && values.iter().any(open)
            && values.iter().any(blocked)
    }
}

/// What attention masks hold where nothing may be seen is this or less.
const MASKED: f32 = -100.0;

/// Gives every floating-point initializer that a node reads its role.
fn assign<'a>(graph: &'a GraphProto, weights: &Weights<'a>) -> Result<BTreeMap<&'a str, Role>, Conflict> {
    let mut seen = Seen::of(graph, weights);
    let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
    for node in &graph.node {
        for (initializer, role) in wanted(node, &seen, weights) {
            let merged = match (roles.get(initializer), role) {
                (None | Some(Role::Fixed(_)), role) => role,
                (Some(known), Role::Fixed(_)) => *known,
                (Some(Role::Trained { decays }), Role::Trained { decays: also }) => {
                    Role::Trained { decays: *decays || also }
                }
                (Some(known), role) if *known == role => role,
                _ => return Err(Conflict { initializer: initializer.to_owned(), node: node.name().to_owned() }),
            };
            roles.insert(initializer, merged);
        }
        if let Some(reason) = seen.pass(node, &roles) {
            for initializer in seen.all_origins(node) {
                roles.entry(initializer).or_insert(Role::Fixed(reason));
            }
        }
    }
    Ok(roles)
}

/// What is known of the values that the graph has computed so far.
struct Seen<'a> {
    /// The initializers that a value is computed from, if it is computed from them and from constants alone.
    origins: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Values that hold nothing of the image but its shape.
    plain: BTreeSet<&'a str>,
    /// Values behind a trained layer.
    downstream: BTreeSet<&'a str>,
}

impl<'a> Seen<'a> {
    fn of(graph: &'a GraphProto, weights: &Weights<'a>) -> Self {
        let origins = weights.tensors.keys().map(|&name| (name, BTreeSet::from([name]))).collect();
        let integers = graph.initializer.iter().filter(|tensor| !is_floating(tensor)).map(|tensor| tensor.name());
        Self { origins, plain: integers.collect(), downstream: BTreeSet::new() }
    }

    fn origins(&self, node: &NodeProto, index: usize) -> impl Iterator<Item = &'a str> {
        let name = node.input.get(index).map(String::as_str).unwrap_or_default();
        self.origins.get(name).into_iter().flatten().copied()
    }

    /// The origins of all values that a node's outputs are computed from.
    fn all_origins(&self, node: &NodeProto) -> BTreeSet<&'a str> {
        sources(node).iter().flat_map(|name| self.origins.get(name.as_str())).flatten().copied().collect()
    }

    /// Whether some input of the node stands behind a trained layer.
    fn reaches(&self, node: &NodeProto) -> bool {
        sources(node).iter().any(|name| self.downstream.contains(name.as_str()))
    }

    /// Notes what a node makes of what is known of its inputs. Gives the reason why initializers stay of which nothing else
    /// makes weights, unless the node only computes from them.
    fn pass(&mut self, node: &'a NodeProto, roles: &BTreeMap<&'a str, Role>) -> Option<Reason> {
        let inputs = || sources(node).iter().map(String::as_str).filter(|name| !name.is_empty());
        let outputs = node.output.iter().map(String::as_str);
        let alone = inputs().all(|name| self.plain.contains(name) || self.origins.contains_key(name));
        let passes_none = matches!(node.op_type(), "Shape" | "Size") || alone && STEPS.contains(&node.op_type());
        if passes_none || inputs().all(|name| self.plain.contains(name)) {
            self.plain.extend(outputs);
            return Some(Reason::NoGradient);
        }
        if alone && !LAYERS.contains(&node.op_type()) {
            let origins = self.all_origins(node);
            self.origins.extend(outputs.map(|output| (output, origins.clone())));
            return None;
        }
        let trained = |name: &&str| matches!(roles.get(name), Some(Role::Trained { .. }));
        let has_weights = self.all_origins(node).iter().any(trained);
        let reason = if self.reaches(node) { Reason::Constant } else { Reason::Preprocessing };
        if has_weights || self.reaches(node) {
            self.downstream.extend(outputs);
        }
        Some(reason)
    }
}

/// The inputs that a node computes from. The second one of `CastLike` only tells the type: PyTorch's exporter gives a weight
/// the type of the image so.
fn sources(node: &NodeProto) -> &[String] {
    let count = if node.op_type() == "CastLike" { 1 } else { node.input.len() };
    node.input.get(..count).unwrap_or_default()
}

/// Layers with weights of their own: what they make of an initializer is a value of the network, no weight.
const LAYERS: [&str; 9] = [
    "Attention",
    "BatchNormalization",
    "Conv",
    "Gemm",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "MatMul",
    "RMSNormalization",
];

/// Operators whose results move in steps, so that no gradient passes them.
const STEPS: [&str; 11] =
    ["Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsNaN", "Less", "LessOrEqual", "Not", "Round", "Sign"];

/// The roles that one node asks for.
fn wanted<'a>(node: &NodeProto, seen: &Seen<'a>, weights: &Weights<'a>) -> Vec<(&'a str, Role)> {
    let trained = |name: &'a str| (name, Role::Trained { decays: weights.decays(name) });
    let plain = |name: &'a str| (name, Role::Trained { decays: false });
    let running = |name: &'a str| (name, Role::Running);
    let origins = |index: usize| seen.origins(node, index);
    let joined = |name: &'a str, may_be_mask: bool| match name {
        _ if weights.is_single(name) => (name, Role::Fixed(Reason::SingleNumber)),
        _ if may_be_mask && weights.is_mask(name) => (name, Role::Fixed(Reason::Mask)),
        _ => plain(name),
    };
    match node.op_type() {
        "Conv" | "Gemm" => origins(1).map(trained).chain(origins(2).map(plain)).collect(),
        "MatMul" if origins(1).next().is_some() => origins(1).map(trained).collect(),
        "MatMul" => origins(0).map(trained).collect(),
        "BatchNormalization" => {
            let own = origins(1).chain(origins(2)).map(plain);
            own.chain(origins(3).chain(origins(4)).map(running)).collect()
        }
        "GroupNormalization" | "InstanceNormalization" | "LayerNormalization" | "RMSNormalization" => {
            origins(1).chain(origins(2)).map(plain).collect()
        }
        "PRelu" => origins(1).map(plain).collect(),
        "Attention" => origins(3).map(|name| joined(name, true)).collect(),
        "Add" | "Mul" | "Concat" if seen.reaches(node) => {
            let may_be_mask = node.op_type() == "Add";
            (0..node.input.len()).flat_map(origins).map(|name| joined(name, may_be_mask)).collect()
        }
        _ => Vec::new(),
    }
}
