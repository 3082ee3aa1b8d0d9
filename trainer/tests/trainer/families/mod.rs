//! Whole classifiers as torchvision and timm have them and as both of PyTorch's exporters write them: logits, gradients
//! and running statistics are PyTorch's, and a checkpoint means the same to ONNX Runtime after a step.

mod expected;
mod recipe;

use crate::checker::assert_accepted;
use crate::round_trip::{by_onnx_runtime, by_trainer};
use crate::support::{Run, device, fixtures};
use expected::{Expected, Sketch};
use gleaner::onnx::training::{Role, untie};
use gleaner::onnx::{Classifier, Model};
use gleaner_trainer::graph::{Graph, Mode, Parameter};
use gleaner_trainer::loss::weighted_cross_entropy;
use gleaner_trainer::state;
use recipe::Recipe;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Kind, Tensor};

/// Of a gradient's norm.
const GRADIENT: f64 = 1e-3;
/// Rounding, as a part of the norm of all gradients together.
const ROUNDING: f64 = 2e-7;
/// The same where nothing but rounding is found: a gradient is zero by construction if it is so small a part in double
/// precision, as that of a bias in front of BatchNormalization is.
const ZERO: f64 = 1e-9;
const ROUNDING_OF_ZERO: f64 = 1e-6;
/// Of the greatest logit, or of 1.
const LOGITS: f32 = 1e-3;
const CLASSES: usize = 10;

pub fn model(family: &str, exporter: &str) -> Model {
    recipe::model(&fixtures().join(format!("families/{family}.{exporter}.onnx")))
}

/// The images of a family's fixture, and their shape.
pub fn images(family: &str) -> ([usize; 4], Vec<f32>) {
    let expected = Expected::read(family);
    (expected.shape, expected.images)
}

fn agrees(family: &str, exporter: &str) {
    let run = Run::new();
    let expected = Expected::read(family);
    model(family, exporter).write(&run.path("start.onnx")).unwrap();
    let start = by_onnx_runtime(&run.path("start.onnx"), expected.shape, &expected.images);
    assert_same(&start, &expected.logits, "ONNX Runtime and PyTorch");

    let mut model = Model::read(&run.path("start.onnx")).unwrap();
    untie(&mut model);
    let mut graph = Graph::new(&model, &Classifier::of(&model).unwrap(), device()).unwrap();
    graph.lay_out(true).unwrap();
    let images =
        Tensor::from_slice(&expected.images).reshape(expected.shape.map(|extent| extent as i64)).to_device(device());
    let logits = tch::no_grad(|| graph.logits(&images, Mode::Evaluate)).unwrap();
    assert_same(&state::values(&logits).unwrap(), &expected.logits, "the trainer and PyTorch");
    let moved = trains_as_pytorch(&model, &graph, &images, &expected);
    a_step_means_the_same_to_both(&run, &expected, &moved);
}

/// One pass of training: the weights that train, and the gradient and the statistics of each. Returns the names of the
/// weights whose gradients are not zero.
fn trains_as_pytorch(model: &Model, graph: &Graph, images: &Tensor, expected: &Expected) -> Vec<String> {
    let count = expected.shape[0] as i64;
    let labels = Tensor::arange(count, (Kind::Int64, device())).remainder(CLASSES as i64);
    let weights = Tensor::ones([count], (Kind::Float, device()));
    let loss = weighted_cross_entropy(&graph.logits(images, Mode::Train).unwrap(), &labels, &weights, 0.0).unwrap();
    loss.backward();
    assert!((loss.double_value(&[]) - expected.loss).abs() < 1e-4 * expected.loss, "{loss} and {}", expected.loss);

    let recipes: BTreeMap<&str, Recipe> =
        model.graph().initializer.iter().filter_map(|tensor| Some((tensor.name(), Recipe::beside(tensor)?))).collect();
    let (mut trained, mut running, mut moved) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let (whole, mut worst) = (expected.whole(), 0.0_f64);
    for parameter in graph.parameters() {
        let recipe = recipes.get(parameter.name.as_str());
        let named = |kind: &str| recipe.unwrap_or_else(|| panic!("{} is no {kind} of the network", parameter.name));
        match parameter.role {
            Role::Trained { .. } => {
                let name = named("weight").name.as_str();
                let gradient = parameter.tensor.grad();
                assert!(gradient.defined(), "{name}: the loss does not follow from it");
                let sketch = sketch_of(&expected.gradients, name);
                let rounding = if sketch.norm < ZERO * whole { ROUNDING_OF_ZERO } else { ROUNDING };
                let allowed = (GRADIENT * sketch.norm).max(rounding * whole);
                worst = worst.max(assert_near(parameter, &gradient, named("weight"), sketch, allowed));
                if sketch.norm > 1e-6 * whole {
                    moved.push(parameter.name.clone());
                }
                trained.insert(name);
            }
            Role::Running => {
                let recipe = named("statistic");
                let sketch = sketch_of(&expected.statistics, &recipe.name);
                worst = worst.max(assert_near(parameter, &parameter.tensor, recipe, sketch, 1e-4 * sketch.norm));
                running.insert(recipe.name.as_str());
            }
            Role::Fixed(_) => {}
        }
    }
    println!("{} weights train, at worst at {:.0}% of the allowed distance", trained.len(), 100.0 * worst);
    // Swin's tables train, or what is gathered from them where the exporter did that.
    let is_there = |name: &String| {
        let other = name.strip_suffix("_table").map_or_else(|| format!("{name}_table"), str::to_owned);
        trained.contains(name.as_str()) || name.contains("relative_position_bias") && trained.contains(other.as_str())
    };
    let missing: Vec<&String> = expected.gradients.keys().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "these do not train: {missing:?}");
    assert!(expected.statistics.keys().all(|name| running.contains(name.as_str())), "{running:?}");
    moved
}

fn sketch_of<'a>(sketches: &'a BTreeMap<String, Sketch>, name: &str) -> &'a Sketch {
    sketches.get(name).unwrap_or_else(|| panic!("{name} does not train in PyTorch"))
}

/// Returns which part of the allowed distance there is.
fn assert_near(parameter: &Parameter, found: &Tensor, recipe: &Recipe, expected: &Sketch, allowed: f64) -> f64 {
    let turned = if recipe.transposed { found.transpose(0, 1) } else { found.shallow_clone() };
    let distance = expected.distance(&state::values(&turned).unwrap());
    assert!(
        distance <= allowed,
        "{} ({}): off by {distance:.2e}, allowed is {allowed:.2e}, its norm is {:.2e}",
        recipe.name,
        parameter.name,
        expected.norm
    );
    distance / allowed
}

/// The real program's step, judged by ONNX Runtime and ONNX's own checker.
fn a_step_means_the_same_to_both(run: &Run, expected: &Expected, moved: &[String]) {
    let [count, channels, side, _] = expected.shape;
    run.config_of(channels, side, "batch: 16, learning_rate: 0.001, threads: 1");
    let names: Vec<String> = (0..count).map(|number| format!("{number}.png")).collect();
    for (number, name) in names.iter().enumerate() {
        let levels = (0..channels * side * side).map(|place| recipe::hashed((place * 64 + number) as u32) as u8);
        let image = image::RgbImage::from_raw(side as u32, side as u32, levels.collect()).unwrap();
        image.save(run.path("data").join(name)).unwrap();
    }
    let samples: Vec<(&str, u32, f32)> =
        names.iter().enumerate().map(|(number, name)| (name.as_str(), (number % CLASSES) as u32, 1.0)).collect();
    run.manifest(&samples);
    run.trained("start.onnx", "trained.onnx", 0, &[]);

    let trained = run.path("trained.onnx");
    let theirs = by_onnx_runtime(&trained, expected.shape, &expected.images);
    assert_same(&by_trainer(run, &trained, expected.shape, &expected.images), &theirs, "the trainer and ONNX Runtime");
    assert_accepted(&trained);
    let before = Model::read(&run.path("start.onnx")).unwrap();
    for name in moved {
        // A copy that the trainer made of a merged weight was not there before.
        let Ok(old) = before.tensor(name) else { continue };
        assert_ne!(old.f32().unwrap().to_vec(), run.weights("trained.onnx", name), "{name} was not trained");
    }
}

fn assert_same(found: &[f32], expected: &[f32], who: &str) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1.0, |greatest: f32, logit| greatest.max(logit.abs()));
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= LOGITS * scale);
    assert!(near, "{who} differ: {found:?} instead of {expected:?}");
}

macro_rules! families {
    ($($family:ident),*) => { $(
        mod $family {
            #[test]
            fn from_torchscript() {
                super::agrees(stringify!($family), "torchscript");
            }

            #[test]
            fn from_dynamo() {
                super::agrees(stringify!($family), "dynamo");
            }
        }
    )* };
}

families!(
    resnet,
    resnext,
    regnet,
    vgg,
    densenet,
    squeezenet,
    shufflenet,
    mobilenetv2,
    mobilenetv3,
    efficientnet,
    convnext,
    edgenext,
    hrnet,
    nfresnet,
    resnetv2,
    vit,
    deit,
    swin
);
