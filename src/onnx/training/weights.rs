//! The floating-point initializers of a graph, and what their numbers tell of them.

use crate::onnx::proto::TensorProto;
use crate::onnx::{ElementType, Model, Values, element, tensor};
use std::collections::BTreeMap;

/// Whether it holds numbers with a fraction, of whatever width.
pub(super) fn is_floating(tensor: &TensorProto) -> bool {
    ElementType::try_from(tensor.data_type()).is_ok_and(element::is_floating)
}

/// The floating-point initializers, by name.
pub(super) struct Weights<'a> {
    model: &'a Model,
    pub(super) tensors: BTreeMap<&'a str, &'a TensorProto>,
}

impl<'a> Weights<'a> {
    pub(super) fn of(model: &'a Model) -> Self {
        let tensors = model.graph().initializer.iter().filter(|tensor| is_floating(tensor));
        Self { model, tensors: tensors.map(|tensor| (tensor.name(), tensor)).collect() }
    }

    /// Whether weight decay acts on it where it is a matrix or a kernel.
    pub(super) fn decays(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| tensor.dims.len() >= 2)
    }

    /// Whether it is a single number.
    pub(super) fn is_single(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| tensor::count(tensor).is_ok_and(|count| count <= 1))
    }

    /// Whether it is a mask that is added, subtracted or chosen: where nothing may be seen it holds numbers far from zero, and
    /// elsewhere nothing but zeros.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.is_of(name, |value| value.abs() >= HIDING, |value| value == 0.0)
    }

    /// Whether it is a mask that is multiplied: zeros and ones, and both of them.
    pub(super) fn blanks(&self, name: &str) -> bool {
        self.is_of(name, |value| value == 0.0, |value| value == 1.0)
    }

    fn is_of(&self, name: &str, one: impl Fn(f32) -> bool, other: impl Fn(f32) -> bool) -> bool {
        let Ok(Values::F32(values)) = self.model.tensor(name).map(|tensor| tensor.values) else { return false };
        values.iter().all(|&value| one(value) || other(value))
            && values.iter().any(|&value| one(value))
            && values.iter().any(|&value| other(value))
    }
}

/// What masks hold where nothing may be seen is at least as far from zero as this.
const HIDING: f32 = 100.0;
