//! A model from outside: reading it, and every edit that a scan makes before ONNX Runtime sees it.
#![no_main]

use gleaner::onnx::{self, Arithmetic, Classifier, Embedding, Model, PixelInput, Report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut model) = Model::from_bytes(bytes) else { return };
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
});
