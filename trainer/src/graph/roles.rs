//! Which weights train, which follow the batches, and which stay.

use gleaner::onnx::proto::{GraphProto, NodeProto};
use std::collections::{BTreeMap, BTreeSet};
use tch::{TchError, Tensor};

/// What becomes of a weight in training. The rule is told at the head of [`crate::graph`].
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
    Fixed,
}

/// Two layers want different things of one initializer.
#[derive(Debug)]
pub(super) struct Conflict {
    pub initializer: String,
    pub node: String,
}

/// What the rule asks of a floating-point initializer.
pub(super) struct Weight {
    elements: usize,
    rank: usize,
    mask: bool,
}

impl Weight {
    pub(super) fn of(tensor: &Tensor) -> Result<Self, TchError> {
        let zeros = tensor.f_eq(0.0)?;
        let blocked = tensor.f_le(MASKED)?;
        let mask = zeros.f_logical_or(&blocked)?.f_all()?;
        let mask = truth(&mask)? && truth(&zeros.f_any()?)? && truth(&blocked.f_any()?)?;
        Ok(Self { elements: tensor.numel(), rank: tensor.dim(), mask })
    }
}

/// What attention masks hold where nothing may be seen is this or less.
const MASKED: f64 = -100.0;

fn truth(tensor: &Tensor) -> Result<bool, TchError> {
    Ok(tensor.f_int64_value(&[])? != 0)
}

/// The floating-point initializers, by name.
pub(super) type Weights<'a> = BTreeMap<&'a str, Weight>;

/// Gives every floating-point initializer that has a part in training its role; the others stay.
pub(super) fn assign<'a>(graph: &'a GraphProto, weights: &Weights<'a>) -> Result<BTreeMap<&'a str, Role>, Conflict> {
    let mut seen = Seen::of(graph, weights);
    let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
    for node in &graph.node {
        for (initializer, role) in wanted(node, &seen, weights) {
            let merged = match (roles.get(initializer), role) {
                (None, role) => role,
                (Some(Role::Trained { decays }), Role::Trained { decays: also }) => {
                    Role::Trained { decays: *decays || also }
                }
                (Some(known), role) if *known == role => role,
                _ => return Err(Conflict { initializer: initializer.to_owned(), node: node.name().to_owned() }),
            };
            roles.insert(initializer, merged);
        }
        seen.pass(node, &roles);
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
        let origins = weights.keys().map(|&name| (name, BTreeSet::from([name]))).collect();
        let integers = graph.initializer.iter().map(|tensor| tensor.name()).filter(|name| !weights.contains_key(name));
        Self { origins, plain: integers.collect(), downstream: BTreeSet::new() }
    }

    fn origins(&self, node: &NodeProto, index: usize) -> impl Iterator<Item = &'a str> {
        let name = node.input.get(index).map(String::as_str).unwrap_or_default();
        self.origins.get(name).into_iter().flatten().copied()
    }

    /// Whether some input of the node stands behind a trained layer.
    fn reaches(&self, node: &NodeProto) -> bool {
        node.input.iter().any(|name| self.downstream.contains(name.as_str()))
    }

    /// Notes what a node makes of what is known of its inputs.
    fn pass(&mut self, node: &'a NodeProto, roles: &BTreeMap<&'a str, Role>) {
        let inputs = || node.input.iter().map(String::as_str).filter(|name| !name.is_empty());
        let outputs = node.output.iter().map(String::as_str);
        let alone = inputs().all(|name| self.plain.contains(name) || self.origins.contains_key(name));
        let passes_none = matches!(node.op_type(), "Shape" | "Size") || alone && STEPS.contains(&node.op_type());
        if passes_none || inputs().all(|name| self.plain.contains(name)) {
            self.plain.extend(outputs);
            return;
        }
        if alone && !LAYERS.contains(&node.op_type()) {
            let origins: BTreeSet<&str> = (0..node.input.len()).flat_map(|index| self.origins(node, index)).collect();
            self.origins.extend(outputs.map(|output| (output, origins.clone())));
            return;
        }
        let trained = |name| matches!(roles.get(name), Some(Role::Trained { .. }));
        let has_weights = (0..node.input.len()).flat_map(|index| self.origins(node, index)).any(trained);
        if has_weights || self.reaches(node) {
            self.downstream.extend(outputs);
        }
    }
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
    let decays = |name: &str| weights.get(name).is_some_and(|weight| weight.rank >= 2);
    let trained = |name: &'a str| (name, Role::Trained { decays: decays(name) });
    let plain = |name: &'a str| (name, Role::Trained { decays: false });
    let running = |name: &'a str| (name, Role::Running);
    let origins = |index: usize| seen.origins(node, index);
    let several = |name: &&str| weights.get(name).is_some_and(|weight| weight.elements > 1);
    let is_mask = |name: &&str| weights.get(name).is_some_and(|weight| weight.mask);
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
        "Attention" => origins(3).filter(several).filter(|name| !is_mask(name)).map(plain).collect(),
        "Add" | "Mul" | "Concat" if seen.reaches(node) => {
            let joined = (0..node.input.len()).flat_map(origins).filter(several);
            joined.filter(|name| node.op_type() != "Add" || !is_mask(name)).map(plain).collect()
        }
        _ => Vec::new(),
    }
}
