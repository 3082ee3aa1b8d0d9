//! The optimiser's momentum, from step to step.
//!
//! It stands in a hidden safetensors file beside the checkpoint that it belongs to, and names that checkpoint's
//! SHA-256, so that it is never taken for another's. Training goes on without it, from rest.

use crate::optimiser::Optimiser;
use crate::stored;
use gleaner::files::PublishError;
use gleaner::ledger::{SCORES_ENDING, scores_beside};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use tch::{Kind, TchError, Tensor};

/// The key in the file's metadata under which the checkpoint's SHA-256 stands. It is the only key: safetensors writes
/// several in a random order.
const CHECKPOINT: &str = "checkpoint-sha256";
const SUFFIX: &str = ".optimizer.safetensors";

/// The state file of a checkpoint: `epoch-0003.onnx` has `.epoch-0003.optimizer.safetensors` beside it.
pub fn path_of(checkpoint: &Path) -> PathBuf {
    let stem = checkpoint.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    checkpoint.with_file_name(format!(".{stem}{SUFFIX}"))
}

/// Reads the velocities that belong to `checkpoint`, whose SHA-256 is `digest`.
///
/// # Errors
/// In words for a note: why there are none that can be used.
pub fn read(checkpoint: &Path, digest: &str) -> Result<BTreeMap<String, Vec<f32>>, String> {
    let path = path_of(checkpoint);
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no {}", path.display()),
        _ => format!("{} cannot be read: {error}", path.display()),
    })?;
    let damaged = |error: safetensors::SafeTensorError| format!("{} is damaged: {error}", path.display());
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let named = header.metadata().as_ref().and_then(|metadata| metadata.get(CHECKPOINT));
    if named.is_none_or(|named| named != digest) {
        return Err(format!("{} belongs to another checkpoint", path.display()));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let floats = tensors.tensors().into_iter().filter(|(_, view)| view.dtype() == Dtype::F32);
    Ok(floats.map(|(name, view)| (name, numbers(view.data()))).collect())
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

/// Writes the optimiser's velocities for `checkpoint`, whose SHA-256 will be `digest`.
pub fn write(optimiser: &Optimiser, checkpoint: &Path, digest: &str) -> Result<(), PublishError> {
    let metadata = HashMap::from([(CHECKPOINT.to_owned(), digest.to_owned())]);
    stored::write(&path_of(checkpoint), optimiser.velocities(), metadata)
}

/// A tensor's values on the processor, in row-major order.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let plain = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut values = vec![0.0; plain.numel()];
    plain.f_copy_data(&mut values, plain.numel())?;
    Ok(values)
}

/// Removes the state files in the checkpoint's folder and the scores that belong to them, but for those of the
/// checkpoints in `kept`: a state is as large as the weights, and only the newest is ever read, and the one before it if
/// its step is repeated. Scores without a state are another trainer's and stay.
pub fn prune(folder: &Path, kept: &[&Path]) -> std::io::Result<()> {
    let kept: Vec<PathBuf> =
        kept.iter().flat_map(|checkpoint| [path_of(checkpoint), scores_beside(checkpoint)]).collect();
    let is_kept = |name: &str| kept.iter().any(|path| path.file_name().is_some_and(|kept| kept == name));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        // What is ours has a name of text.
        names.extend(entry?.file_name().into_string());
    }
    let is_state = |name: &str| name.starts_with('.') && name.ends_with(SUFFIX);
    let belongs = |checkpoint: &str| {
        path_of(Path::new(checkpoint)).to_str().is_some_and(|state| names.iter().any(|name| name == state))
    };
    let are_scores = |name: &str| {
        name.strip_suffix(SCORES_ENDING).is_some_and(|stem| belongs(stem) || belongs(&format!("{stem}.onnx")))
    };
    // A state goes last: it is what says whose the scores are.
    let scores = names.iter().filter(|name| are_scores(name));
    for name in scores.chain(names.iter().filter(|name| is_state(name))).filter(|name| !is_kept(name)) {
        std::fs::remove_file(folder.join(name))?;
    }
    Ok(())
}
