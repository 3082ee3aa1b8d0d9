//! Writes starting graphs and edited models into the folder given, for `scripts/check_onnx.py`. Of further models that
//! are named, it writes what scoring makes of them: with bytes as their input, and in half precision.
//!
//!     onnx_dump FOLDER [MODEL...]

use std::path::Path;

use gleaner::onnx::{
    Arithmetic, Classifier, Embedding, Model, PixelInput, Report, expose_embedding, fold_pixels, set_batch, start,
    to_half,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: onnx_dump FOLDER")?;
    let path = |name: String| Path::new(&folder).join(name);
    let fixture = |name: &str| Model::read(&Path::new("tests/fixtures/onnx").join(name));
    for (name, mut model) in [
        ("convnet", start::convnet(10, 1, 28, 28, 1)?),
        ("resnet18-small", start::resnet18(10, 3, 32, 32, 1, None)?),
        ("resnet18-imagenet", start::resnet18(1000, 3, 64, 64, 1, None)?),
        ("gemm", fixture("gemm.onnx")?),
        ("matmul", fixture("matmul.onnx")?),
        ("tokens", fixture("tokens.onnx")?),
        ("external", fixture("external.onnx")?),
    ] {
        model.write(&path(format!("{name}.onnx")))?;
        println!("{}", Report::of(&model));
        expose_embedding(&mut model, &Embedding::Auto)?;
        model.write(&path(format!("{name}.exposed.onnx")))?;
        set_batch(&mut model, None);
        model.write(&path(format!("{name}.free.onnx")))?;
        set_batch(&mut model, Some(5));
        model.write(&path(format!("{name}.five.onnx")))?;
    }
    for (name, model) in
        [("convnet", start::convnet(10, 1, 28, 28, 1)?), ("resnet18", start::resnet18(10, 3, 32, 32, 1, None)?)]
    {
        scored(model, &path(name.to_owned()))?;
    }
    for file in std::env::args().skip(2) {
        let name = Path::new(&file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        scored(Model::read(Path::new(&file))?, &path(name))?;
    }
    let mut model = start::resnet18(10, 3, 32, 32, 1, None)?;
    expose_embedding(&mut model, &Embedding::Named("layer3.0.add".to_owned()))?;
    model.write(&path("resnet18-named.onnx".to_owned()))?;
    Ok(())
}

/// Writes `stem.stepwise.onnx`, `stem.scaled.onnx` and `stem.half.onnx`.
fn scored(mut model: Model, stem: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let classifier = Classifier::of(&model)?;
    expose_embedding(&mut model, &Embedding::Auto)?;
    let (Some(channels), Some(height), Some(width)) = (classifier.channels, classifier.height, classifier.width) else {
        return Err("the model's image has no fixed size".into());
    };
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let (mean, std) = (mean.get(..channels).ok_or("channels")?, std.get(..channels).ok_or("channels")?);
    for (name, arithmetic) in [("stepwise", Arithmetic::Stepwise), ("scaled", Arithmetic::Scaled)] {
        let mut folded = model.clone();
        fold_pixels(&mut folded, &classifier, &PixelInput { mean, std, height, width, arithmetic })?;
        folded.write(&stem.with_added_extension(format!("{name}.onnx")))?;
        if arithmetic == Arithmetic::Scaled {
            to_half(&mut folded, &classifier.input)?;
            folded.write(&stem.with_added_extension("half.onnx"))?;
        }
    }
    Ok(())
}
