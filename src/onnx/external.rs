//! Weights that stand in a file beside the model (`data_location: EXTERNAL`), as PyTorch writes them since 2.9.
//!
//! A model comes from outside and names its files itself, so a name that leads out of the model's folder is refused.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::error::Problem;
use super::model::PROTOBUF_LIMIT;
use super::proto::tensor_proto::DataLocation;
use super::proto::{ModelProto, StringStringEntryProto, TensorProto};
use super::tensor::{byte_count, is_external};
use super::walk;
use crate::{memory, systemd};

/// Data of fewer bytes stay in the graph, as the `onnx` package has it: shapes are read there without a look elsewhere.
pub(super) const LEAST: u64 = 1024;

/// Brings all external data into the model, and adds them to the digest in the order in which the tensors stand. Says
/// whether there were any.
pub(super) fn inline(model: &mut ModelProto, folder: &Path, digest: &mut Sha256) -> Result<bool, Problem> {
    // A file may have holes, and tensors may share its bytes, so that its size does not say how much memory they take.
    let (mut claimed, mut found) = (0u64, false);
    walk::tensors(model, &mut |tensor| {
        found |= is_external(tensor);
        claimed = claimed.saturating_add(if is_external(tensor) { byte_count(tensor)? } else { 0 });
        Ok(())
    })?;
    let free = memory::available().map_or(0, |bytes| bytes / 4 * 3).max(PROTOBUF_LIMIT);
    if claimed > free {
        return Err(Problem::Memory { bytes: claimed, free });
    }
    walk::tensors(model, &mut |tensor| {
        if is_external(tensor) {
            let data = read(tensor, folder)?;
            digest.update(&data);
            tensor.raw_data = Some(data.into());
            tensor.external_data.clear();
            tensor.data_location = None;
            systemd::alive();
        }
        Ok(())
    })?;
    Ok(found)
}

/// Takes the raw data out of a tensor, which says from then on that `length` bytes stand at `offset` in the file `location`.
pub(super) fn refer(tensor: &mut TensorProto, location: &str, offset: u64, length: u64) -> Option<Bytes> {
    let entry = |key: &str, value: String| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
    tensor.external_data = vec![
        entry("location", location.to_owned()),
        entry("offset", offset.to_string()),
        entry("length", length.to_string()),
    ];
    tensor.data_location = Some(DataLocation::External as i32);
    tensor.raw_data.take()
}

/// Refuses external data where no folder is known.
pub(super) fn refuse(model: &mut ModelProto) -> Result<(), Problem> {
    walk::tensors(model, &mut |tensor| {
        if is_external(tensor) {
            return Err(problem(tensor, "cannot be found for a model in memory; read the model from its file"));
        }
        Ok(())
    })
}

fn problem(tensor: &TensorProto, reason: impl Into<String>) -> Problem {
    let (name, location) = (tensor.name().to_owned(), entry(tensor, "location").unwrap_or_default().to_owned());
    Problem::External { name, location, reason: reason.into() }
}

fn entry<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    tensor.external_data.iter().find(|entry| entry.key() == key).map(|entry| entry.value())
}

fn number(tensor: &TensorProto, key: &str) -> Result<Option<u64>, Problem> {
    match entry(tensor, key) {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(problem(tensor, format!("has the {key} {text:?}, which is no number of bytes"))),
        },
    }
}

fn read(tensor: &TensorProto, folder: &Path) -> Result<Vec<u8>, Problem> {
    let mut file = open(tensor, folder)?;
    let size = file.metadata().map_err(|error| problem(tensor, format!("cannot be read: {error}")))?.len();
    let offset = number(tensor, "offset")?.unwrap_or(0);
    let wanted = byte_count(tensor)?;
    let length = match number(tensor, "length")? {
        Some(length) => length,
        // A file that is too short may still grow.
        None => size.saturating_sub(offset).max(wanted),
    };
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(problem(
            tensor,
            format!("holds {size} bytes, but {length} bytes from {offset} on are needed; copy the file again"),
        ));
    }
    if length != wanted {
        let (name, dims) = (tensor.name().to_owned(), tensor.dims.clone());
        return Err(Problem::WrongSize { name, dims, expected: wanted, found: length, unit: "bytes" });
    }
    let failed = |error: io::Error| problem(tensor, format!("cannot be read: {error}"));
    let mut data = Vec::new();
    data.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))
        .map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.take(length).read_to_end(&mut data)).map_err(failed)?;
    if data.len() as u64 != length {
        return Err(problem(tensor, "became shorter while it was read; wait until it is written"));
    }
    Ok(data)
}

fn open(tensor: &TensorProto, folder: &Path) -> Result<File, Problem> {
    let location = entry(tensor, "location").filter(|location| !location.is_empty());
    let location = Path::new(location.ok_or_else(|| problem(tensor, "names no file; export the model again"))?);
    let inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    if !location.components().all(inside) {
        return Err(problem(tensor, "leads out of the model's folder; put the file beside the model"));
    }
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            problem(tensor, format!("is missing in {}; copy it beside the model", folder.display()))
        }
        _ => problem(tensor, format!("cannot be read: {error}")),
    };
    // Links are followed, but only within the folder.
    let path = folder.join(location).canonicalize().map_err(failed)?;
    if !path.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(problem(tensor, "is a link out of the model's folder; put the file itself beside the model"));
    }
    if !path.is_file() {
        return Err(problem(tensor, "is no regular file; put the file beside the model"));
    }
    File::open(path).map_err(failed)
}
