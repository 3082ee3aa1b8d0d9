//! Weights that an exporter left in Constant nodes, where nothing trains them.

use crate::onnx::Model;
use crate::onnx::element;
use crate::onnx::lookup::Lookup;
use crate::onnx::proto::NodeProto;
use crate::onnx::{ElementType, attribute_tensor, tensor};
use std::collections::BTreeMap;

/// How many numbers stand in Constant nodes where `Conv`, `Gemm` and `MatMul` have their weights and biases.
pub(super) fn in_layers(model: &Model) -> usize {
    let lookup = Lookup::of(model.graph());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &model.graph().node {
        for name in places(node, &lookup).iter().filter_map(|&place| node.input.get(place)) {
            let found = maker(&lookup, name).and_then(|constant| Some((constant.output.first()?, numbers(constant)?)));
            counts.extend(found.map(|(name, count)| (name.as_str(), count)));
        }
    }
    counts.values().sum()
}

/// Of two factors, one may be the weight by which a constant is multiplied, such as a table of coordinates.
fn places(node: &NodeProto, lookup: &Lookup<'_>) -> &'static [usize] {
    let is_initializer = |name: &String| maker(lookup, name).is_none() && lookup.weight(name).is_some();
    match node.op_type() {
        "Conv" | "ConvTranspose" | "Gemm" => &[1, 2],
        "MatMul" if !node.input.iter().any(is_initializer) => &[0, 1],
        _ => &[],
    }
}

/// The Constant node that a value comes from, maybe transposed.
fn maker<'a>(lookup: &Lookup<'a>, value: &'a str) -> Option<&'a NodeProto> {
    let node = lookup.maker(lookup.origin(value))?;
    match node.op_type() {
        "Constant" => Some(node),
        "Transpose" => lookup.maker(node.input.first()?).filter(|node| node.op_type() == "Constant"),
        _ => None,
    }
}

/// How many numbers a Constant node holds, if they are floating-point numbers and more than one.
fn numbers(constant: &NodeProto) -> Option<usize> {
    let held = attribute_tensor(constant, "value")?;
    let floating = ElementType::try_from(held.data_type()).is_ok_and(element::is_floating);
    let count = usize::try_from(tensor::count(held).ok()?).ok()?;
    (floating && count > 1).then_some(count)
}
