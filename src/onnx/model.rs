//! A model in memory: reading, writing, and what it holds.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::LazyLock;

use prost::Message;
use sha2::{Digest, Sha256};

use super::element::{self, ElementType};
use super::error::{Error, Problem, Result};
use super::proto::{GraphProto, ModelProto, StringStringEntryProto};
use super::{Port, Tensor, check, external, lookup, tensor};
use crate::digest;

/// The most bytes that a protobuf message may have.
pub(super) const PROTOBUF_LIMIT: u64 = i32::MAX as u64;

/// An ONNX model that has been checked: its parts are there, its tensors have their bytes, its names are single, and
/// every value is made before it is used. Data from files beside the model are part of it.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) file: String,
    digest: String,
    pub(super) proto: ModelProto,
    /// Whether its weights stood in a file beside it.
    pub(super) beside: bool,
    /// Initializers whose numbers somebody else keeps.
    pub(super) lent: BTreeSet<String>,
}

impl Model {
    /// Reads and checks a model, with the data that stand in files beside it.
    ///
    /// # Errors
    /// [`Problem::Io`] and [`Problem::NotOnnx`] (also for a file that is cut off), and everything that is wrong with the
    /// tensors, the names, the order of the nodes or the external files.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let fail = |problem| Error::new(file.clone(), problem);
        let size = std::fs::metadata(path).map_err(|error| fail(Problem::Io(error)))?.len();
        if size > PROTOBUF_LIMIT {
            return Err(fail(Problem::TooLarge { bytes: size }));
        }
        let bytes = std::fs::read(path).map_err(|error| fail(Problem::Io(error)))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Self::decode(&file, &bytes, Some(folder))
    }

    /// Checks a model that is in memory. Its weights must be in it, too.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::decode("model in memory", bytes, None)
    }

    /// Checks a model that was put together from messages.
    ///
    /// # Errors
    /// As [`Model::from_bytes`].
    pub fn from_proto(proto: ModelProto) -> Result<Self> {
        Self::from_bytes(&proto.encode_to_vec())
    }

    fn decode(file: &str, bytes: &[u8], folder: Option<&Path>) -> Result<Self> {
        let fail = |problem| Error::new(file, problem);
        if bytes.is_empty() {
            return Err(fail(Problem::NotOnnx("the file is empty".to_owned())));
        }
        let mut proto = ModelProto::decode(bytes).map_err(|error| fail(Problem::NotOnnx(error.to_string())))?;
        let mut digest = Sha256::new();
        digest.update(bytes);
        let beside = match folder {
            Some(folder) => external::inline(&mut proto, folder, &mut digest),
            None => external::refuse(&mut proto).map(|()| false),
        }
        .map_err(fail)?;
        check::model(&mut proto).map_err(fail)?;
        let digest = digest::hexadecimal(&digest.finalize());
        Ok(Self { file: file.to_owned(), digest, proto, beside, lent: BTreeSet::new() })
    }

    /// SHA-256, in hexadecimal, of the bytes that the model was read from, external data included. An edit does not
    /// change it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The file that the model was read from, or "model in memory".
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The whole message.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// The version of the standard operators, if the model says it.
    pub fn opset(&self) -> Option<i64> {
        let standard = self.proto.opset_import.iter().find(|set| matches!(set.domain(), "" | "ai.onnx"));
        standard.map(|set| set.version())
    }

    /// The graph.
    pub fn graph(&self) -> &GraphProto {
        static NONE: LazyLock<GraphProto> = LazyLock::new(GraphProto::default);
        self.proto.graph.as_ref().unwrap_or(&NONE)
    }

    /// The graph, for editing. Nothing is checked again until the model is read.
    pub fn graph_mut(&mut self) -> &mut GraphProto {
        self.proto.graph.get_or_insert_default()
    }

    /// What must be fed to the graph: its inputs without those that are weights.
    pub fn inputs(&self) -> Vec<Port> {
        let graph = self.graph();
        let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name()).collect();
        graph.input.iter().filter(|input| !weights.contains(input.name())).map(Port::of).collect()
    }

    /// What the graph gives.
    pub fn outputs(&self) -> Vec<Port> {
        self.graph().output.iter().map(Port::of).collect()
    }

    /// The numbers of an initializer or of a Constant node.
    ///
    /// # Errors
    /// [`Problem::Missing`] if there is no such constant, [`Problem::ElementType`] if it holds no plain numbers.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let graph = self.graph();
        if let Some(initializer) = graph.initializer.iter().find(|tensor| tensor.name() == name) {
            return tensor::read(initializer).map_err(|problem| self.error(problem));
        }
        let constants = || graph.node.iter().filter(|node| node.op_type() == "Constant");
        if let Some(node) = constants().find(|node| node.output.iter().any(|output| output == name)) {
            return lookup::constant(node).map_err(|problem| self.error(problem));
        }
        let names = graph.initializer.iter().map(|tensor| tensor.name());
        let names = names.chain(constants().flat_map(|node| node.output.iter().map(String::as_str)));
        let near = lookup::nearest(name, names);
        Err(self.error(Problem::Missing { what: "initializer or constant", name: name.to_owned(), near }))
    }

    /// Gives an initializer of 32-bit floats new values, in row-major order and of the same shape.
    ///
    /// # Errors
    /// [`Problem::Missing`], [`Problem::ElementType`], [`Problem::Replace`].
    pub fn set_f32(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<()> {
        let file = self.file.clone();
        let fail = |problem| Err(Error::new(file, problem));
        let graph = self.graph_mut();
        let Some(old) = graph.initializer.iter_mut().find(|tensor| tensor.name() == name) else {
            let near = lookup::nearest(name, graph.initializer.iter().map(|tensor| tensor.name()));
            return fail(Problem::Missing { what: "initializer", name: name.to_owned(), near });
        };
        if old.data_type() != ElementType::Float as i32 {
            let (name, element) = (name.to_owned(), element::name(old.data_type()));
            return fail(Problem::ElementType { name, element, wanted: "only float weights can be replaced" });
        }
        let product = dims.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
        let same =
            old.dims.iter().map(|&extent| usize::try_from(extent).ok()).eq(dims.iter().map(|&extent| Some(extent)));
        if !same || product != Some(values.len()) {
            let (expected, found) = (old.dims.clone(), dims.to_vec());
            return fail(Problem::Replace { name: name.to_owned(), expected, found, values: values.len() });
        }
        let documentation = old.doc_string.take();
        *old = tensor::from_f32(name, dims, values);
        old.doc_string = documentation;
        self.lent.remove(name);
        Ok(())
    }

    /// The model's metadata, by key.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let entries = self.proto.metadata_props.iter();
        entries.map(|entry| (entry.key().to_owned(), entry.value().to_owned())).collect()
    }

    /// Sets one entry of the metadata; all entries are then in the order of their keys.
    pub fn set_metadata(&mut self, key: &str, value: &str) {
        let mut entries = self.metadata();
        entries.insert(key.to_owned(), value.to_owned());
        let entry = |(key, value)| StringStringEntryProto { key: Some(key), value: Some(value) };
        self.proto.metadata_props = entries.into_iter().map(entry).collect();
    }

    /// Keeps the entries of the metadata whose keys are wanted.
    pub(super) fn retain_metadata(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.proto.metadata_props.retain(|entry| is_wanted(entry.key()));
    }

    pub(super) fn error(&self, problem: Problem) -> Error {
        Error::new(self.file.clone(), problem)
    }
}
