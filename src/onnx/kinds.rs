//! Which values of a graph hold 32-bit floats.

use std::collections::HashMap;

use super::element::ElementType;
use super::proto::{GraphProto, NodeProto};
use super::{Port, attribute_float, attribute_floats, attribute_int, attribute_tensor};

/// Whether each value that is known holds 32-bit floats: as declared, or else by the operator that makes it.
pub(super) struct Kinds(HashMap<String, bool>);

impl Kinds {
    pub(super) fn of(graph: &GraphProto) -> Self {
        let mut kinds = HashMap::new();
        for value in graph.input.iter().chain(&graph.output).chain(&graph.value_info) {
            let element = Port::of(value).element;
            if element != ElementType::Undefined {
                kinds.insert(value.name(), element == ElementType::Float);
            }
        }
        for tensor in &graph.initializer {
            kinds.insert(tensor.name(), is_float(tensor.data_type()));
        }
        for node in &graph.node {
            for (place, output) in node.output.iter().enumerate() {
                if !kinds.contains_key(output.as_str()) {
                    let of_input =
                        |place: usize| node.input.get(place).and_then(|name| kinds.get(name.as_str())).copied();
                    let kind = made(node, place, &of_input);
                    kinds.insert(output.as_str(), kind);
                }
            }
        }
        Self(kinds.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect())
    }

    pub(super) fn is_float(&self, value: &str) -> bool {
        self.0.get(value).copied().unwrap_or(false)
    }
}

fn is_float(number: impl TryInto<i32>) -> bool {
    number.try_into().is_ok_and(|number: i32| number == ElementType::Float as i32)
}

/// Whether output `place` of a node holds floats. Nearly every operator of the standard gives what its first input is;
/// here are those that do not.
fn made(node: &NodeProto, place: usize, of_input: &dyn Fn(usize) -> Option<bool>) -> bool {
    let input = |place| of_input(place).unwrap_or(false);
    let named = |attribute| attribute_int(node, attribute).map(is_float);
    match node.op_type() {
        "Shape" | "Size" | "ArgMax" | "ArgMin" | "NonZero" | "NonMaxSuppression" | "Equal" | "Greater"
        | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or" | "Xor" | "Not" | "IsNaN" | "IsInf"
        | "QuantizeLinear" | "QLinearConv" | "QLinearMatMul" | "ConvInteger" | "MatMulInteger" => false,
        "DequantizeLinear" => true,
        "DynamicQuantizeLinear" => place == 1,
        "MaxPool" | "Dropout" | "TopK" | "Unique" if place > 0 => false,
        "Cast" => named("to").unwrap_or(false),
        "Constant" => match attribute_tensor(node, "value") {
            Some(tensor) => is_float(tensor.data_type()),
            None => attribute_float(node, "value_float").is_some() || attribute_floats(node, "value_floats").is_some(),
        },
        "ConstantOfShape" => attribute_tensor(node, "value").is_none_or(|tensor| is_float(tensor.data_type())),
        "EyeLike" | "Bernoulli" | "RandomNormalLike" | "RandomUniformLike" => {
            named("dtype").unwrap_or_else(|| input(0))
        }
        "RandomNormal" | "RandomUniform" => named("dtype").unwrap_or(true),
        "Multinomial" => named("dtype").unwrap_or(false),
        "BlackmanWindow" | "HammingWindow" | "HannWindow" | "MelWeightMatrix" => {
            named("output_datatype").unwrap_or(true)
        }
        "Where" | "CastLike" => input(1),
        "OneHot" => input(2),
        _ => input(0),
    }
}
