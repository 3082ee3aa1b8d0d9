//! Any tensor as a file of NumPy's format, in its own type.

use crate::npy;
use anyhow::Context;
use gleaner::files;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use tch::{Device, Kind, TchError, Tensor};

/// Names of values become longer than names of files may be, with room for what tells two of them apart.
const LONGEST: usize = 100;

/// Names of files for values, whose own names may hold slashes and everything else. No two values get names that are the
/// same, not even where capitals do not count.
#[derive(Debug, Default)]
pub struct Files {
    of_values: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Files {
    /// The file of this value: always the same one.
    pub fn of(&mut self, value: &str) -> String {
        if let Some(file) = self.of_values.get(value) {
            return file.clone();
        }
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-.".contains(letter) { letter } else { '_' };
        // A name that begins with a dot would be a hidden file.
        let stem: String = value.chars().take(LONGEST).map(plain).collect();
        let stem = if stem.starts_with('.') || stem.is_empty() { format!("_{stem}") } else { stem };
        let mut file = format!("{stem}.npy");
        let mut number = 2_usize;
        while !self.taken.insert(file.to_ascii_lowercase()) {
            file = format!("{stem}-{number}.npy");
            number += 1;
        }
        self.of_values.insert(value.to_owned(), file.clone());
        file
    }
}

/// Writes a tensor as a .npy file of its own type. NumPy has no bfloat16, so that becomes float32, which holds the same
/// numbers.
///
/// # Errors
/// The disk, and types that do not occur in ONNX.
pub fn publish(tensor: &Tensor, path: &Path) -> anyhow::Result<()> {
    let widened = if tensor.kind() == Kind::BFloat16 { Some(tensor.f_to_kind(Kind::Float)?) } else { None };
    let tensor = widened.as_ref().unwrap_or(tensor);
    let dtype = dtype(tensor.kind()).with_context(|| {
        format!(
            "{}: NumPy has no type for {:?}; leave out `--all`, or cast this value in the graph",
            path.display(),
            tensor.kind()
        )
    })?;
    let shape: Vec<usize> = tensor.size().iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
    let bytes = bytes(tensor)?;
    files::publish(path, |writer| {
        npy::write_header(dtype, &shape, writer)?;
        writer.write_all(&bytes)
    })?;
    Ok(())
}

/// NumPy's name of a type, on a machine that stores numbers with the lowest byte first, as libtorch's all do.
fn dtype(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Float => "<f4",
        Kind::Double => "<f8",
        Kind::Half => "<f2",
        Kind::Int64 => "<i8",
        Kind::Int => "<i4",
        Kind::Int16 => "<i2",
        Kind::Int8 => "|i1",
        Kind::Uint8 => "|u1",
        Kind::Bool => "|b1",
        _ => return None,
    })
}

/// The elements on the processor, in row-major order.
fn bytes(tensor: &Tensor) -> Result<Vec<u8>, TchError> {
    let plain = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; plain.numel() * plain.kind().elt_size_in_bytes()];
    plain.f_copy_data_u8(&mut bytes, plain.numel())?;
    Ok(bytes)
}
