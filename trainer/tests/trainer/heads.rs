//! A new last layer of two classes for networks of seven, out of each exporter: see `tests/fixtures/make_heads.py` of gleaner.

use crate::support::Run;
use gleaner::onnx::{ElementType, Model, replace_head};
use std::path::Path;

#[test]
fn a_new_last_layer_trains_alone() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/onnx/heads");
    for (name, layer) in [
        ("gemm-dynamo", "classifier.*"),
        ("gemm-torchscript", "classifier.*"),
        ("conv-dynamo", "classifier.*"),
        ("conv-torchscript", "classifier.*"),
        ("matmul-dynamo", "head.*"),
        ("matmul-torchscript", "head.*"),
    ] {
        let run = Run::new();
        let mut model = Model::read(&fixtures.join(format!("{name}.onnx"))).unwrap();
        let head = replace_head(&mut model, 2, 1).unwrap();
        model.write(&run.path("start.onnx")).unwrap();
        run.config_of(3, 8, "batch: 4, learning_rate: 0.5, momentum: 0.9, weight_decay: 0.0");
        let samples: Vec<(String, u32, f32)> = (0..8)
            .map(|number| {
                let (file, label) = (format!("{number}.png"), number % 2);
                let pixels: Vec<u8> =
                    (0..64).map(|place| (place * 3 % (50 + 10 * number)) as u8 + 100 * label as u8).collect();
                run.image(&file, 8, 8, &pixels);
                (file, label, 1.0)
            })
            .collect();
        let borrowed: Vec<(&str, u32, f32)> =
            samples.iter().map(|(file, label, weight)| (file.as_str(), *label, *weight)).collect();
        run.manifest(&borrowed);
        run.trained("start.onnx", "out.onnx", 1, &["--set", &format!("train.only=[\"{layer}\"]")]);
        let floats = model.graph().initializer.iter().filter(|tensor| tensor.data_type() == ElementType::Float as i32);
        for tensor in floats {
            let same = run.weights("out.onnx", tensor.name()) == run.weights("start.onnx", tensor.name());
            assert_eq!(same, !head.weights.iter().any(|weight| weight == tensor.name()), "{name}: {}", tensor.name());
        }
    }
}
