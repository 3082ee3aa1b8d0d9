//! Values that follow from a name, as `fixtures/families/make.py` made them.

use gleaner::onnx::Model;
use gleaner::onnx::proto::{ModelProto, TensorProto};
use prost::Message;
use std::path::Path;

/// Chris Wellons' `lowbias32`: 32 well-mixed bits of each 32-bit number.
pub fn hashed(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x7feb_352d);
    let number = (number ^ (number >> 15)).wrapping_mul(0x846c_a68b);
    number ^ (number >> 16)
}

/// What values follow from.
pub struct Recipe {
    /// The weight's name in PyTorch.
    pub name: String,
    /// Half the width of the range that the values lie in, and its middle; none where the values stand in the graph.
    range: Option<(f32, f32)>,
    /// Whether the exporter transposed the matrix.
    pub transposed: bool,
}

impl Recipe {
    pub fn of(json: &serde_json::Value) -> Self {
        let number = |key: &str| json[key].as_f64().map(|number| number as f32);
        Self {
            name: json["name"].as_str().unwrap().to_owned(),
            range: number("scale").zip(number("shift")),
            transposed: json["transposed"].as_bool().unwrap_or(false),
        }
    }

    /// The recipe of an initializer, if it has one.
    pub fn beside(tensor: &TensorProto) -> Option<Self> {
        let text = tensor.doc_string.as_deref().filter(|text| !text.is_empty())?;
        Some(Self::of(&serde_json::from_str(text).unwrap()))
    }

    /// So many values; the name's hash is FNV-1a in 32 bits.
    pub fn values(&self, count: usize) -> Vec<f32> {
        let (scale, shift) = self.range.unwrap();
        let seed =
            self.name.bytes().fold(0x811c_9dc5_u32, |state, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let even = |place: u32| (hashed(place.wrapping_add(seed)) >> 8) as f32 / (1 << 23) as f32 - 1.0;
        (0..count as u32).map(|place| even(place) * scale + shift).collect()
    }

    fn fill(&self, tensor: &mut TensorProto) {
        let count = tensor.dims.iter().product::<i64>() as usize;
        let mut values = self.values(count);
        if self.transposed {
            let (rows, columns) = (tensor.dims[0] as usize, tensor.dims[1] as usize);
            values = transposed(&values, columns, rows);
        }
        tensor.raw_data = Some(values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }
}

/// A matrix of so many rows and columns, the other way round.
pub fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// A graph that stands without its weights, with them.
pub fn model(file: &Path) -> Model {
    let mut proto = ModelProto::decode(std::fs::read(file).unwrap().as_slice()).unwrap();
    for tensor in &mut proto.graph.as_mut().unwrap().initializer {
        if let Some(recipe) = Recipe::beside(tensor).filter(|recipe| recipe.range.is_some()) {
            recipe.fill(tensor);
        }
    }
    Model::from_proto(proto).unwrap()
}
