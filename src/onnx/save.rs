//! Writing a model: as one file, or as a graph with its weights in a file beside it.
//!
//! A model keeps the form in which it came, because whoever uses it knows that form. What one file cannot hold gets a file
//! of weights in any case. Weights go to that file one after the other, so that writing them takes the memory of one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};

use super::error::{Error, Problem, Result};
use super::external::{self, LEAST};
use super::model::PROTOBUF_LIMIT;
use super::proto::{ModelProto, TensorProto};
use super::tensor::byte_count;
use super::{ElementType, Model, lookup};
use crate::digest::hexadecimal;
use crate::files::{self, Prepared, PublishError};

/// Where data may begin in a file of weights: `onnx.proto` asks for multiples of a page, so that they can be mapped.
const PAGE: u64 = 4096;
/// What a tensor's message takes besides its name, shape and data.
const FRAME: u64 = 16;

/// Gives the numbers of a weight that was lent, by its name, in row-major order.
pub type Lender<'a> = dyn Fn(&str) -> io::Result<Vec<f32>> + 'a;

/// Where the weights of the model `path` stand if they stand beside it: `epoch-0007.onnx.data`.
pub fn data_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".data");
    name.into()
}

/// A model that stands whole on the disk under temporary names. Dropped, it is gone.
#[derive(Debug)]
#[must_use = "a prepared model is gone unless it is published"]
pub struct PreparedModel {
    path: PathBuf,
    digest: String,
    data: Option<Prepared>,
    graph: Prepared,
}

impl PreparedModel {
    /// What [`Model::digest`] will say when it is read.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Lets the model take its place, its weights first: whoever sees the graph sees its weights.
    ///
    /// # Errors
    /// [`Problem::Publish`].
    pub fn publish(self) -> Result<()> {
        let failed = |error: PublishError| Error::new(self.path.display().to_string(), error.into());
        if let Some(data) = self.data {
            // A graph that stood here before must not be seen with weights that are not its own.
            match fs::remove_file(&self.path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(PublishError { path: self.path.clone(), source }));
                }
                _ => data.publish().map_err(failed)?,
            }
        }
        self.graph.publish().map_err(failed)
    }
}

impl Model {
    /// The model as the bytes of an ONNX file, all weights included; equal models give equal bytes.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] beyond 2 GiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        encode(&self.proto).map_err(|problem| self.error(problem))
    }

    /// Bytes of the model as one file, all weights included.
    pub fn encoded_len(&self) -> u64 {
        let lent = self.proto.graph.iter().flat_map(|graph| &graph.initializer);
        let lent = lent.filter(|tensor| self.lent.contains(tensor.name()));
        let lent = lent.map(|tensor| byte_count(tensor).unwrap_or(0).saturating_add(FRAME));
        lent.fold(self.proto.encoded_len() as u64, u64::saturating_add)
    }

    /// Whether one file can hold the model.
    pub fn fits_one_file(&self) -> bool {
        self.encoded_len() <= PROTOBUF_LIMIT
    }

    /// Writes the model, atomically, in the form in which it came: into one file, or with its weights in a file beside it
    /// ([`data_beside`]), which a model that does not fit one file gets in any case.
    ///
    /// # Errors
    /// [`Problem::Publish`], and [`Problem::TooLarge`] if the graph alone is beyond 2 GiB.
    pub fn write(&self, path: &Path) -> Result<()> {
        let kept = |name: &str| Err(io::Error::other(format!("the numbers of {name:?} are lent")));
        self.prepare(path, &kept)?.publish()
    }

    /// Lets go of the numbers of a weight of 32-bit floats, for somebody who keeps them from now on: they are asked for
    /// when the model is written.
    ///
    /// # Errors
    /// [`Problem::Missing`] if there is no such weight.
    pub fn lend(&mut self, name: &str) -> Result<()> {
        let graph = self.graph_mut();
        let floats = |tensor: &&mut TensorProto| tensor.data_type() == ElementType::Float as i32;
        let Some(tensor) = graph.initializer.iter_mut().filter(floats).find(|tensor| tensor.name() == name) else {
            let near = lookup::nearest(name, graph.initializer.iter().map(|tensor| tensor.name()));
            return Err(self.error(Problem::Missing { what: "initializer", name: name.to_owned(), near }));
        };
        let TensorProto { name: named, dims, data_type, doc_string, .. } = std::mem::take(tensor);
        *tensor = TensorProto { name: named, dims, data_type, doc_string, ..Default::default() };
        self.lent.insert(name.to_owned());
        Ok(())
    }

    /// The first half of [`Model::write`], for a model of which weights are lent.
    ///
    /// # Errors
    /// As [`Model::write`], and whatever the lender says.
    pub fn prepare(&self, path: &Path, lender: &Lender) -> Result<PreparedModel> {
        let prepared =
            if self.beside || !self.fits_one_file() { self.as_two(path, lender) } else { self.as_one(path, lender) };
        prepared.map_err(|problem| Error::new(path.display().to_string(), problem))
    }

    fn as_one(&self, path: &Path, lender: &Lender) -> Result<PreparedModel, Problem> {
        let mut whole = self.proto.clone();
        for tensor in initializers(&mut whole).filter(|tensor| self.lent.contains(tensor.name())) {
            tensor.raw_data = Some(borrow(tensor, lender, path)?);
        }
        let bytes = encode(&whole)?;
        let graph = files::prepare(path, |writer| writer.write_all(&bytes))?;
        let digest = hexadecimal(&Sha256::digest(&bytes));
        Ok(PreparedModel { path: path.to_owned(), digest, data: None, graph })
    }

    fn as_two(&self, path: &Path, lender: &Lender) -> Result<PreparedModel, Problem> {
        let data_path = data_beside(path);
        let no_text = || io::Error::new(io::ErrorKind::InvalidInput, "its name is no text; choose another");
        let failed = |source| PublishError { path: path.to_owned(), source };
        let location = data_path.file_name().and_then(|name| name.to_str()).ok_or_else(|| failed(no_text()))?;
        let mut proto = self.proto.clone();
        let mut placed: Vec<Placed> = Vec::new();
        for tensor in initializers(&mut proto) {
            let (length, lent) = (byte_count(tensor)?, self.lent.contains(tensor.name()));
            if length < LEAST && lent {
                tensor.raw_data = Some(borrow(tensor, lender, path)?);
            } else if length >= LEAST && (lent || tensor.raw_data.is_some()) {
                let offset = placed.last().map_or(0, |last| (last.offset + last.length).next_multiple_of(PAGE));
                let kept = external::refer(tensor, location, offset, length);
                placed.push(Placed { tensor: tensor.clone(), kept, offset, length });
            }
        }
        let bytes = encode(&proto)?;
        let mut digest = Sha256::new();
        digest.update(&bytes);
        let data = files::prepare(&data_path, |writer| {
            let mut end = 0;
            for Placed { tensor, kept, offset, length } in placed {
                pad(writer, offset - end)?;
                let data =
                    kept.map_or_else(|| borrow(&tensor, lender, &data_path).map_err(|error| error.source), Ok)?;
                digest.update(&data);
                writer.write_all(&data)?;
                end = offset + length;
            }
            Ok(())
        })?;
        let graph = files::prepare(path, |writer| writer.write_all(&bytes))?;
        let digest = hexadecimal(&digest.finalize());
        Ok(PreparedModel { path: path.to_owned(), digest, data: Some(data), graph })
    }

    /// Takes the weights out of the graph, for a runtime that is handed them beside it: each as a file, by the name under
    /// which the graph asks for it.
    pub fn take_weights(&mut self) -> Vec<(String, Bytes)> {
        let mut taken = Vec::new();
        for tensor in initializers(&mut self.proto) {
            let length = tensor.raw_data.as_ref().map_or(0, |data| data.len() as u64);
            if length >= LEAST {
                let location = taken.len().to_string();
                taken.extend(external::refer(tensor, &location, 0, length).map(|data| (location, data)));
            }
        }
        taken
    }
}

/// Data on their way to a file of weights: those that the model keeps, or else the lender's.
struct Placed {
    tensor: TensorProto,
    kept: Option<Bytes>,
    offset: u64,
    length: u64,
}

fn initializers(proto: &mut ModelProto) -> impl Iterator<Item = &mut TensorProto> {
    proto.graph.iter_mut().flat_map(|graph| &mut graph.initializer)
}

/// The raw data of a weight that was lent.
fn borrow(tensor: &TensorProto, lender: &Lender, path: &Path) -> Result<Bytes, PublishError> {
    let failed = |source| PublishError { path: path.to_owned(), source };
    let values = lender(tensor.name()).map_err(failed)?;
    let data: Bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let expected = byte_count(tensor).unwrap_or(0);
    if data.len() as u64 == expected {
        return Ok(data);
    }
    let (name, found) = (tensor.name(), data.len());
    Err(failed(io::Error::other(format!("weight {name:?} came back with {found} bytes instead of {expected}"))))
}

fn encode(proto: &ModelProto) -> Result<Vec<u8>, Problem> {
    let bytes = proto.encoded_len() as u64;
    if bytes > PROTOBUF_LIMIT { Err(Problem::TooLarge { bytes }) } else { Ok(proto.encode_to_vec()) }
}

fn pad(writer: &mut BufWriter<File>, count: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), count), writer).map(drop)
}
