//! Which weights train, which follow the batches, and which stay.

use gleaner::onnx::proto::{GraphProto, NodeProto};
use std::collections::{BTreeMap, BTreeSet};

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

/// How many elements and dimensions the floating-point initializers have, by name.
pub(super) type Shapes<'a> = BTreeMap<&'a str, (usize, usize)>;

/// Gives every floating-point initializer that has a part in training its role; the others stay.
pub(super) fn assign<'a>(graph: &'a GraphProto, shapes: &Shapes<'a>) -> Result<BTreeMap<&'a str, Role>, Conflict> {
    let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
    // Initializers seen through nodes that only rearrange them.
    let mut origins: BTreeMap<&str, &str> = shapes.keys().map(|&name| (name, name)).collect();
    let mut downstream: BTreeSet<&str> = BTreeSet::new();
    for node in &graph.node {
        let origin = |index: usize| -> Option<&'a str> {
            node.input.get(index).and_then(|name| origins.get(name.as_str()).copied())
        };
        for (initializer, role) in wanted(node, origin, shapes, &downstream) {
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
        let rearranged =
            matches!(node.op_type(), "Identity" | "Transpose" | "Reshape" | "Flatten" | "Squeeze").then(|| origin(0));
        if let (Some(initializer), Some(output)) = (rearranged.flatten(), node.output.first()) {
            origins.insert(output, initializer);
            continue;
        }
        let trained =
            |name: &str| matches!(origins.get(name).and_then(|name| roles.get(name)), Some(Role::Trained { .. }));
        if node.input.iter().any(|name| downstream.contains(name.as_str()) || trained(name)) {
            downstream.extend(node.output.iter().map(String::as_str));
        }
    }
    Ok(roles)
}

/// The roles that one node asks for.
fn wanted<'a>(
    node: &'a NodeProto,
    origin: impl Fn(usize) -> Option<&'a str>,
    shapes: &Shapes<'a>,
    downstream: &BTreeSet<&str>,
) -> Vec<(&'a str, Role)> {
    let decays = |name: &str| shapes.get(name).is_some_and(|&(_, rank)| rank >= 2);
    let trained = |name: &'a str| (name, Role::Trained { decays: decays(name) });
    let plain = |name: &'a str| (name, Role::Trained { decays: false });
    let running = |name: &'a str| (name, Role::Running);
    match node.op_type() {
        "Conv" | "Gemm" => origin(1).map(trained).into_iter().chain(origin(2).map(plain)).collect(),
        "MatMul" => [origin(0), origin(1)].into_iter().flatten().map(trained).collect(),
        "BatchNormalization" => {
            let own = [origin(1), origin(2)].into_iter().flatten().map(plain);
            own.chain([origin(3), origin(4)].into_iter().flatten().map(running)).collect()
        }
        "Add" | "Mul" if node.input.iter().any(|name| downstream.contains(name.as_str())) => {
            let several = |name: &&str| shapes.get(name).is_some_and(|&(elements, _)| elements > 1);
            [origin(0), origin(1)].into_iter().flatten().filter(several).map(plain).collect()
        }
        _ => Vec::new(),
    }
}
