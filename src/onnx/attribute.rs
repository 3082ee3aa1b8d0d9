//! Reading a node's attributes.

use super::proto::attribute_proto::AttributeType;
use super::proto::{AttributeProto, NodeProto, TensorProto};

fn find<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

// Writers of proto3 leave out a value that is zero or empty, so the attribute's type decides whether it is there.

/// The integer attribute `name` of `node`, if it has one.
pub fn attribute_int(node: &NodeProto, name: &str) -> Option<i64> {
    let attribute = find(node, name)?;
    attribute.i.or((attribute.r#type() == AttributeType::Int).then_some(0))
}

/// The list of integers `name` of `node`, if it has one.
pub fn attribute_ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    let attribute = find(node, name)?;
    let there = attribute.r#type() == AttributeType::Ints || !attribute.ints.is_empty();
    there.then_some(attribute.ints.as_slice())
}

/// The number `name` of `node`, if it has one.
pub fn attribute_float(node: &NodeProto, name: &str) -> Option<f32> {
    let attribute = find(node, name)?;
    attribute.f.or((attribute.r#type() == AttributeType::Float).then_some(0.0))
}

/// The list of numbers `name` of `node`, if it has one.
pub fn attribute_floats<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [f32]> {
    let attribute = find(node, name)?;
    let there = attribute.r#type() == AttributeType::Floats || !attribute.floats.is_empty();
    there.then_some(attribute.floats.as_slice())
}

/// The text `name` of `node`, if it has one and it is UTF-8.
pub fn attribute_string<'a>(node: &'a NodeProto, name: &str) -> Option<&'a str> {
    let attribute = find(node, name)?;
    let bytes = attribute.s.as_deref().or((attribute.r#type() == AttributeType::String).then_some(&[]))?;
    std::str::from_utf8(bytes).ok()
}

/// The tensor `name` of `node`, if it has one.
pub fn attribute_tensor<'a>(node: &'a NodeProto, name: &str) -> Option<&'a TensorProto> {
    find(node, name)?.t.as_ref()
}
