//! What each node asks of the weights that it reads.

use super::stored::passed_on;
use super::weights::{Weights, is_floating};
use super::{Reason, Role};
use crate::onnx::attribute_int;
use crate::onnx::proto::{GraphProto, NodeProto};
use std::collections::{BTreeMap, BTreeSet};

/// What a graph asks for and no training can give.
pub(super) enum Misfit {
    /// Two layers want different things of one initializer.
    Conflict { initializer: String, node: String },
    /// A BatchNormalization in training mode, which normalises images by the batch that they are in.
    ByTheBatch { node: String },
}

/// Gives every floating-point initializer that a node reads its role.
pub(super) fn assign<'a>(graph: &'a GraphProto, weights: &Weights<'a>) -> Result<BTreeMap<&'a str, Role>, Misfit> {
    let mut seen = Seen::of(graph, weights);
    let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
    for node in &graph.node {
        if in_training_mode(node) && !seen.standardises(node) {
            return Err(Misfit::ByTheBatch { node: node.name().to_owned() });
        }
        for (initializer, role) in wanted(node, &seen, weights) {
            let merged = match (roles.get(initializer), role) {
                (None | Some(Role::Fixed(_)), role) => role,
                (Some(known), Role::Fixed(_)) => *known,
                (Some(Role::Trained { decays }), Role::Trained { decays: also }) => {
                    Role::Trained { decays: *decays || also }
                }
                (Some(known), role) if *known == role => role,
                _ => {
                    let (initializer, node) = (initializer.to_owned(), node.name().to_owned());
                    return Err(Misfit::Conflict { initializer, node });
                }
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
    /// Values that stand in the model, maybe in another shape.
    stored: BTreeSet<String>,
}

impl<'a> Seen<'a> {
    fn of(graph: &'a GraphProto, weights: &Weights<'a>) -> Self {
        let origins = weights.tensors.keys().map(|&name| (name, BTreeSet::from([name]))).collect();
        let integers = graph.initializer.iter().filter(|tensor| !is_floating(tensor)).map(|tensor| tensor.name());
        let made: BTreeSet<&str> = graph
            .node
            .iter()
            .filter(|node| node.op_type() == "Constant")
            .flat_map(|node| node.output.first())
            .map(String::as_str)
            .collect();
        let stands = |name: &str| weights.tensors.contains_key(name) || made.contains(name);
        let mut stored = passed_on(&graph.node, stands);
        stored.extend(weights.tensors.keys().chain(&made).map(|&name| name.to_owned()));
        Self { origins, plain: integers.collect(), downstream: BTreeSet::new(), stored }
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

    /// Whether a node computes from initializers and constants alone.
    fn is_alone(&self, node: &NodeProto) -> bool {
        let known = |name: &str| name.is_empty() || self.plain.contains(name) || self.origins.contains_key(name);
        sources(node).iter().all(|name| known(name))
    }

    /// Whether a BatchNormalization takes mean and variance from the weight that it normalises, as where a network standardises
    /// its kernels (Qiao et al., "Micro-Batch Training with Batch-Channel Normalization and Weight Standardization", 2019).
    fn standardises(&self, node: &NodeProto) -> bool {
        let statistics = node.input.get(3..5).unwrap_or_default();
        node.op_type() == "BatchNormalization"
            && self.is_alone(node)
            && (in_training_mode(node) || !statistics.iter().all(|name| self.stored.contains(name)))
    }

    /// Notes what a node makes of what is known of its inputs. Gives the reason why initializers stay of which nothing else
    /// makes weights, unless the node only computes from them.
    fn pass(&mut self, node: &'a NodeProto, roles: &BTreeMap<&'a str, Role>) -> Option<Reason> {
        let inputs = || sources(node).iter().map(String::as_str).filter(|name| !name.is_empty());
        let outputs = node.output.iter().map(String::as_str);
        let alone = self.is_alone(node);
        let passes_none = matches!(node.op_type(), "Shape" | "Size") || alone && STEPS.contains(&node.op_type());
        if passes_none || inputs().all(|name| self.plain.contains(name)) {
            self.plain.extend(outputs);
            return Some(Reason::NoGradient);
        }
        if alone && (!LAYERS.contains(&node.op_type()) || self.standardises(node)) {
            let origins = self.all_origins(node);
            self.origins.extend(outputs.map(|output| (output, origins.clone())));
            return None;
        }
        let trained = |name: &&str| matches!(roles.get(name), Some(Role::Trained { .. }));
        let has_weights = self.all_origins(node).iter().any(trained);
        let reason = match self.reaches(node) {
            _ if alone => Reason::Input,
            true => Reason::Constant,
            false => Reason::Preprocessing,
        };
        if has_weights || self.reaches(node) {
            self.downstream.extend(outputs);
        }
        Some(reason)
    }
}

fn in_training_mode(node: &NodeProto) -> bool {
    node.op_type() == "BatchNormalization" && attribute_int(node, "training_mode") == Some(1)
}

/// The inputs that a node reads. A BatchNormalization in training mode does not look at the mean and variance that it is given.
pub(super) fn reads(node: &NodeProto) -> &[String] {
    first(node, if in_training_mode(node) { 3 } else { usize::MAX })
}

/// The inputs of which a node passes something on. The second one of `CastLike` only tells the type: PyTorch's exporter gives a
/// weight the type of the image so. Scales tell an extent, and what `OneHot` writes are no weights.
fn sources(node: &NodeProto) -> &[String] {
    match node.op_type() {
        "CastLike" | "OneHot" | "Resize" | "Upsample" => first(node, 1),
        _ => reads(node),
    }
}

fn first(node: &NodeProto, count: usize) -> &[String] {
    node.input.get(..count.min(node.input.len())).unwrap_or_default()
}

/// Layers with weights of their own: what they make of an initializer is a value of the network, no weight.
const LAYERS: [&str; 10] = [
    "Attention",
    "BatchNormalization",
    "Conv",
    "ConvTranspose",
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
    let joined = |name: &'a str, is_mask: bool| match name {
        _ if weights.is_single(name) => (name, Role::Fixed(Reason::SingleNumber)),
        _ if is_mask => (name, Role::Fixed(Reason::Mask)),
        _ => plain(name),
    };
    // A number that a kernel is multiplied by is no weight; a kernel of one number is.
    let kernel = |index: usize| {
        let alone = origins(index).nth(1).is_none();
        let role = move |name| match name {
            _ if !alone && weights.is_single(name) => (name, Role::Fixed(Reason::SingleNumber)),
            _ => trained(name),
        };
        origins(index).map(role)
    };
    let inputs = 0..node.input.len();
    match node.op_type() {
        "Conv" | "ConvTranspose" | "Gemm" => kernel(1).chain(origins(2).map(plain)).collect(),
        "MatMul" if origins(1).next().is_some() => kernel(1).collect(),
        "MatMul" => kernel(0).collect(),
        "Einsum" if !seen.is_alone(node) => inputs.flat_map(kernel).collect(),
        "BatchNormalization" if seen.standardises(node) => Vec::new(),
        "BatchNormalization" => {
            let own = origins(1).chain(origins(2)).map(plain);
            own.chain(origins(3).chain(origins(4)).map(running)).collect()
        }
        "GroupNormalization" | "InstanceNormalization" | "LayerNormalization" | "RMSNormalization" => {
            origins(1).chain(origins(2)).map(plain).collect()
        }
        "PRelu" => origins(1).map(plain).collect(),
        "Attention" => origins(3).map(|name| joined(name, weights.hides(name))).collect(),
        "Add" | "Sub" | "Sum" if seen.reaches(node) => {
            inputs.flat_map(origins).map(|name| joined(name, weights.hides(name))).collect()
        }
        "Mul" | "Div" if seen.reaches(node) => {
            inputs.flat_map(origins).map(|name| joined(name, weights.blanks(name))).collect()
        }
        "Where" if seen.reaches(node) => {
            let chosen = origins(1).chain(origins(2));
            chosen.map(|name| joined(name, weights.hides(name) || weights.blanks(name))).collect()
        }
        "Pow" | "Concat" if seen.reaches(node) => inputs.flat_map(origins).map(|name| joined(name, false)).collect(),
        _ => Vec::new(),
    }
}
