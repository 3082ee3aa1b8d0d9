//! Several steps of each recipe, against PyTorch's and timm's (`tests/fixtures/recipes.py`).

use crate::support::{Run, assert_near, fixtures};
use gleaner::ledger::read_scores;
use gleaner::onnx::Model;
use serde_json::Value;

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join("recipes.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The images of the fixture, and a manifest for one of its steps.
fn ready(expected: &Value, fixture: &str, train: &str) -> Run {
    let run = Run::new();
    run.start(fixture);
    run.config(2, &format!("batch: 4, learning_rate: {}, threads: 1, {train}", expected["learning_rate"]));
    for (name, levels) in expected["images"].as_object().unwrap() {
        let levels: Vec<u8> = numbers(levels).iter().map(|level| *level as u8).collect();
        run.image(name, 2, 2, &levels);
    }
    run
}

fn manifest(run: &Run, samples: &Value) {
    let sample = |sample: &Value| {
        (sample[0].as_str().unwrap().to_owned(), sample[1].as_u64().unwrap() as u32, sample[2].as_f64().unwrap() as f32)
    };
    let samples: Vec<(String, u32, f32)> = samples.as_array().unwrap().iter().map(sample).collect();
    let borrowed: Vec<(&str, u32, f32)> = samples.iter().map(|(name, label, w)| (name.as_str(), *label, *w)).collect();
    run.manifest(&borrowed);
}

/// Trains the fixture's steps one after another, each in a process of its own, and compares every checkpoint.
fn follows(name: &str) {
    let expected = expected();
    let recipe = &expected["recipes"][name];
    let run = ready(&expected, "train-normalised.onnx", recipe["train"].as_str().unwrap());
    let mut from = "start.onnx".to_owned();
    for (index, weights) in recipe["steps"].as_array().unwrap().iter().enumerate() {
        let to = format!("epoch-{index}.onnx");
        manifest(&run, &expected["samples"][index]);
        let said = run.trained(&from, &to, index as u32, &[]);
        assert_eq!(said.contains("begins at rest"), index == 0, "{said}");
        for (weight, values) in weights.as_object().unwrap() {
            let found = run.weights(&to, weight);
            let scale = numbers(values).iter().fold(1.0f64, |most, value| most.max(value.abs()));
            assert_near(&found, &numbers(values), 2e-6 * scale);
        }
        from = to;
    }
}

#[test]
fn gradient_descent_is_pytorchs() {
    follows("sgd");
    follows("sgd-nesterov");
}

#[test]
fn adamw_is_pytorchs() {
    follows("adamw");
    follows("adamw-defaults");
}

#[test]
fn labels_are_smoothed_as_in_pytorch() {
    follows("label-smoothing");
}

#[test]
fn long_gradients_are_clipped_as_in_pytorch() {
    follows("clip-norm");
}

#[test]
fn checkpoints_hold_the_average_that_timm_has() {
    follows("ema-sgd");
    follows("ema-adamw");
}

#[test]
fn a_checkpoint_of_averages_says_so() {
    let expected = expected();
    let run = ready(&expected, "train-linear.onnx", "ema: 0.9");
    manifest(&run, &expected["samples"][0]);
    run.trained("start.onnx", "average.onnx", 1, &[]);
    let said = |name: &str| Model::read(&run.path(name)).unwrap().metadata().get("gleaner.ema").cloned();
    assert_eq!(said("average.onnx").as_deref(), Some("0.9"));
    run.trained("start.onnx", "plain.onnx", 1, &["--set", "train.ema="]);
    assert_eq!(said("plain.onnx"), None);
}

#[test]
fn what_is_seen_of_an_image_is_its_own_cross_entropy() {
    let expected = expected();
    let run = ready(&expected, "train-normalised.onnx", "optimiser: sgd");
    manifest(&run, &expected["samples"][2]);
    let losses = |to: &str, more: &[&str]| {
        run.trained("start.onnx", &format!("{to}.onnx"), 1, more);
        let mut losses = Vec::new();
        read_scores(&run.path(&format!("{to}.scores.parquet")), &mut |_, score| losses.push(score.loss)).unwrap();
        losses
    };
    let plain = losses("plain", &[]);
    assert_eq!(plain.len(), 3);
    let more = ["--set", "train.label_smoothing=0.5", "--set", "train.ema=0.9", "--set", "train.clip_norm=0.001"];
    assert_eq!(losses("other", &more), plain);
    assert_ne!(run.bytes("other.onnx"), run.bytes("plain.onnx"));
}
