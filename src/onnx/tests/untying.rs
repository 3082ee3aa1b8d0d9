//! Exporters merge equal initializers; layers get their own again.

use super::*;
use crate::onnx::proto::{GraphProto, TensorProto};
use crate::onnx::training::untie;

/// Two layers scale by one tensor of this shape, the second through an Identity.
fn names_of_scales(dims: &[i64]) -> Vec<String> {
    let scale = TensorProto { name: Some("scale".to_owned()), dims: dims.to_vec(), ..Default::default() };
    let mut model = model("gemm.onnx");
    *model.graph_mut() = GraphProto {
        node: vec![
            node("Identity", &["scale"], "again"),
            node("Mul", &["x", "scale"], "y"),
            node("Mul", &["y", "again"], "z"),
        ],
        initializer: vec![scale],
        ..Default::default()
    };
    untie(&mut model);
    model.graph().initializer.iter().map(|tensor| tensor.name().to_owned()).collect()
}

#[test]
fn merged_scales_of_layers_are_given_to_each_alone() {
    assert_eq!(names_of_scales(&[320]), ["scale", "again"]);
    assert_eq!(names_of_scales(&[1, 320, 1, 1]), ["scale", "again"]);
}

#[test]
fn shared_matrices_stay_shared() {
    assert_eq!(names_of_scales(&[3, 320]), ["scale"]);
}
