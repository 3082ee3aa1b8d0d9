//! Reading one node: attributes, constant inputs, and the refusal of everything that nobody asked for.

use gleaner::onnx::proto::{AttributeProto, NodeProto, attribute_proto::AttributeType};
use std::collections::{BTreeMap, BTreeSet};

/// Why a node cannot be trained, in words that follow its name.
#[derive(Debug)]
pub(super) struct Refusal(pub String);

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Constant values of the graph that shape the computation rather than flow through it.
#[derive(Debug, Default)]
pub(super) struct Constants {
    pub integers: BTreeMap<String, Vec<i64>>,
    pub floats: BTreeMap<String, Vec<f32>>,
}

/// A node, read item by item. What is left unread at the end is refused.
pub(super) struct Reader<'a> {
    node: &'a NodeProto,
    /// The version of ONNX's operator set that says what the node means.
    pub opset: i64,
    constants: &'a Constants,
    used: &'a BTreeSet<String>,
    unread: BTreeMap<&'a str, &'a AttributeProto>,
}

impl<'a> Reader<'a> {
    /// `used` are the names of all values that some node or output reads.
    pub(super) fn new(node: &'a NodeProto, opset: i64, constants: &'a Constants, used: &'a BTreeSet<String>) -> Self {
        let unread = node.attribute.iter().map(|attribute| (attribute.name(), attribute)).collect();
        Self { node, opset, constants, used, unread }
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

    /// The name of an input that is there.
    pub(super) fn input(&self, index: usize) -> Option<&'a str> {
        self.node.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The integers of an input that must be constant, if it is there.
    pub(super) fn constant_integers(&self, index: usize, what: &str) -> Result<Option<Vec<i64>>, Refusal> {
        self.constant(index, what, &self.constants.integers)
    }

    /// The single number of an input that must be constant, if it is there.
    pub(super) fn constant_float(&self, index: usize, what: &str) -> Result<Option<f64>, Refusal> {
        match self.constant(index, what, &self.constants.floats)?.as_deref() {
            None => Ok(None),
            Some([value]) => Ok(Some(f64::from(*value))),
            Some(values) => Err(Refusal::new(format!("{what} has {} values instead of one", values.len()))),
        }
    }

    fn constant<T: Clone>(
        &self,
        index: usize,
        what: &str,
        among: &BTreeMap<String, Vec<T>>,
    ) -> Result<Option<Vec<T>>, Refusal> {
        let Some(name) = self.input(index) else { return Ok(None) };
        among.get(name).cloned().map(Some).ok_or_else(|| {
            Refusal::new(format!(
                "{what} ({name:?}) is computed in the graph, but only a constant is supported; \
                 simplify the model (for example with onnxsim) or export it again"
            ))
        })
    }

    /// Refuses attributes that nothing has read and further outputs that something reads.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if let Some(name) = self.unread.keys().next() {
            return Err(Refusal::new(format!("attribute {name:?} is not supported")));
        }
        match self.node.output.iter().skip(1).find(|name| !name.is_empty() && self.used.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Refusal::new(format!("its output {name:?} is used, but only the first one is computed"))),
        }
    }
}
