//! Lists that shape a computation: axes, extents, positions, scales.

use super::super::reader::{Reader, Refusal};
use super::Inputs;
use crate::graph::Fault;
use tch::kind::Element;
use tch::{Device, TchError, Tensor};

/// A list that a node is given as an attribute, as a constant or by another node.
pub(super) enum List<T> {
    /// Known beforehand; nothing if the node leaves it out.
    Fixed(Option<Vec<T>>),
    /// Computed in the graph, as this input.
    Computed(usize),
}

/// Axes, extents, positions.
pub(super) type Integers = List<i64>;

/// Scales.
pub(super) type Numbers = List<f64>;

/// What a list may hold.
pub(super) trait Entry: Element + Clone + Default {}

impl Entry for i64 {}
impl Entry for f64 {}

impl<T: Entry> List<T> {
    /// An input.
    pub(super) fn input(node: &Reader<'_>, index: usize) -> Result<Self, Refusal> {
        if !node.has_input(index) {
            return Ok(Self::Fixed(None));
        }
        match node.constant(index) {
            Some(tensor) => entries(tensor).map(Some).map(Self::Fixed).map_err(|error| Refusal::new(error.to_string())),
            None => Ok(Self::Computed(index)),
        }
    }

    /// The list, if the node has it.
    pub(super) fn of(&self, inputs: Inputs<'_>) -> Result<Option<Vec<T>>, Fault> {
        match self {
            Self::Fixed(values) => Ok(values.clone()),
            Self::Computed(index) => inputs.maybe(*index).map(entries).transpose().map_err(Fault::from),
        }
    }

    /// The list, which the node must have.
    pub(super) fn get(&self, inputs: Inputs<'_>, what: &str) -> Result<Vec<T>, Fault> {
        self.of(inputs)?.ok_or_else(|| Fault::Other(format!("{what} is missing; export the model again")))
    }
}

impl Integers {
    /// What is an attribute before version `since` of the operator set, and an input afterwards.
    pub(super) fn read(node: &mut Reader<'_>, name: &str, since: i64, index: usize) -> Result<Self, Refusal> {
        if node.opset < since { Ok(Self::Fixed(node.integers(name)?)) } else { Self::input(node, index) }
    }
}

/// A single number that a node is given as a constant or by another node.
pub(super) enum Number {
    /// Known beforehand.
    Fixed(f64),
    /// Computed in the graph, as this input.
    Computed(usize),
}

impl Number {
    /// An input, if the node has it.
    pub(super) fn input(node: &Reader<'_>, index: usize) -> Result<Option<Self>, Refusal> {
        if !node.has_input(index) {
            return Ok(None);
        }
        match node.constant(index).filter(|tensor| tensor.numel() == 1) {
            Some(tensor) => {
                let value = number(tensor).map_err(|error| Refusal::new(error.to_string()))?;
                Ok(Some(Self::Fixed(value)))
            }
            None => Ok(Some(Self::Computed(index))),
        }
    }

    pub(super) fn of(&self, inputs: Inputs<'_>) -> Result<f64, Fault> {
        match self {
            Self::Fixed(value) => Ok(*value),
            Self::Computed(index) => Ok(number(inputs.get(*index)?)?),
        }
    }
}

/// The entries of a tensor, in row-major order.
fn entries<T: Entry>(tensor: &Tensor) -> Result<Vec<T>, TchError> {
    let plain = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(T::KIND)?.f_contiguous()?;
    let mut values = vec![T::default(); plain.numel()];
    plain.f_copy_data(&mut values, plain.numel())?;
    Ok(values)
}

fn number(tensor: &Tensor) -> Result<f64, TchError> {
    f64::try_from(tensor.f_detach()?.f_reshape([-1])?)
}
