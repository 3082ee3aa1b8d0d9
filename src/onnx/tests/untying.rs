//! Exporters merge equal initializers; layers get their own again.

use super::*;
use crate::onnx::Classifier;
use crate::onnx::proto::{GraphProto, TensorProto};
use crate::onnx::tensor::from_f32;
use crate::onnx::training::{Parameter, Role, parameters, untie};

/// A tensor of ones, or of numbers that differ.
fn tensor(name: &str, dims: &[usize], differ: bool) -> TensorProto {
    let count: usize = dims.iter().product();
    let values: Vec<f32> = (0..count).map(|place| if differ { place as f32 } else { 1.0 }).collect();
    from_f32(name, dims, &values)
}

/// What these nodes read after untying.
fn untied(initializer: Vec<TensorProto>, nodes: Vec<NodeProto>) -> (Vec<String>, Vec<Vec<String>>) {
    let mut model = model("gemm.onnx");
    *model.graph_mut() = GraphProto { node: nodes, initializer, ..Default::default() };
    untie(&mut model);
    let graph = model.graph();
    let names = graph.initializer.iter().map(|tensor| tensor.name().to_owned()).collect();
    (names, graph.node.iter().map(|node| node.input.clone()).collect())
}

/// The initializers if two layers scale by one tensor, the second maybe through an Identity.
fn names_of_scales(dims: &[usize], differ: bool, identity: bool) -> Vec<String> {
    let second = if identity { "again" } else { "scale" };
    let mut nodes = vec![node("Mul", &["x", "scale"], "y"), node("Mul", &["y", second], "z")];
    if identity {
        nodes.insert(0, node("Identity", &["scale"], "again"));
    }
    untied(vec![tensor("scale", dims, differ)], nodes).0
}

#[test]
fn an_identity_tells_that_equal_weights_of_any_shape_were_merged() {
    for dims in [&[320][..], &[1, 320, 1, 1], &[3, 320]] {
        for differ in [false, true] {
            assert_eq!(names_of_scales(dims, differ, true), ["scale", "again"]);
        }
    }
    // Nothing else reads this one.
    let alone = vec![node("Identity", &["scale"], "again"), node("Mul", &["x", "again"], "y")];
    assert_eq!(untied(vec![tensor("scale", &[3, 320], false)], alone).0, ["scale"]);
}

#[test]
fn numbers_of_modules_in_a_sequence_are_no_made_up_names() {
    let inputs = ["x", "1.weight", "1.bias", "1.running_mean", "1.running_var"];
    let normalise =
        NodeProto { name: Some("/1/BatchNormalization".to_owned()), ..node("BatchNormalization", &inputs, "y") };
    let variance = node("Identity", &["1.weight"], "1.running_var");
    let nodes = vec![variance, node("Identity", &["1.bias"], "1.running_mean"), normalise];
    let (names, read) = untied(vec![tensor("1.weight", &[4], false), tensor("1.bias", &[4], false)], nodes);
    assert_eq!(names, ["1.weight", "1.bias", "1.running_var", "1.running_mean"]);
    assert_eq!(read, [inputs]);
}

#[test]
fn without_one_rows_of_equal_numbers_are_taken_apart_and_all_else_is_shared() {
    assert_eq!(names_of_scales(&[320], false, false), ["scale", "scale.2"]);
    assert_eq!(names_of_scales(&[1, 320, 1, 1], false, false), ["scale", "scale.2"]);
    assert_eq!(names_of_scales(&[320], true, false), ["scale"]);
    assert_eq!(names_of_scales(&[3, 320], false, false), ["scale"]);
}

#[test]
fn nodes_that_share_their_matrix_share_their_bias() {
    let weights = || vec![tensor("kernel", &[4, 4, 1, 1], true), tensor("row", &[4], false), tensor("v", &[4], true)];
    let nodes = vec![
        node("Conv", &["image", "kernel", "row"], "a"),
        node("Conv", &["a", "kernel", "row"], "b"),
        node("BatchNormalization", &["b", "v", "v", "row", "v"], "c"),
    ];
    let (names, inputs) = untied(weights(), nodes);
    assert_eq!(names, ["kernel", "row", "v", "row.2"]);
    assert_eq!((inputs[0][2].as_str(), inputs[1][2].as_str(), inputs[2][3].as_str()), ("row", "row", "row.2"));

    // The same of products whose biases are added by themselves.
    let nodes = vec![
        node("Transpose", &["v"], "w"),
        node("MatMul", &["image", "w"], "a"),
        node("Add", &["row", "a"], "b"),
        node("MatMul", &["b", "w"], "c"),
        node("Add", &["c", "row"], "d"),
        node("MatMul", &["d", "kernel"], "e"),
        node("Add", &["e", "row"], "f"),
    ];
    let (names, inputs) = untied(weights(), nodes);
    assert_eq!(names, ["kernel", "row", "v", "row.2"]);
    assert_eq!((&inputs[2][0], &inputs[4][1], &inputs[6][1]), (&"row".into(), &"row".into(), &"row.2".into()));
}

#[test]
fn calls_of_one_normalisation_are_told_by_their_module_where_others_are_merged_with_it() {
    let named = |name: &str, scale: &str, output: &str| NodeProto {
        name: Some(format!("/{name}/LayerNormalization")),
        ..node("LayerNormalization", &["x", scale, "bias"], output)
    };
    let nodes = vec![
        named("a/norm", "a.norm.weight", "1"),
        named("a_1/norm", "a.norm.weight", "2"),
        named("b", "a.norm.weight", "3"),
    ];
    let (_, inputs) = untied(vec![tensor("a.norm.weight", &[4], false)], nodes);
    let scales: Vec<&str> = inputs.iter().map(|inputs| inputs[1].as_str()).collect();
    assert_eq!(scales, ["a.norm.weight", "a.norm.weight", "a.norm.weight.2"]);
}

/// See `tests/fixtures/make_merged.py`, which has the number from PyTorch.
#[test]
fn of_a_fresh_network_as_many_numbers_train_as_in_pytorch() {
    for name in ["torchscript", "torchscript-unfolded", "dynamo", "dynamo-21"] {
        let mut model = model(&format!("merged/{name}.onnx"));
        untie(&mut model);
        let parameters = parameters(&model, &Classifier::of(&model).unwrap()).unwrap();
        let trained = parameters.iter().filter(|parameter| matches!(parameter.role, Role::Trained { .. }));
        assert_eq!(trained.map(Parameter::count).sum::<usize>(), 1452, "{name}: {parameters:#?}");
        // Two normalisations of batches with 8 channels.
        let running = parameters.iter().filter(|parameter| parameter.role == Role::Running);
        assert_eq!(running.map(Parameter::count).sum::<usize>(), 32, "{name}");
    }
}
