//! Tensors in a safetensors file. Each is fetched as it is put there, so that besides the file there is only one of them in
//! memory.

use crate::state::values;
use gleaner::files::{PublishError, publish};
use safetensors::tensor::{Dtype, View};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use tch::{TchError, Tensor};

/// Writes tensors under their names, as 32-bit floats. Of `metadata` there should be one entry: safetensors writes several in
/// a random order.
///
/// # Errors
/// A file that cannot be written, and values that libtorch does not give.
pub fn write<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: HashMap<String, String>,
) -> Result<(), PublishError> {
    let fault = RefCell::new(None);
    let stored = tensors.into_iter().map(|(name, tensor)| (name, Stored::of(tensor, &fault)));
    publish(path, |writer| {
        let encoded = safetensors::serialize(stored, Some(metadata)).map_err(io::Error::other)?;
        fault.take().map_or(Ok(()), |fault| Err(io::Error::other(fault)))?;
        writer.write_all(&encoded)
    })
}

/// A tensor whose values are fetched when they are written.
struct Stored<'a> {
    tensor: &'a Tensor,
    shape: Vec<usize>,
    /// Why libtorch did not give values; there is no other way out of [`View::data`].
    fault: &'a RefCell<Option<TchError>>,
}

impl<'a> Stored<'a> {
    fn of(tensor: &'a Tensor, fault: &'a RefCell<Option<TchError>>) -> Self {
        let shape = tensor.size().iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
        Self { tensor, shape, fault }
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = values(self.tensor).unwrap_or_else(|error| {
            self.fault.replace(Some(error));
            Vec::new()
        });
        values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * size_of::<f32>()
    }
}
