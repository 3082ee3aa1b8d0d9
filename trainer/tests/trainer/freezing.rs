//! What `train.freeze` and `train.only` keep.

use crate::families;
use crate::support::{Run, assert_near};
use gleaner::onnx::Classifier;
use gleaner::onnx::training::{Reason, Role, Selection};
use gleaner_trainer::graph::Graph;
use std::collections::BTreeMap;
use tch::Device;

const RATE: &str = "batch: 4, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0, threads: 1";

const WEIGHTS: [&str; 6] = ["w", "b", "scale", "offset", "mean", "variance"];

/// train-normalised.onnx, two images and a step with these settings.
fn trained(set: &[&str]) -> Run {
    let run = Run::new();
    run.start("train-normalised.onnx");
    run.config(2, RATE);
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.image("b.png", 2, 2, &[0, 255, 0, 255]);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 3.0)]);
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
    run.trained("start.onnx", "out.onnx", 1, &set);
    run
}

/// The weights that a step has changed.
fn changed(run: &Run) -> Vec<&str> {
    let differs = |name: &&str| run.weights("out.onnx", name) != run.weights("start.onnx", name);
    WEIGHTS.into_iter().filter(differs).collect()
}

#[test]
fn frozen_statistics_normalise_in_training_too() {
    let run = trained(&["train.only=[w, b]"]);
    assert_eq!(changed(&run), ["w", "b"]);
    // By the statistics that stand in the model, mean 2 and variance 4, not by those of the batch.
    let pixels = [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]];
    let normal = pixels.map(|image| image.map(|pixel: f64| (pixel - 2.0) / (4.0 + 1e-5f64).sqrt() + 0.25));
    let rows = [[0.0, 1.0, 2.0, 3.0], [5.0, 1.0, 0.0, -2.0]].map(|row| row.map(|weight: f64| weight / 8.0));
    let dot = |left: &[f64; 4], right: &[f64; 4]| left.iter().zip(right).map(|(left, right)| left * right).sum::<f64>();
    // The gradient by the difference of an image's two logits is the probability of class 0, less 1 where it is the label.
    let pull = |image: usize, is_first: f64, weight: f64| {
        let difference = dot(&rows[0], &normal[image]) + 0.5 - dot(&rows[1], &normal[image]) + 0.5;
        weight * (1.0 / (1.0 + (-difference).exp()) - is_first) / 2.0
    };
    let pulls = [pull(0, 1.0, 1.0), pull(1, 0.0, 3.0)];
    let moved = |row: usize, sign: f64| -> Vec<f64> {
        let gradient = |place: usize| pulls[0] * normal[0][place] + pulls[1] * normal[1][place];
        (0..4).map(|place| rows[row][place] - sign * 0.1 * gradient(place)).collect()
    };
    assert_near(&run.weights("out.onnx", "w"), &[moved(0, 1.0), moved(1, -1.0)].concat(), 1e-6);
    let bias = 0.1 * (pulls[0] + pulls[1]);
    assert_near(&run.weights("out.onnx", "b"), &[0.5 - bias, -0.5 + bias], 1e-6);

    // Frozen by themselves, they do the same.
    let alone = trained(&["train.freeze=[mean, variance]"]);
    assert_eq!(changed(&alone), ["w", "b", "scale", "offset"]);
    assert_eq!(alone.weights("out.onnx", "w"), run.weights("out.onnx", "w"));
}

#[test]
fn what_is_frozen_stays_and_changes_nothing_for_the_others() {
    let free = trained(&[]);
    assert_eq!(changed(&free), WEIGHTS);
    let run = trained(&["train.freeze=[\"w*\", offset]"]);
    assert_eq!(changed(&run), ["b", "scale", "mean", "variance"]);
    // One step from one start: gradients do not depend on what else moves.
    for name in ["b", "scale", "mean", "variance"] {
        assert_eq!(run.weights("out.onnx", name), free.weights("out.onnx", name), "{name}");
    }
}

#[test]
fn of_a_layer_with_one_frozen_statistic_the_other_follows_the_batches() {
    let (free, run) = (trained(&[]), trained(&["train.freeze=[mean]"]));
    assert_eq!(changed(&run), ["w", "b", "scale", "offset", "variance"]);
    assert_eq!(run.weights("out.onnx", "w"), free.weights("out.onnx", "w"));
}

/// The logits are (image x contrast x w + b) x one: of these, neither contrast nor one is a layer's.
#[test]
fn what_no_layer_is_seen_to_have_trains_if_it_is_named() {
    let run = Run::new();
    run.start("train-roles.onnx");
    run.config(2, RATE);
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.image("b.png", 2, 2, &[0, 255, 0, 255]);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 3.0)]);
    run.trained("start.onnx", "out.onnx", 1, &["--set", "train.also=[contrast, one]", "--set", "train.freeze=[b]"]);
    let pixels = [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]];
    // What a pixel adds to the first logit beyond what it adds to the second.
    let pull = [-5.0, 0.0, 2.0, 5.0].map(|eighths| eighths / 8.0);
    let differences = pixels.map(|image| (0..4).map(|place| 2.0 * image[place] * pull[place]).sum::<f64>() + 1.0);
    // The gradient by that difference is the probability of class 0, less 1 where it is the label.
    let probability = |difference: f64| 1.0 / (1.0 + (-difference).exp());
    let gradients = [(probability(differences[0]) - 1.0) / 2.0, 3.0 * probability(differences[1]) / 2.0];
    let contrast: Vec<f64> = (0..4)
        .map(|place| {
            let gradient: f64 = (0..2).map(|image| gradients[image] * pixels[image][place] * pull[place]).sum();
            2.0 - 0.1 * gradient
        })
        .collect();
    assert_near(&run.weights("out.onnx", "contrast"), &contrast, 1e-6);
    let one = 1.0 - 0.1 * (gradients[0] * differences[0] + gradients[1] * differences[1]);
    assert_near(&run.weights("out.onnx", "one"), &[one], 1e-6);
    assert_eq!(run.weights("out.onnx", "b"), run.weights("start.onnx", "b"));
}

#[test]
fn patterns_that_fit_nothing_or_leave_nothing_end_the_step_before_any_image_is_read() {
    let run = Run::new();
    run.start("train-normalised.onnx");
    run.config(2, RATE);
    run.manifest(&[("missing.png", 0, 1.0)]);
    let said = run.failed("start.onnx", &["--set", "train.freeze=[scales]"]);
    let expected = "train.freeze: no initializer matches \"scales\"; the nearest are scale";
    assert!(said.contains("start.onnx: ") && said.contains(expected) && !said.contains("missing.png"), "{said}");
    for set in ["train.freeze=[\"*\"]", "train.only=[mean, variance]"] {
        let said = run.failed("start.onnx", &["--set", set]);
        assert!(said.contains("leave no weight to train") && !said.contains("missing.png"), "{said}");
    }
}

/// The exporter calls the matrices of Linear `onnx::MatMul_494`; PyTorch's own names stand in the fixtures.
#[test]
fn a_pattern_means_the_layers_that_pytorch_means() {
    for (family, block, matrices) in [("vit", "encoder.layers.encoder_layer_0.", 3), ("deit", "blocks.0.", 4)] {
        let model = families::model(family, "torchscript");
        let tensors = model.graph().initializer.iter().filter(|tensor| !tensor.doc_string().is_empty());
        let theirs: BTreeMap<&str, String> = tensors
            .map(|tensor| {
                let recipe: serde_json::Value = serde_json::from_str(tensor.doc_string()).unwrap();
                (tensor.name(), recipe["name"].as_str().unwrap().to_owned())
            })
            .collect();
        let graph = Graph::new(&model, &Classifier::of(&model).unwrap(), Device::Cpu).unwrap();
        let graph = graph.freeze(&Selection { freeze: vec![format!("{block}*")], ..Selection::default() }).unwrap();
        let mut renamed = 0;
        for parameter in graph.parameters() {
            let Some(name) = theirs.get(parameter.name.as_str()) else { continue };
            let frozen = parameter.role == Role::Fixed(Reason::Frozen);
            assert_eq!(frozen, name.starts_with(block), "{name} ({}): {:?}", parameter.name, parameter.role);
            assert_eq!(parameter.tensor.requires_grad(), !frozen, "{name}");
            renamed += usize::from(frozen && parameter.name.starts_with("onnx::"));
            if family == "deit" && parameter.name.starts_with("onnx::") {
                assert_eq!(parameter.alias.as_ref(), Some(name));
            }
        }
        assert_eq!(renamed, matrices, "{family}");
    }
}
