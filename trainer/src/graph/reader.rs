//! Reading one node: its attributes, and the refusal of everything that nobody asked for.

use super::ops::Compute;
use gleaner::onnx::proto::{AttributeProto, NodeProto, TensorProto, attribute_proto::AttributeType};
use std::collections::{BTreeMap, BTreeSet};
use tch::Tensor;

/// Why a node cannot be trained, in words that follow its name.
#[derive(Debug)]
pub(super) struct Refusal(pub String);

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// The values that stand in the model, by name.
pub(super) type Constants = BTreeMap<String, Tensor>;

/// A node, read item by item. What is left unread at the end is refused.
pub(super) struct Reader<'a> {
    node: &'a NodeProto,
    /// The version of ONNX's operator set that says what the node means.
    pub opset: i64,
    constants: &'a Constants,
    copies: &'a BTreeSet<String>,
    used: &'a BTreeSet<String>,
    unread: BTreeMap<&'a str, &'a AttributeProto>,
}

impl<'a> Reader<'a> {
    /// `copies` are the names of constants in other shapes; `used` those of all values that some node or output
    /// reads.
    pub(super) fn new(
        node: &'a NodeProto,
        opset: i64,
        constants: &'a Constants,
        copies: &'a BTreeSet<String>,
        used: &'a BTreeSet<String>,
    ) -> Self {
        let unread = node.attribute.iter().map(|attribute| (attribute.name(), attribute)).collect();
        Self { node, opset, constants, copies, used, unread }
    }

    fn take(&mut self, name: &str, wanted: AttributeType) -> Result<Option<&'a AttributeProto>, Refusal> {
        let Some(attribute) = self.unread.remove(name) else { return Ok(None) };
        let found = attribute.r#type();
        if found != wanted && found != AttributeType::Undefined {
            return Err(Refusal::new(format!(
                "attribute {name:?} is of type {}, not {}",
                found.as_str_name(),
                wanted.as_str_name()
            )));
        }
        Ok(Some(attribute))
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        Ok(self.take(name, AttributeType::Int)?.map(AttributeProto::i))
    }

    pub(super) fn integers(&mut self, name: &str) -> Result<Option<Vec<i64>>, Refusal> {
        Ok(self.take(name, AttributeType::Ints)?.map(|attribute| attribute.ints.clone()))
    }

    pub(super) fn float(&mut self, name: &str) -> Result<Option<f64>, Refusal> {
        Ok(self.take(name, AttributeType::Float)?.map(|attribute| f64::from(attribute.f())))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let attribute = self.take(name, AttributeType::String)?;
        Ok(attribute.map(|attribute| String::from_utf8_lossy(attribute.s()).into_owned()))
    }

    /// A tensor.
    pub(super) fn tensor(&mut self, name: &str) -> Result<Option<&'a TensorProto>, Refusal> {
        Ok(self.take(name, AttributeType::Tensor)?.and_then(|attribute| attribute.t.as_ref()))
    }

    /// An attribute that may be there, but only with one value.
    pub(super) fn only(&mut self, name: &str, allowed: i64) -> Result<(), Refusal> {
        match self.integer(name)? {
            Some(value) if value != allowed => {
                Err(Refusal::new(format!("attribute {name:?} is {value}, but only {allowed} is supported")))
            }
            _ => Ok(()),
        }
    }

    /// An attribute that changes nothing here.
    pub(super) fn ignore(&mut self, name: &str) {
        self.unread.remove(name);
    }

    /// How many inputs the node names.
    pub(super) fn input_count(&self) -> usize {
        self.node.input.len()
    }

    /// How many outputs the node names.
    pub(super) fn output_count(&self) -> usize {
        self.node.output.len()
    }

    /// Whether an input is there.
    pub(super) fn has_input(&self, index: usize) -> bool {
        self.node.input.get(index).is_some_and(|name| !name.is_empty())
    }

    /// The value of an input that stands in the model.
    pub(super) fn constant(&self, index: usize) -> Option<&'a Tensor> {
        self.node.input.get(index).and_then(|name| self.constants.get(name))
    }

    /// Whether an input stands in the model, by itself or as a copy.
    pub(super) fn is_stored(&self, index: usize) -> bool {
        self.node.input.get(index).is_some_and(|name| self.constants.contains_key(name) || self.copies.contains(name))
    }

    /// Whether an output is there and something reads it.
    pub(super) fn output_is_used(&self, index: usize) -> bool {
        self.node.output.get(index).is_some_and(|name| !name.is_empty() && self.used.contains(name.as_str()))
    }

    /// Refuses attributes that nothing has read and further outputs that something reads.
    pub(super) fn finish(self, compute: &Compute) -> Result<(), Refusal> {
        if let Some(name) = self.unread.keys().next() {
            return Err(Refusal::new(format!("attribute {name:?} is not supported")));
        }
        if matches!(compute, Compute::Several(_)) {
            return Ok(());
        }
        let further = (1..self.output_count()).find(|&index| self.output_is_used(index));
        match further.and_then(|index| self.node.output.get(index)) {
            None => Ok(()),
            Some(name) => Err(Refusal::new(format!("its output {name:?} is used, but only the first one is computed"))),
        }
    }
}
