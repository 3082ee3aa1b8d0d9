//! What the trainer does not understand is refused by name, before any training.

use crate::support::{Run, fixtures};
use gleaner::onnx::{Classifier, Model};
use gleaner_trainer::graph::Graph;
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
    names("operator", &["refused-operator.onnx", "x_node", "the operator Elu", "trainer.command"]);
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
    assert!(said.contains("Elu") && said.contains("x_node"), "{said}");
    assert!(!said.contains("missing.png"), "{said}");
}
