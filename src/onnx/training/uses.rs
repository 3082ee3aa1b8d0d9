//! Which nodes are one layer: where biases, scales and running statistics stand, and what stands beside them.

use super::names::{is_call, module};
use crate::onnx::proto::{GraphProto, NodeProto};

/// The inputs that may be biases, scales or running statistics.
pub(super) fn places(node: &NodeProto) -> &'static [usize] {
    match node.op_type() {
        "Conv" | "ConvTranspose" | "Gemm" => &[2],
        "BatchNormalization" => &[1, 2, 3, 4],
        "GroupNormalization" | "InstanceNormalization" | "LayerNormalization" | "RMSNormalization" => &[1, 2],
        "PRelu" => &[1],
        "Add" | "Mul" => &[0, 1],
        _ => &[],
    }
}

/// Whether some initializer of these names may stand for another that was merged with it: as far as the nodes tell their
/// modules, one has none if each is read by its own module alone.
pub(super) fn may_be_merged<'a>(graph: &'a GraphProto, is_one: impl Fn(&str) -> bool) -> bool {
    let read = |node: &'a NodeProto| places(node).iter().filter_map(move |&place| Some((node, node.input.get(place)?)));
    let mut uses = graph.node.iter().flat_map(read).filter(|(_, name)| is_one(name));
    uses.any(|(node, name)| match (module(node), name.rsplit_once('.')) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(module), Some((owner, _))) => {
            let within = |inner: &str, outer: &str| {
                outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
            };
            !is_call(&module, owner) && !within(&module, owner) && !within(owner, &module)
        }
    })
}

/// Nodes of which this is equal are one layer, called more than once.
#[derive(PartialEq, Eq)]
pub(super) enum Layer {
    /// They multiply by the same matrix or kernel, and this is its bias.
    OfMatrix(String),
    /// They are the same part of the same module, and this is its input of this number.
    OfModule(String, String, usize),
    /// Nothing is known but the node and its input.
    Alone(usize, usize),
}

/// The layer whose bias, scale or running statistic this input of a node is.
pub(super) fn layer(graph: &GraphProto, index: usize, place: usize) -> Option<Layer> {
    let node = graph.node.get(index)?;
    if let Some(matrix) = matrix_beside(graph, node, place) {
        return Some(Layer::OfMatrix(matrix.to_owned()));
    }
    let alone = Layer::Alone(index, place);
    let part = match node.name().strip_prefix('/') {
        Some(path) => path.rsplit('/').next().unwrap_or_default(),
        // The second exporter numbers nodes over the whole graph. A module with one of these in it is that layer.
        None if !matches!(node.op_type(), "Add" | "Mul" | "Conv" | "ConvTranspose" | "Gemm") => "",
        None => return Some(alone),
    };
    let Some(module) = module(node).filter(|module| !module.is_empty()) else { return Some(alone) };
    let owner = node.input.get(place)?.rsplit_once('.').map(|(owner, _)| owner);
    let module = owner.filter(|owner| is_call(&module, owner)).map_or(module.clone(), str::to_owned);
    Some(Layer::OfModule(module, part.to_owned(), place))
}

/// The matrix or kernel to whose products this input is added.
fn matrix_beside<'a>(graph: &'a GraphProto, node: &'a NodeProto, place: usize) -> Option<&'a str> {
    match node.op_type() {
        "Conv" | "ConvTranspose" | "Gemm" => initializer(graph, node.input.get(1)?),
        "Add" => {
            let product = maker(graph, node.input.get(1usize.checked_sub(place)?)?)?;
            let mut factors = product.input.iter().rev().filter(|_| product.op_type() == "MatMul");
            factors.find_map(|factor| initializer(graph, factor))
        }
        _ => None,
    }
}

/// The initializer that a value is, maybe transposed.
fn initializer<'a>(graph: &'a GraphProto, mut value: &'a str) -> Option<&'a str> {
    loop {
        if let Some(tensor) = graph.initializer.iter().find(|tensor| tensor.name() == value) {
            return Some(tensor.name());
        }
        let node = maker(graph, value)?;
        let passes = matches!(node.op_type(), "Transpose" | "Identity" | "Cast" | "CastLike");
        value = node.input.first().filter(|_| passes)?;
    }
}

fn maker<'a>(graph: &'a GraphProto, value: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.output.iter().any(|output| output == value))
}
