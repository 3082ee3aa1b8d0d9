//! Products in bfloat16 are those in 32 bits but for its rounding.

use crate::fusion::{array, difference, with_gradient};
use crate::support::{device, fixtures};
use gleaner::onnx::{Classifier, Model};
use gleaner_trainer::graph::{Graph, Mode};
use tch::Tensor;

#[test]
fn attention_in_fewer_bits_takes_what_was_normalised_in_all_of_them() {
    let case = "fuse-attention-normalised";
    let model = Model::read(&fixtures().join(format!("{case}.onnx"))).unwrap();
    let image = array(&fixtures().join(format!("{case}.input.npy")));
    let expected = array(&fixtures().join(format!("{case}.expected.npy")));
    let graph = Graph::new(&model, &Classifier::of(&model).unwrap(), device()).unwrap().narrow();
    let (found, gradient) = with_gradient(&image, |image| graph.logits(image, Mode::Train).unwrap());
    // A bfloat16 has 8 significant bits, and a few of them are lost on the way.
    let apart = difference(&found, &expected);
    assert!(apart > 1e-5 && apart < 0.03, "{apart}: {found} instead of {expected}");
    let wide = Graph::new(&model, &Classifier::of(&model).unwrap(), device()).unwrap();
    let (_, wanted) = with_gradient(&image, |image| wide.logits(image, Mode::Train).unwrap());
    assert!(difference(&gradient, &wanted) < 0.1, "gradient {gradient} instead of {wanted}");
}

/// libtorch 2.11 itself gives other numbers, or none, for the gradients of these weights.
#[test]
fn dilated_kernels_have_their_gradients_over_any_number_of_channels() {
    let model = Model::read(&fixtures().join("conv-dilated.onnx")).unwrap();
    let image = array(&fixtures().join("conv-dilated.input.npy"));
    let (narrow, wide) = (gradients(&model, &image, true), gradients(&model, &image, false));
    assert_eq!((narrow.len(), wide.len()), (3, 3));
    for ((name, found), (_, expected)) in narrow.iter().zip(&wide) {
        let apart = (found - expected).norm().double_value(&[]) / expected.norm().double_value(&[]);
        assert!(apart > 1e-5 && apart < 0.03, "{name}: off by {apart} of its norm");
    }
}

fn gradients(model: &Model, image: &Tensor, narrow: bool) -> Vec<(String, Tensor)> {
    let mut graph = Graph::new(model, &Classifier::of(model).unwrap(), device()).unwrap();
    graph.lay_out(true).unwrap();
    let graph = if narrow { graph.narrow() } else { graph };
    let _ = with_gradient(image, |image| graph.logits(image, Mode::Train).unwrap());
    graph.parameters().iter().map(|parameter| (parameter.name.clone(), parameter.tensor.grad())).collect()
}
