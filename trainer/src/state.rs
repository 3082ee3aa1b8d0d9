//! What training goes on from besides the checkpoint: what the optimiser remembers of each weight, and, where checkpoints
//! hold averages, the weights themselves.
//!
//! It stands in a hidden safetensors file beside the checkpoint that it belongs to, and names that checkpoint's
//! SHA-256 and the settings that it makes sense with, so that it is never taken for another's. Training goes on without
//! it, from rest.

use crate::average::Average;
use crate::optimiser::Optimiser;
use crate::stored;
use gleaner::config::{OptimiserConfig, TrainConfig};
use gleaner::files::PublishError;
use gleaner::ledger::{SCORES_ENDING, scores_beside};
use gleaner::watch::Pattern;
use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tch::{Kind, TchError, Tensor};

/// The key in the file's metadata under which everything that is no tensor stands, as JSON. It is the only key:
/// safetensors writes several in a random order.
const ABOUT: &str = "gleaner";
const SUFFIX: &str = ".optimizer.safetensors";

/// The state file of a checkpoint: `epoch-0003.onnx` has `.epoch-0003.optimizer.safetensors` beside it.
pub fn path_of(checkpoint: &Path) -> PathBuf {
    let stem = checkpoint.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    checkpoint.with_file_name(format!(".{stem}{SUFFIX}"))
}

/// What the state's tensors mean, in words: with other settings they mean something else.
fn settings(recipe: &TrainConfig) -> String {
    let average = recipe.ema.map_or_else(|| "no ema".to_owned(), |decay| format!("ema {decay}"));
    match recipe.optimiser {
        OptimiserConfig::Sgd { momentum, nesterov } => {
            let kind = if nesterov { "Nesterov's momentum" } else { "momentum" };
            format!("sgd, {kind} {momentum}, {average}")
        }
        OptimiserConfig::AdamW { betas: [first, second], epsilon } => {
            format!("adamw, betas {first} and {second}, epsilon {epsilon}, {average}")
        }
    }
}

/// Everything that is remembered, by name; the very tensors.
fn remembered(optimiser: &Optimiser, average: Option<&Average>) -> Vec<(String, Tensor)> {
    let mut tensors = optimiser.remembered();
    tensors.extend(average.into_iter().flat_map(Average::remembered));
    tensors
}

/// Takes up what belongs to `checkpoint`, whose SHA-256 is `digest`. Returns why there is nothing that can be used, in words
/// for a note; then everything is as it was.
///
/// # Errors
/// libtorch could not take the values.
pub fn resume(
    optimiser: &mut Optimiser,
    average: Option<&mut Average>,
    recipe: &TrainConfig,
    checkpoint: &Path,
    digest: &str,
) -> Result<Option<String>, TchError> {
    let path = path_of(checkpoint);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some(format!("there is no {}", path.display())));
        }
        Err(error) => return Ok(Some(format!("{} cannot be read: {error}", path.display()))),
    };
    let tensors = remembered(optimiser, average.as_deref());
    let read = match fitting(&bytes, &tensors, &settings(recipe), digest) {
        Ok(read) => read,
        Err(reason) => return Ok(Some(format!("{} {reason}", path.display()))),
    };
    let _no_gradients = tch::no_grad_guard();
    // One at a time: together they may be four times as large as the weights.
    for ((_, mut tensor), bytes) in tensors.into_iter().zip(read.tensors) {
        tensor.f_copy_(&Tensor::f_from_slice(&numbers(bytes))?.f_reshape(tensor.size())?)?;
    }
    optimiser.resume(read.moves);
    if let Some(average) = average {
        average.resume(read.averaged);
    }
    Ok(None)
}

/// What a state file holds, with the bytes beside each tensor that asked for them.
struct Read<'a> {
    moves: u64,
    averaged: u64,
    tensors: Vec<&'a [u8]>,
}

/// Reads a state file, if it is whole, belongs to the checkpoint and has all that is asked for; or says what is wrong with it.
fn fitting<'a>(bytes: &'a [u8], wanted: &[(String, Tensor)], settings: &str, digest: &str) -> Result<Read<'a>, String> {
    let damaged = |error: safetensors::SafeTensorError| format!("is damaged: {error}");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let about = header.metadata().as_ref().and_then(|metadata| metadata.get(ABOUT));
    let about: Value = about.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let text = |key: &str| about.get(key).and_then(Value::as_str);
    if text("checkpoint") != Some(digest) {
        return Err("belongs to another checkpoint".to_owned());
    }
    if text("settings") != Some(settings) {
        let left = text("settings").unwrap_or_default();
        return Err(format!("was left by other settings ({left}), and now there are {settings}"));
    }
    let stored = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let count = |key: &str| about.get(key).and_then(Value::as_u64).ok_or_else(|| format!("does not say its {key}"));
    let mut tensors = Vec::new();
    for (name, tensor) in wanted {
        let view = stored.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32);
        let bytes = view.map(|view| view.data()).filter(|bytes| bytes.len() == 4 * tensor.numel());
        tensors.push(bytes.ok_or_else(|| "does not fit the graph".to_owned())?);
    }
    Ok(Read { moves: count("moves")?, averaged: count("averaged")?, tensors })
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

/// Writes what belongs to `checkpoint`, whose SHA-256 will be `digest`.
pub fn write(
    optimiser: &Optimiser,
    average: Option<&Average>,
    recipe: &TrainConfig,
    checkpoint: &Path,
    digest: &str,
) -> Result<(), PublishError> {
    let about = json!({
        "checkpoint": digest,
        "settings": settings(recipe),
        "moves": optimiser.moves(),
        "averaged": average.map_or(0, Average::moves),
    });
    let tensors = remembered(optimiser, average);
    let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    stored::write(&path_of(checkpoint), tensors, HashMap::from([(ABOUT.to_owned(), about.to_string())]))
}

/// A tensor's values on the processor, in row-major order.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let plain = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut values = vec![0.0; plain.numel()];
    plain.f_copy_data(&mut values, plain.numel())?;
    Ok(values)
}

/// Removes the state files of checkpoints whose names follow the pattern from their folder, and the scores that belong to
/// them, but for those of the checkpoints in `kept`: a state is as large as the weights, and only the newest is ever read,
/// and the one before it if its step is repeated. Scores without a state are another trainer's and stay, as does all that
/// has other names: it is another run's.
pub fn prune(folder: &Path, pattern: &Pattern, kept: &[&Path]) -> std::io::Result<()> {
    let kept: Vec<PathBuf> =
        kept.iter().flat_map(|checkpoint| [path_of(checkpoint), scores_beside(checkpoint)]).collect();
    let is_kept = |name: &str| kept.iter().any(|path| path.file_name().is_some_and(|kept| kept == name));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        // What is ours has a name of text.
        names.extend(entry?.file_name().into_string());
    }
    let ending = pattern.to_string();
    let ending = Path::new(&ending).extension().map(|ending| format!(".{}", ending.to_string_lossy()));
    let is_state = |name: &str| {
        let stem = name.strip_prefix('.').and_then(|name| name.strip_suffix(SUFFIX));
        let checkpoint = stem.map(|stem| stem.to_owned() + ending.as_deref().unwrap_or_default());
        checkpoint.is_some_and(|name| pattern.epoch_of(OsStr::new(&name)).is_some())
    };
    let belongs = |checkpoint: &str| {
        let state = path_of(Path::new(checkpoint));
        state.to_str().is_some_and(|state| is_state(state) && names.iter().any(|name| name == state))
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
