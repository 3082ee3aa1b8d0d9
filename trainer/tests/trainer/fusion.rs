//! One operation for several nodes, and results written over what nobody needs any more, change nothing but the last bits.

use crate::support::{device, fixtures};
use gleaner::onnx::{Classifier, Model};
use gleaner_trainer::graph::{Graph, Mode, Program};
use gleaner_trainer::npy::{self, Elements};
use std::path::Path;
use tch::{Kind, Tensor};

const TOLERANCE: f64 = 1e-5;

/// The fixtures whose nodes are computed in one go. Of `fuse-linear`, which is as well, only the order of its sums is left to
/// libtorch.
const IN_ONE_GO: [&str; 8] = [
    "fuse-attention",
    "fuse-attention-masked",
    "fuse-attention-normalised",
    "fuse-attention-scaled",
    "fuse-attention-scaled-by-columns",
    "fuse-gelu",
    "fuse-gelu-half-first",
    "fuse-silu",
];

pub fn array(path: &Path) -> Tensor {
    let array = npy::read(path).unwrap();
    let shape: Vec<i64> = array.shape.iter().map(|&extent| extent as i64).collect();
    match &array.elements {
        Elements::Floats(values) => Tensor::from_slice(values).reshape(&shape).to_device(device()),
        Elements::Integers(_) => panic!("integers"),
    }
}

pub fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    ((found - expected).abs() / (expected.abs() + 1.0)).max().double_value(&[])
}

/// Numbers, and what they change by when the image does: the gradient of their sum, each weighted by another number.
pub fn with_gradient(image: &Tensor, compute: impl Fn(&Tensor) -> Tensor) -> (Tensor, Tensor) {
    let image = image.copy().set_requires_grad(true);
    let numbers = compute(&image);
    let weights = Tensor::arange(numbers.numel() as i64, (Kind::Float, device())).reshape(numbers.size());
    (numbers * weights.sin()).sum(Kind::Float).backward();
    (tch::no_grad(|| compute(&image)), image.grad())
}

#[test]
fn what_is_computed_in_one_go_equals_its_nodes_and_onnx_runtime() {
    let mut cases = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(case) = name.strip_suffix(".onnx").filter(|name| name.starts_with("fuse-")) else { continue };
        let model = Model::read(&fixtures().join(&name)).unwrap();
        let image = array(&fixtures().join(format!("{case}.input.npy")));
        let expected = array(&fixtures().join(format!("{case}.expected.npy")));
        let graph = Graph::new(&model, &Classifier::of(&model).unwrap(), device()).unwrap();
        let program = Program::new(&model, device()).unwrap();
        for mode in [Mode::Evaluate, Mode::Train] {
            let (found, gradient) = with_gradient(&image, |image| graph.logits(image, mode).unwrap());
            assert!(difference(&found, &expected) < TOLERANCE, "{case}: {found} instead of {expected}");
            let nodes = |image: &Tensor| program.evaluate(&[("image", image.shallow_clone())]).unwrap().remove(0).1;
            let (plain, wanted) = with_gradient(&image, nodes);
            // Node by node it is rounded otherwise; where nothing is computed in one go, it is the same to the bit.
            if case != "fuse-linear" {
                assert_eq!(plain != found, IN_ONE_GO.contains(&case), "{case}: {found} and by its nodes {plain}");
            }
            assert!(difference(&gradient, &wanted) < TOLERANCE, "{case}: gradient {gradient} instead of {wanted}");
        }
        cases += 1;
    }
    assert_eq!(cases, 25, "the fixtures are missing; run tests/fixtures/make.py");
}
