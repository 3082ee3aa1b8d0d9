//! The process's one ONNX Runtime.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use super::ScoreError;
use crate::libraries::{self, ONNX_RUNTIME};

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
