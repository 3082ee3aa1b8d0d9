//! Every operator computes what ONNX Runtime computes.

use crate::support::{LIBTORCH, PROGRAM, device, fixtures};
use gleaner::onnx::Model;
use gleaner_trainer::graph::Program;
use gleaner_trainer::npy::{self, Array, Elements};
use std::path::{Path, PathBuf};
use std::process::Command;
use tch::Tensor;

fn floats(array: &Array) -> &[f32] {
    match &array.elements {
        Elements::Floats(values) => values,
        Elements::Integers(_) => panic!("integers"),
    }
}

fn forward(model: &Path, input: &Array) -> (Vec<i64>, Vec<f32>) {
    let model = Model::read(model).unwrap();
    let program = Program::new(&model, device()).unwrap();
    let shape: Vec<i64> = input.shape.iter().map(|&extent| extent as i64).collect();
    let images = Tensor::from_slice(floats(input)).reshape(&shape).to_device(device());
    let outputs = tch::no_grad(|| program.evaluate(&[("image", images)])).unwrap();
    let output = &outputs[0].1;
    (output.size(), gleaner_trainer::state::values(output).unwrap())
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    found.iter().zip(expected).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max)
}

#[test]
fn every_operator_agrees_with_onnx_runtime() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".expected.npy"))
        .collect();
    cases.sort();
    assert!(cases.len() > 60, "the fixtures are missing; run tests/fixtures/make.py");
    let mut wrong = Vec::new();
    for path in cases {
        let name = path.file_name().unwrap().to_string_lossy().replace(".expected.npy", "");
        let expected = npy::read(&path).unwrap();
        let input = npy::read(&fixtures().join(format!("{name}.input.npy"))).unwrap();
        let (shape, found) = forward(&fixtures().join(format!("{name}.onnx")), &input);
        let expected_shape: Vec<i64> = expected.shape.iter().map(|&extent| extent as i64).collect();
        if shape != expected_shape {
            wrong.push(format!("{name}: shape {shape:?} instead of {expected_shape:?}"));
        } else if difference(&found, floats(&expected)).is_nan() || difference(&found, floats(&expected)) > 1e-5 {
            wrong.push(format!("{name}: differs by {}", difference(&found, floats(&expected))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_program_writes_the_outputs_of_a_forward_pass() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .env("GLEANER_LIBTORCH", LIBTORCH)
        .arg("forward")
        .arg(fixtures().join("conv.onnx"))
        .arg("--input")
        .arg(format!("image={}", fixtures().join("conv.input.npy").display()))
        .arg("-o")
        .arg(folder.path().join("outputs"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = npy::read(&folder.path().join("outputs/out.npy")).unwrap();
    let expected = npy::read(&fixtures().join("conv.expected.npy")).unwrap();
    assert_eq!(found.shape, expected.shape);
    assert!(difference(floats(&found), floats(&expected)) < 1e-5);
}
