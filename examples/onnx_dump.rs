//! Writes starting graphs and edited models into the folder given, for `scripts/check_onnx.py`.

use std::path::Path;

use gleaner::onnx::{Embedding, Model, Report, expose_embedding, set_batch, start};

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
    let mut model = start::resnet18(10, 3, 32, 32, 1, None)?;
    expose_embedding(&mut model, &Embedding::Named("layer3.0.add".to_owned()))?;
    model.write(&path("resnet18-named.onnx".to_owned()))?;
    Ok(())
}
