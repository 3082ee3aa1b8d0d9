//! Lists of integers that shape a computation: axes, extents, positions.

use super::super::reader::{Reader, Refusal};
use super::Inputs;
use crate::graph::Fault;
use tch::{Device, Kind, TchError, Tensor};

/// A list of integers that a node is given as an attribute, as a constant or by another node.
pub(super) enum Integers {
    /// Known beforehand; nothing if the node leaves it out.
    Fixed(Option<Vec<i64>>),
    /// Computed in the graph, as this input.
    Computed(usize),
}

impl Integers {
    /// An input.
    pub(super) fn input(node: &Reader<'_>, index: usize) -> Result<Self, Refusal> {
        if !node.has_input(index) {
            return Ok(Self::Fixed(None));
        }
        match node.constant(index) {
            Some(tensor) => {
                integers(tensor).map(Some).map(Self::Fixed).map_err(|error| Refusal::new(error.to_string()))
            }
            None => Ok(Self::Computed(index)),
        }
    }

    /// What is an attribute before version `since` of the operator set, and an input afterwards.
    pub(super) fn read(node: &mut Reader<'_>, name: &str, since: i64, index: usize) -> Result<Self, Refusal> {
        if node.opset < since { Ok(Self::Fixed(node.integers(name)?)) } else { Self::input(node, index) }
    }

    /// The list, if the node has it.
    pub(super) fn of(&self, inputs: Inputs<'_>) -> Result<Option<Vec<i64>>, Fault> {
        match self {
            Self::Fixed(values) => Ok(values.clone()),
            Self::Computed(index) => inputs.maybe(*index).map(integers).transpose().map_err(Fault::from),
        }
    }

    /// The list, which the node must have.
    pub(super) fn get(&self, inputs: Inputs<'_>, what: &str) -> Result<Vec<i64>, Fault> {
        self.of(inputs)?.ok_or_else(|| Fault::Other(format!("{what} is missing; export the model again")))
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

/// A list of numbers that a node is given as a constant or by another node.
pub(super) enum Numbers {
    /// Known beforehand; nothing if the node leaves it out.
    Fixed(Option<Vec<f64>>),
    /// Computed in the graph, as this input.
    Computed(usize),
}

impl Numbers {
    /// An input.
    pub(super) fn input(node: &Reader<'_>, index: usize) -> Result<Self, Refusal> {
        match node.constant(index) {
            Some(tensor) => numbers(tensor).map(Some).map(Self::Fixed).map_err(|error| Refusal::new(error.to_string())),
            None if node.has_input(index) => Ok(Self::Computed(index)),
            None => Ok(Self::Fixed(None)),
        }
    }

    /// The list, if the node has it.
    pub(super) fn of(&self, inputs: Inputs<'_>) -> Result<Option<Vec<f64>>, Fault> {
        match self {
            Self::Fixed(values) => Ok(values.clone()),
            Self::Computed(index) => inputs.maybe(*index).map(numbers).transpose().map_err(Fault::from),
        }
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, TchError> {
    let plain = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
    let mut values = vec![0.0; plain.numel()];
    plain.f_copy_data(&mut values, plain.numel())?;
    Ok(values)
}

/// The numbers of a tensor of integers, in row-major order.
pub(super) fn integers(tensor: &Tensor) -> Result<Vec<i64>, TchError> {
    let plain = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Int64)?.f_contiguous()?;
    let mut values = vec![0; plain.numel()];
    plain.f_copy_data(&mut values, plain.numel())?;
    Ok(values)
}

fn number(tensor: &Tensor) -> Result<f64, TchError> {
    f64::try_from(tensor.f_detach()?.f_reshape([-1])?)
}
