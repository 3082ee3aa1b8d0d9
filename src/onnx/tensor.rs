//! The numbers in a tensor: how many there must be, and what they are.

use super::element::{self, ElementType, Field, Storage};
use super::error::Problem;
use super::model::PROTOBUF_LIMIT;
use super::proto::{SparseTensorProto, TensorProto, tensor_proto::DataLocation};

/// A tensor's numbers in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers with a fraction; float16, bfloat16 and double are converted.
    F32(Vec<f32>),
    /// Whole numbers and truth values (0 and 1).
    I64(Vec<i64>),
}

/// A tensor read out of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its shape; empty for a single number.
    pub dims: Vec<usize>,
    /// Its numbers, as many as the product of `dims`.
    pub values: Values,
}

impl Tensor {
    /// The numbers, if they have a fraction.
    pub fn f32(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(values) => Some(values),
            Values::I64(_) => None,
        }
    }

    /// The numbers, if they are whole.
    pub fn i64(&self) -> Option<&[i64]> {
        match &self.values {
            Values::I64(values) => Some(values),
            Values::F32(_) => None,
        }
    }
}

impl TryFrom<&TensorProto> for Tensor {
    type Error = Problem;

    /// The numbers of a tensor message whose data stand in it.
    fn try_from(tensor: &TensorProto) -> Result<Self, Problem> {
        read(tensor)
    }
}

/// How many elements a claimed shape has.
pub(super) fn count(tensor: &TensorProto) -> Result<u64, Problem> {
    let bad = || Problem::BadShape { name: tensor.name().to_owned(), dims: tensor.dims.clone() };
    elements(&tensor.dims).ok_or_else(bad)
}

/// The product of a shape's extents, if none is negative and it can be counted.
fn elements(dims: &[i64]) -> Option<u64> {
    dims.iter().try_fold(1u64, |product, &extent| product.checked_mul(u64::try_from(extent).ok()?))
}

/// The element type, and how it is stored.
pub(super) fn stored(tensor: &TensorProto) -> Result<(ElementType, Storage), Problem> {
    let element = ElementType::try_from(tensor.data_type()).ok();
    element.and_then(|element| Some((element, element::storage(element)?))).ok_or_else(|| Problem::ElementType {
        name: tensor.name().to_owned(),
        element: element::name(tensor.data_type()),
        wanted: "a type of the ONNX schema was expected; the file is damaged or newer than this program",
    })
}

/// How many bytes the claimed shape takes as raw data.
pub(super) fn byte_count(tensor: &TensorProto) -> Result<u64, Problem> {
    let bad = || Problem::BadShape { name: tensor.name().to_owned(), dims: tensor.dims.clone() };
    let (_, storage) = stored(tensor)?;
    Ok(count(tensor)?.checked_mul(storage.bits).ok_or_else(bad)?.div_ceil(8))
}

/// Whether the tensor's data stands in a file beside the model.
pub(super) fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location() == DataLocation::External
}

/// Checks that the data are as long as the claimed shape says.
pub(super) fn check(tensor: &TensorProto) -> Result<(), Problem> {
    let (_, storage) = stored(tensor)?;
    let count = count(tensor)?;
    let wrong = |expected, found: usize, unit| {
        let (name, dims) = (tensor.name().to_owned(), tensor.dims.clone());
        Err(Problem::WrongSize { name, dims, expected, found: found as u64, unit })
    };
    if let (Some(raw), true) = (&tensor.raw_data, storage.bits > 0) {
        let expected = byte_count(tensor)?;
        return if raw.len() as u64 == expected { Ok(()) } else { wrong(expected, raw.len(), "bytes") };
    }
    let found = match storage.field {
        Field::Float => tensor.float_data.len(),
        Field::Double => tensor.double_data.len(),
        Field::Int32 => tensor.int32_data.len(),
        Field::Int64 => tensor.int64_data.len(),
        Field::Uint64 => tensor.uint64_data.len(),
        Field::Text => tensor.string_data.len(),
    };
    let expected = count.div_ceil(storage.elements).saturating_mul(storage.entries);
    if found as u64 == expected { Ok(()) } else { wrong(expected, found, "values") }
}

/// Checks that the sparse tensors, of which those before this one claim `claimed` bytes, can be written out: a runtime does
/// that, and a shape may claim anything.
pub(super) fn check_sparse(sparse: &SparseTensorProto, claimed: &mut u64) -> Result<(), Problem> {
    let values = sparse.values.as_ref();
    let bits = values.map(stored).transpose()?.map_or(0, |(_, storage)| storage.bits);
    let bytes = elements(&sparse.dims).and_then(|elements| elements.checked_mul(bits.div_ceil(8)));
    *claimed = claimed.saturating_add(bytes.unwrap_or(u64::MAX));
    if *claimed <= PROTOBUF_LIMIT {
        return Ok(());
    }
    let name = values.map(|values| values.name()).unwrap_or_default().to_owned();
    Err(Problem::Sparse { name, dims: sparse.dims.clone() })
}

/// The numbers of a tensor whose data stand in the model.
pub(super) fn read(tensor: &TensorProto) -> Result<Tensor, Problem> {
    check(tensor)?;
    let bad = || Problem::BadShape { name: tensor.name().to_owned(), dims: tensor.dims.clone() };
    let dims: Option<Vec<usize>> = tensor.dims.iter().map(|&extent| usize::try_from(extent).ok()).collect();
    let (element, _) = stored(tensor)?;
    let values = values(tensor, element).ok_or_else(|| Problem::ElementType {
        name: tensor.name().to_owned(),
        element: element::name(tensor.data_type()),
        wanted: "plain numbers that fit 32-bit floats or 64-bit integers were expected",
    })?;
    Ok(Tensor { dims: dims.ok_or_else(bad)?, values })
}

fn values(tensor: &TensorProto, element: ElementType) -> Option<Values> {
    use ElementType as E;
    let raw = tensor.raw_data.as_deref();
    let int32 = || tensor.int32_data.iter();
    Some(match element {
        E::Float => Values::F32(raw.map_or_else(|| tensor.float_data.clone(), |raw| words(raw, f32::from_le_bytes))),
        E::Double => Values::F32(match raw {
            Some(raw) => words(raw, |bytes| f64::from_le_bytes(bytes) as f32),
            None => tensor.double_data.iter().map(|&value| value as f32).collect(),
        }),
        E::Float16 => Values::F32(match raw {
            Some(raw) => words(raw, |bytes| half(u16::from_le_bytes(bytes))),
            None => int32().map(|&bits| half(bits as u16)).collect(),
        }),
        E::Bfloat16 => Values::F32(match raw {
            Some(raw) => words(raw, |bytes| brain(u16::from_le_bytes(bytes))),
            None => int32().map(|&bits| brain(bits as u16)).collect(),
        }),
        E::Int64 => Values::I64(raw.map_or_else(|| tensor.int64_data.clone(), |raw| words(raw, i64::from_le_bytes))),
        E::Uint64 => {
            let values: Vec<u64> = raw.map_or_else(|| tensor.uint64_data.clone(), |raw| words(raw, u64::from_le_bytes));
            Values::I64(values.into_iter().map(|value| i64::try_from(value).ok()).collect::<Option<_>>()?)
        }
        E::Uint32 => Values::I64(match raw {
            Some(raw) => words(raw, |bytes| i64::from(u32::from_le_bytes(bytes))),
            None => tensor.uint64_data.iter().map(|&value| i64::try_from(value).ok()).collect::<Option<_>>()?,
        }),
        E::Int32 | E::Int16 | E::Int8 | E::Uint16 | E::Uint8 | E::Bool => Values::I64(match (raw, element) {
            (None, _) => int32().map(|&value| i64::from(value)).collect(),
            (Some(raw), E::Int32) => words(raw, |bytes| i64::from(i32::from_le_bytes(bytes))),
            (Some(raw), E::Int16) => words(raw, |bytes| i64::from(i16::from_le_bytes(bytes))),
            (Some(raw), E::Uint16) => words(raw, |bytes| i64::from(u16::from_le_bytes(bytes))),
            (Some(raw), E::Int8) => words(raw, |bytes| i64::from(i8::from_le_bytes(bytes))),
            (Some(raw), _) => words(raw, |bytes| i64::from(u8::from_le_bytes(bytes))),
        }),
        _ => return None,
    })
}

/// Raw data are little endian whatever the machine.
fn words<const BYTES: usize, T>(raw: &[u8], decode: impl Fn([u8; BYTES]) -> T) -> Vec<T> {
    raw.as_chunks::<BYTES>().0.iter().map(|&bytes| decode(bytes)).collect()
}

/// The value of an IEEE 754 binary16 number.
pub(super) fn half(bits: u16) -> f32 {
    let magnitude = match (u32::from(bits >> 10) & 0x1F, u32::from(bits) & 0x3FF) {
        // Subnormal: the fraction counts steps of 2^-24.
        (0, fraction) => fraction as f32 * 2f32.powi(-24),
        (0x1F, fraction) => f32::from_bits(0x7F80_0000 | fraction << 13),
        // The exponent's bias is 15 there and 127 here.
        (exponent, fraction) => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The value of a bfloat16 number, which is the upper half of a 32-bit float.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// A tensor message for 32-bit floats.
pub(super) fn from_f32(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.iter().map(|&extent| extent as i64).collect(),
        data_type: Some(ElementType::Float as i32),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ..Default::default()
    }
}

/// A tensor message for a list of 64-bit integers.
pub(super) fn from_i64(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: vec![values.len() as i64],
        data_type: Some(ElementType::Int64 as i32),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ..Default::default()
    }
}

/// The bits of the IEEE 754 binary16 number nearest to `value`, ties to even; too much for 65504 becomes infinite.
pub(super) fn to_half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7FFF_FFFF;
    let rounded = match magnitude {
        0x7F80_0001.. => 0x7E00,
        // From 65520 on, the middle between 65504 and the next step, everything is infinite.
        0x477F_F000.. => 0x7C00,
        // Normal numbers: the exponent's bias falls from 127 to 15, and 13 bits of the fraction are rounded away. A
        // carry out of the fraction counts the exponent up, as it must.
        0x3880_0000.. => (((magnitude - (112 << 23)) + 0xFFF + (magnitude >> 13 & 1)) >> 13) as u16,
        // Subnormal numbers count steps of 2^-24, and so does a float whose steps are made that large by adding 0.5.
        _ => ((f32::from_bits(magnitude) + 0.5).to_bits() - 0.5f32.to_bits()) as u16,
    };
    sign | rounded
}

/// A tensor message for half-precision floats, given as their bits.
pub(super) fn from_half(name: &str, dims: &[i64], bits: &[u16]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(ElementType::Float16 as i32),
        raw_data: Some(bits.iter().flat_map(|bits| bits.to_le_bytes()).collect()),
        ..Default::default()
    }
}
