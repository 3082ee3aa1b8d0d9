//! The values that stand in a model, as libtorch's tensors.

use gleaner::onnx::proto::{
    AttributeProto, NodeProto, TensorProto, attribute_proto::AttributeType, tensor_proto::DataType,
};
use gleaner::onnx::{self, Values};
use tch::{Kind, TchError, Tensor};

/// libtorch's name of an ONNX element type, unless it has none that it computes with.
pub(super) fn kind(element: i32) -> Option<Kind> {
    Some(match DataType::try_from(element).ok()? {
        DataType::Float => Kind::Float,
        DataType::Double => Kind::Double,
        DataType::Float16 => Kind::Half,
        DataType::Bfloat16 => Kind::BFloat16,
        DataType::Int64 => Kind::Int64,
        DataType::Int32 => Kind::Int,
        DataType::Int16 => Kind::Int16,
        DataType::Int8 => Kind::Int8,
        DataType::Uint8 => Kind::Uint8,
        DataType::Bool => Kind::Bool,
        _ => return None,
    })
}

/// A tensor that stands in a message cannot be taken into libtorch.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// Its numbers cannot be read.
    #[error(transparent)]
    Stored(#[from] onnx::Problem),
    /// Its element type has no counterpart.
    #[error("libtorch does not compute with elements of ONNX's type {0}")]
    Kind(i32),
    /// libtorch refused.
    #[error(transparent)]
    Torch(#[from] TchError),
}

/// The tensor of a message whose data stand in it, on the processor.
pub fn value(stored: &TensorProto) -> Result<Tensor, ValueError> {
    let kind = kind(stored.data_type()).ok_or(ValueError::Kind(stored.data_type()))?;
    Ok(tensor(&onnx::Tensor::try_from(stored)?, kind)?)
}

/// Numbers that have been read, as a tensor on the processor.
pub(super) fn tensor(value: &onnx::Tensor, kind: Kind) -> Result<Tensor, TchError> {
    let dims: Vec<i64> = value.dims.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX)).collect();
    match &value.values {
        Values::F32(values) => Tensor::f_from_slice(values)?.f_reshape(&dims)?.f_to_kind(kind),
        Values::I64(values) => Tensor::f_from_slice(values)?.f_reshape(&dims)?.f_to_kind(kind),
    }
}

/// The element type that a `Constant` node declares.
pub(super) fn element_of_constant(node: &NodeProto) -> i32 {
    let floating =
        |attribute: &AttributeProto| matches!(attribute.r#type(), AttributeType::Float | AttributeType::Floats);
    let attribute = node.attribute.iter().find(|attribute| attribute.name().starts_with("value"));
    match attribute {
        Some(attribute) if attribute.t.is_some() => attribute.t.as_ref().map_or(0, |tensor| tensor.data_type()),
        Some(attribute) if floating(attribute) => DataType::Float as i32,
        _ => DataType::Int64 as i32,
    }
}
