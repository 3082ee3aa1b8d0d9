//! A graph's inputs and outputs as plain data.

use std::fmt;

use super::element::{self, ElementType};
use super::proto::{
    TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto::Dimension, tensor_shape_proto::dimension::Value,
    type_proto,
};

/// One extent of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// A fixed number.
    Known(u64),
    /// A named number that is known when the model runs, such as "N".
    Symbol(String),
    /// Nothing is said.
    Unknown,
}

impl Dim {
    /// The fixed number, if it is one and fits.
    pub fn known(&self) -> Option<usize> {
        match self {
            Dim::Known(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Known(value) => write!(f, "{value}"),
            Dim::Symbol(name) => f.write_str(name),
            Dim::Unknown => f.write_str("?"),
        }
    }
}

/// A graph's input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The value's name.
    pub name: String,
    /// The type of its elements; `Undefined` when it is no tensor or nothing is said.
    pub element: ElementType,
    /// Its shape, or nothing when not even the rank is said.
    pub dims: Option<Vec<Dim>>,
}

impl Port {
    /// How many extents the shape has, if it has one.
    pub fn rank(&self) -> Option<usize> {
        self.dims.as_ref().map(Vec::len)
    }

    pub(super) fn of(value: &ValueInfoProto) -> Self {
        let tensor = tensor_type(value);
        let element = tensor.and_then(|t| ElementType::try_from(t.elem_type()).ok()).unwrap_or(ElementType::Undefined);
        let dims = tensor.and_then(|t| t.shape.as_ref()).map(|shape| shape.dim.iter().map(dim).collect());
        Self { name: value.name().to_owned(), element, dims }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, element::name(self.element as i32))?;
        match &self.dims {
            None => f.write_str(" of unknown shape"),
            Some(dims) => {
                let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
                write!(f, " [{}]", dims.join(", "))
            }
        }
    }
}

fn tensor_type(value: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    match value.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

/// A negative extent or 0, which some exporters write for "unknown", counts as nothing said.
fn dim(dimension: &Dimension) -> Dim {
    match &dimension.value {
        Some(Value::DimValue(value @ 1..)) => Dim::Known(value.unsigned_abs()),
        Some(Value::DimParam(name)) if !name.is_empty() => Dim::Symbol(name.clone()),
        _ => Dim::Unknown,
    }
}

/// The message for one extent.
pub(super) fn dimension(dim: &Dim) -> Dimension {
    let value = match dim {
        Dim::Known(value) => i64::try_from(*value).ok().map(Value::DimValue),
        Dim::Symbol(name) => Some(Value::DimParam(name.clone())),
        Dim::Unknown => None,
    };
    Dimension { value, denotation: None }
}

/// The message that declares a tensor.
pub(super) fn declare(name: &str, element: ElementType, dims: &[Dim]) -> ValueInfoProto {
    let shape = TensorShapeProto { dim: dims.iter().map(dimension).collect() };
    let tensor = type_proto::Tensor { elem_type: Some(element as i32), shape: Some(shape) };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), denotation: None };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(kind), ..Default::default() }
}

/// The declared extents of a value, for changing them.
pub(super) fn dimensions_mut(value: &mut ValueInfoProto) -> Option<&mut Vec<Dimension>> {
    match value.r#type.as_mut()?.value.as_mut()? {
        type_proto::Value::TensorType(tensor) => tensor.shape.as_mut().map(|shape| &mut shape.dim),
        _ => None,
    }
}
