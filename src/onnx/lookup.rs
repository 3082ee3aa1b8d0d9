//! Finding one's way in a graph: who makes a value, which weights are constant, which names are alike.

use std::collections::HashMap;

use super::error::Problem;
use super::proto::{GraphProto, NodeProto, TensorProto};
use super::tensor::{self, Tensor, Values};
use super::{attribute_float, attribute_floats, attribute_int, attribute_ints, attribute_tensor};

/// The makers and the weights of a graph, by name.
pub(super) struct Lookup<'a> {
    makers: HashMap<&'a str, &'a NodeProto>,
    weights: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Lookup<'a> {
    pub(super) fn of(graph: &'a GraphProto) -> Self {
        let made = |node: &'a NodeProto| node.output.iter().map(move |output| (output.as_str(), node));
        Self {
            makers: graph.node.iter().flat_map(made).collect(),
            weights: graph.initializer.iter().map(|tensor| (tensor.name(), tensor)).collect(),
        }
    }

    /// The node that makes a value; nothing for inputs and weights.
    pub(super) fn maker(&self, value: &str) -> Option<&'a NodeProto> {
        self.makers.get(value).copied()
    }

    /// A weight's shape and element type, seen through the nodes that exporters put between a weight and its use.
    pub(super) fn weight(&self, value: &str) -> Option<(Vec<i64>, i32)> {
        // A checked graph has no cycles; the bound is for graphs that were edited since.
        let mut value = value;
        let mut transposed = false;
        for _ in 0..=self.makers.len() {
            if let Some(tensor) = self.weights.get(value) {
                return Some(oriented(tensor, transposed));
            }
            let node = self.maker(value)?;
            match node.op_type() {
                "Constant" => return attribute_tensor(node, "value").map(|tensor| oriented(tensor, transposed)),
                "Identity" | "Cast" | "DequantizeLinear" => {}
                "Transpose" if matches!(attribute_ints(node, "perm"), None | Some([1, 0])) => transposed = !transposed,
                _ => return None,
            }
            value = node.input.first()?;
        }
        None
    }

    /// The value that reaches `value` through nothing but Identity nodes.
    pub(super) fn origin(&self, value: &'a str) -> &'a str {
        let mut value = value;
        for _ in 0..=self.makers.len() {
            match self.maker(value).map(|node| (node.op_type(), node.input.first())) {
                Some(("Identity", Some(input))) => value = input,
                _ => break,
            }
        }
        value
    }

    /// The numbers of a weight or of a Constant node; nothing for values that are computed.
    pub(super) fn fixed(&self, value: &str) -> Option<Result<Tensor, Problem>> {
        if let Some(tensor) = self.weights.get(value) {
            return Some(tensor::read(tensor));
        }
        self.maker(value).filter(|node| node.op_type() == "Constant").map(constant)
    }

    /// Whether a value never changes: a weight or something made of one.
    pub(super) fn is_constant(&self, value: &str) -> bool {
        self.weight(value).is_some() || self.maker(value).is_some_and(|node| node.op_type() == "Constant")
    }
}

fn oriented(tensor: &TensorProto, transposed: bool) -> (Vec<i64>, i32) {
    let mut dims = tensor.dims.clone();
    if transposed {
        dims.reverse();
    }
    (dims, tensor.data_type())
}

/// The numbers of a Constant node.
pub(super) fn constant(node: &NodeProto) -> Result<Tensor, Problem> {
    let f32 = |dims, values| Ok(Tensor { dims, values: Values::F32(values) });
    let i64 = |dims, values| Ok(Tensor { dims, values: Values::I64(values) });
    if let Some(tensor) = attribute_tensor(node, "value") {
        return tensor::read(tensor);
    }
    if let Some(value) = attribute_float(node, "value_float") {
        return f32(vec![], vec![value]);
    }
    if let Some(value) = attribute_int(node, "value_int") {
        return i64(vec![], vec![value]);
    }
    if let Some(values) = attribute_floats(node, "value_floats") {
        return f32(vec![values.len()], values.to_vec());
    }
    if let Some(values) = attribute_ints(node, "value_ints") {
        return i64(vec![values.len()], values.to_vec());
    }
    Err(Problem::ElementType {
        name: node.output.first().cloned().unwrap_or_default(),
        element: "text or sparse".to_owned(),
        wanted: "plain numbers were expected",
    })
}

/// The three names most like `name`, most similar first; names with little in common are left out.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = name.chars().count().max(3) / 2 + 1;
    let mut near: Vec<(usize, &str)> = names
        .filter(|other| !other.is_empty())
        .map(|other| (distance(name, other), other))
        .filter(|&(distance, other)| distance <= limit || other.contains(name))
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein's edit distance: insertions, deletions and replacements of a character cost 1 each.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, one) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        let mut next = vec![before];
        for (other, &up) in right.iter().zip(row.iter().skip(1)) {
            before = (diagonal + usize::from(one != *other)).min(up + 1).min(before + 1);
            next.push(before);
            diagonal = up;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
