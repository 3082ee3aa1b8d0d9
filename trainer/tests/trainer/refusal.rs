//! What the trainer does not understand is refused by name, before any training.

use crate::support::{LIBTORCH, PROGRAM, Run, fixtures};
use gleaner::onnx::{Classifier, Model};
use gleaner_trainer::graph::Graph;
use gleaner_trainer::npy::{self, Array, Elements};
use std::process::Command;
use tch::Device;

/// The complaint about a fixture.
fn complaint(name: &str) -> String {
    let model = Model::read(&fixtures().join(format!("refused-{name}.onnx"))).unwrap();
    match Graph::new(&model, &Classifier::of(&model).unwrap(), Device::Cpu) {
        Ok(_) => panic!("{name} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn names(name: &str, parts: &[&str]) {
    let complaint = complaint(name);
    for part in parts {
        assert!(complaint.contains(part), "{part:?} is not in: {complaint}");
    }
}

#[test]
fn unknown_operators_are_named() {
    names("operator", &["refused-operator.onnx", "x_node", "the operator Hardmax", "trainer.command"]);
    names("domain", &["x_node", "com.example.Relu"]);
}

#[test]
fn unsupported_attributes_are_named_with_their_value() {
    names("attribute", &["x_node", "MaxPool", "storage_order", "1"]);
    names("unknown-attribute", &["x_node", "Relu", "sharpness"]);
    names("training-mode", &["x_node", "BatchNormalization", "training_mode is 1", "in evaluation mode"]);
}

#[test]
fn second_outputs_that_are_used_are_named() {
    names("second-output", &["x_node", "MaxPool", "places"]);
}

#[test]
fn old_operator_sets_are_refused() {
    names("old-opset", &["version 8", "from 9 on"]);
}

#[test]
fn a_step_refuses_before_it_reads_any_image() {
    let run = Run::new();
    run.start("refused-operator.onnx");
    run.config(4, "batch: 2");
    run.manifest(&[("missing.png", 0, 1.0)]);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("Hardmax") && said.contains("x_node"), "{said}");
    assert!(!said.contains("missing.png"), "{said}");
}

#[test]
fn weights_that_are_no_numbers_are_refused_before_the_training() {
    let run = Run::new();
    run.start("train-linear.onnx");
    let mut model = Model::read(&run.path("start.onnx")).unwrap();
    let weight = model.graph_mut().initializer.iter_mut().find(|tensor| tensor.name() == "b").unwrap();
    weight.raw_data = Some([f32::NAN, 0.0].iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>().into());
    model.write(&run.path("start.onnx")).unwrap();
    run.config(2, "batch: 2");
    run.manifest(&[("missing.png", 0, 1.0)]);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("\"b\" holds a value that is no finite number; train from another checkpoint"), "{said}");
    assert!(!said.contains("missing.png"), "{said}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_refused_before_the_training() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, "batch: 2");
    run.manifest(&[("missing.png", 0, 1.0)]);
    std::fs::create_dir(run.path("taken.onnx")).unwrap();
    std::fs::write(run.path("file"), "no folder").unwrap();
    for (to, part) in [("taken.onnx", "taken.onnx: is a folder; name a file"), ("file/out.onnx", "cannot be written")] {
        let output = run.step("start.onnx", to, 1, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(part) && !said.contains("missing.png"), "{said}");
    }
}

#[test]
fn forward_names_an_input_that_is_not_given_and_images_of_another_size() {
    let run = Run::new();
    let forward = |model: &str, input: &str| {
        let mut command = Command::new(PROGRAM);
        command.env("GLEANER_LIBTORCH", LIBTORCH).arg("forward").arg(fixtures().join(model));
        command.arg("--input").arg(input).arg("-o").arg(run.path("out"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let other = fixtures().join("fuse-gelu.input.npy");
    let said = forward("train-linear.onnx", &format!("image={}", other.display()));
    assert!(
        said.contains("fuse-gelu.input.npy: it is of the shape [2, 2, 3, 4], and input image float [N, 1, 2, 2]"),
        "{said}"
    );

    let mut model = Model::read(&fixtures().join("train-linear.onnx")).unwrap();
    let mut second = model.graph_mut().input[0].clone();
    second.name = Some("second".to_owned());
    model.graph_mut().input.push(second);
    model.write(&run.path("two.onnx")).unwrap();
    let square = Array { shape: vec![1, 1, 2, 2], elements: Elements::Floats(vec![0.0; 4]) };
    npy::write(&square, &mut std::fs::File::create(run.path("square.npy")).unwrap()).unwrap();
    let said =
        forward(&run.path("two.onnx").to_string_lossy(), &format!("second={}", run.path("square.npy").display()));
    assert!(said.contains("input \"image\" is not given; add --input image=FILE.npy"), "{said}");
}
