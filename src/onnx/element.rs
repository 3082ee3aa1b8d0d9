//! The types that a tensor's elements can have, and the room they take.

pub use super::proto::tensor_proto::DataType as ElementType;

/// Which field of a `TensorProto` holds the elements when they are not raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Float,
    Double,
    Int32,
    Int64,
    Uint64,
    Text,
}

/// How elements of a type are stored: the bits of one element in raw bytes, the field for typed storage, and how many
/// entries of that field hold how many elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage {
    /// Bits of one element as raw bytes; 0 for text, which has no raw form.
    pub bits: u64,
    pub field: Field,
    /// Entries of the field for `elements` elements.
    pub entries: u64,
    pub elements: u64,
}

/// How `element` is stored, or nothing for a type whose storage is not known here.
///
/// Source: the comments at `TensorProto` in `onnx.proto`.
pub(super) fn storage(element: ElementType) -> Option<Storage> {
    use ElementType as E;
    let (bits, field, entries, elements) = match element {
        E::Float => (32, Field::Float, 1, 1),
        E::Double => (64, Field::Double, 1, 1),
        E::Complex64 => (64, Field::Float, 2, 1),
        E::Complex128 => (128, Field::Double, 2, 1),
        E::Int64 => (64, Field::Int64, 1, 1),
        E::Uint64 => (64, Field::Uint64, 1, 1),
        E::Uint32 => (32, Field::Uint64, 1, 1),
        E::Int32 => (32, Field::Int32, 1, 1),
        E::Int16 | E::Uint16 | E::Float16 | E::Bfloat16 => (16, Field::Int32, 1, 1),
        E::Int8 | E::Uint8 | E::Bool => (8, Field::Int32, 1, 1),
        E::Float8e4m3fn | E::Float8e4m3fnuz | E::Float8e5m2 | E::Float8e5m2fnuz | E::Float8e8m0 => {
            (8, Field::Int32, 1, 1)
        }
        E::Float6e2m3 | E::Float6e3m2 => (6, Field::Int32, 1, 1),
        E::Int4 | E::Uint4 | E::Float4e2m1 => (4, Field::Int32, 1, 2),
        E::Int2 | E::Uint2 => (2, Field::Int32, 1, 4),
        E::String => (0, Field::Text, 1, 1),
        _ => return None,
    };
    Some(Storage { bits, field, entries, elements })
}

/// The name that ONNX's documents use, such as "float16"; a number that means nothing stays a number.
pub(super) fn name(number: i32) -> String {
    match ElementType::try_from(number) {
        Ok(element) => element.as_str_name().to_ascii_lowercase(),
        Err(_) => number.to_string(),
    }
}

/// Whether numbers of this type have a fraction.
pub(super) fn is_floating(element: ElementType) -> bool {
    matches!(element, ElementType::Float | ElementType::Double | ElementType::Float16 | ElementType::Bfloat16)
}
