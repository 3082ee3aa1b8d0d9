//! What the fuzz targets share.

use std::path::Path;

use gleaner::onnx::{self, Arithmetic, Classifier, Embedding, Model, PixelInput, Report};
use tempfile::TempDir;

/// A folder for files that are written once for each input, thousands of times a second: in memory where that is possible.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).expect("a temporary folder")
}

/// Hands `look` a file with these bytes, for readers that open a file by its path.
pub fn with_file(name: &str, bytes: &[u8], look: impl FnOnce(&Path)) {
    let folder = folder();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    look(&path);
}

/// What is done with a model that was read, before ONNX Runtime sees it: it is described, written, and edited for a scan.
pub fn prepare_for_scan(mut model: Model) {
    let _ = Report::of(&model).to_string();
    for name in model.graph().initializer.iter().map(|tensor| tensor.name().to_owned()).collect::<Vec<_>>() {
        let _ = model.tensor(&name);
    }
    let written = model.to_bytes().expect("a small model");
    Model::from_bytes(&written).expect("a model that was written");
    let Ok(classifier) = Classifier::of(&model) else { return };
    let Ok(embedding) = onnx::expose_embedding(&mut model, &Embedding::Auto) else { return };
    let outputs = std::iter::once(classifier.output.as_str()).chain(embedding.as_ref().map(|port| port.name.as_str()));
    let _ = onnx::keep_outputs(&mut model, &outputs.collect::<Vec<_>>());
    let channels = classifier.channels.filter(|channels| *channels == 1).unwrap_or(3);
    let pixels = PixelInput {
        mean: &[0.5; 3][..channels],
        std: &[0.25; 3][..channels],
        height: classifier.height.unwrap_or(8),
        width: classifier.width.unwrap_or(8),
        arithmetic: Arithmetic::Scaled,
    };
    if onnx::fold_pixels(&mut model, &classifier, &pixels).is_ok() {
        let _ = onnx::to_half(&mut model, &classifier.input);
        onnx::set_batch(&mut model, Some(3));
        let _ = model.to_bytes();
    }
}
