//! The process's one ONNX Runtime.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use super::ScoreError;
use crate::libraries::{self, LIBTORCH, ONNX_RUNTIME};

/// The environment that every session of this process shares, once it is loaded.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Loads `libonnxruntime.so` if that has not happened yet.
///
/// Errors: the library is missing, or is not one that can be loaded.
pub(super) fn environment() -> Result<Environment, ScoreError> {
    let mut shared = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*shared {
        return Ok(environment.clone());
    }
    let library = libraries::find(ONNX_RUNTIME)?;
    let unusable = |reason: String| ScoreError::Library { library: library.clone(), reason };
    let loaded = ort::init_from(&library)
        .map_err(|error| unusable(error.to_string()))?
        .with_telemetry(false)
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    Ok(shared.insert(loaded).clone())
}

/// Where ONNX Runtime was found and what it says of its build.
pub fn describe() -> Result<(PathBuf, String), ScoreError> {
    environment()?;
    Ok((libraries::find(ONNX_RUNTIME)?, ort::info().to_owned()))
}

/// Whether the ONNX Runtime that is loaded was built for NVIDIA GPUs: its provider stands beside it.
pub(super) fn has_cuda() -> Result<bool, ScoreError> {
    let library = libraries::find(ONNX_RUNTIME)?;
    // Staged under a short name, it is a link to where its providers stand as well.
    let folder = library.canonicalize().unwrap_or(library).with_file_name("");
    Ok(folder.join("libonnxruntime_providers_cuda.so").is_file())
}

/// What the CUDA provider links to, in the order in which they need each other.
const CUDA_LIBRARIES: [&str; 14] = [
    "libcudart.so",
    "libnvrtc.so",
    "libnvJitLink.so",
    "libcublasLt.so",
    "libcublas.so",
    "libcufft.so",
    "libcurand.so",
    "libcudnn_graph.so",
    "libcudnn_ops.so",
    "libcudnn_cnn.so",
    "libcudnn_adv.so",
    "libcudnn_engines_precompiled.so",
    "libcudnn_heuristic.so",
    "libcudnn.so",
];

/// Loads the CUDA libraries that are staged with libtorch, so that ONNX Runtime's provider finds them by name.
///
/// One that is not there may be known to the system's loader; if not, the provider's own message says so.
pub(super) fn preload_cuda() {
    let Ok(torch) = libraries::find(LIBTORCH) else { return };
    let folder = torch.with_file_name("");
    let Ok(entries) = folder.read_dir() else { return };
    let names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    for wanted in CUDA_LIBRARIES {
        for name in names.iter().filter(|name| name.starts_with(wanted)) {
            let _ = ort::util::preload_dylib(folder.join(name));
        }
    }
}
