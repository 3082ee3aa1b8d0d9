//! Nodes that make much out of little: a shape of a few bytes may claim more numbers than a machine can hold.
//!
//! Only shapes that stand in the file are looked at. What one that is computed comes to, nobody knows before it is run.

use std::collections::HashMap;

use super::check::describe;
use super::error::Problem;
use super::proto::{ModelProto, NodeProto, TensorProto};
use super::{ElementType, attribute_ints, attribute_tensor, lookup, tensor};

/// The most numbers that all such nodes may make together: 2 GiB of 32-bit floats, as much as a file may hold.
const MOST_NUMBERS: u64 = 1 << 29;
/// What has more elements is no shape.
const MOST_EXTENTS: u64 = 64;

/// The whole numbers that stand in a graph or a function, by name.
type Constants<'a> = HashMap<&'a str, Vec<i64>>;

/// Refuses a model whose nodes claim too many numbers.
pub(super) fn check(model: &ModelProto) -> Result<(), Problem> {
    let mut claims = Claims { scopes: Vec::new(), made: 0 };
    if let Some(graph) = &model.graph {
        claims.nodes(&graph.initializer, &graph.node)?;
    }
    for function in &model.functions {
        claims.nodes(&[], &function.node)?;
    }
    Ok(())
}

struct Claims<'a> {
    /// The graphs around the node that is looked at, the innermost last: it sees the constants of them all.
    scopes: Vec<Constants<'a>>,
    made: u64,
}

impl<'a> Claims<'a> {
    // The depth of subgraphs is bounded: the protobuf decoder stops at 100 nested messages.
    fn nodes(&mut self, weights: &'a [TensorProto], nodes: &'a [NodeProto]) -> Result<(), Problem> {
        self.scopes.push(constants(weights, nodes));
        for node in nodes {
            let numbers = self.numbers(node).unwrap_or(0);
            self.made = self.made.saturating_add(numbers);
            if self.made > MOST_NUMBERS {
                return Err(Problem::Claims { node: describe(node), numbers, all: self.made, limit: MOST_NUMBERS });
            }
            for graph in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
                self.nodes(&graph.initializer, &graph.node)?;
            }
        }
        self.scopes.pop();
        Ok(())
    }

    /// How many numbers a node makes, or more, if it is one that follows a shape in the file.
    fn numbers(&self, node: &NodeProto) -> Option<u64> {
        if !matches!(node.domain(), "" | "ai.onnx") {
            return None;
        }
        match node.op_type() {
            "ConstantOfShape" => self.constant(node, 0).map(product),
            "Expand" | "Tile" | "OneHot" => self.constant(node, 1).map(product),
            "Resize" => self.constant(node, 3).map(product),
            "RandomNormal" | "RandomUniform" => attribute_ints(node, "shape").map(product),
            "Range" => {
                let [start, limit, step] = [0, 1, 2].map(|place| self.constant(node, place)?.first().copied());
                u64::try_from(limit?.checked_sub(start?)?.checked_div(step?)?).ok()
            }
            _ => None,
        }
    }

    /// The numbers of an input that is a constant.
    fn constant(&self, node: &NodeProto, place: usize) -> Option<&[i64]> {
        let value = node.input.get(place)?.as_str();
        self.scopes.iter().rev().find_map(|constants| constants.get(value)).map(Vec::as_slice)
    }
}

fn constants<'a>(weights: &'a [TensorProto], nodes: &'a [NodeProto]) -> Constants<'a> {
    let weights = weights.iter().filter(|weight| may_be_shape(weight));
    let weights = weights.filter_map(|weight| Some((weight.name(), tensor::read(weight).ok()?)));
    let nodes = nodes.iter().filter(|node| node.op_type() == "Constant");
    let nodes = nodes.filter(|node| attribute_tensor(node, "value").is_none_or(may_be_shape));
    let nodes = nodes.filter_map(|node| Some((node.output.first()?.as_str(), lookup::constant(node).ok()?)));
    weights.chain(nodes).filter_map(|(name, found)| Some((name, found.i64()?.to_vec()))).collect()
}

fn may_be_shape(constant: &TensorProto) -> bool {
    let few = tensor::count(constant).is_ok_and(|count| count <= MOST_EXTENTS);
    few && constant.data_type() == ElementType::Int64 as i32
}

/// How many elements a shape has; none if it is no shape, and the highest number that can be counted for more than that.
fn product(shape: &[i64]) -> u64 {
    shape.iter().fold(1, |product: u64, &extent| product.saturating_mul(u64::try_from(extent).unwrap_or(0)))
}
