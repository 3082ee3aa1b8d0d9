//! Nodes that make much out of little.

use super::*;
use crate::onnx::Problem;
use crate::onnx::graft::ints;
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::{AttributeProto, FunctionProto, GraphProto, TensorProto};
use crate::onnx::tensor::from_i64;

/// gemm.onnx with these weights and nodes more.
fn with(weights: Vec<TensorProto>, nodes: Vec<NodeProto>) -> Result<Model, Problem> {
    let mut model = model("gemm.onnx");
    model.graph_mut().initializer.extend(weights);
    model.graph_mut().node.extend(nodes);
    read(&model)
}

fn read(model: &Model) -> Result<Model, Problem> {
    Model::from_bytes(&model.to_bytes().unwrap()).map_err(|error| *error.problem)
}

fn claimed(outcome: Result<Model, Problem>) -> (String, u64, u64) {
    match outcome {
        Err(Problem::Claims { node, numbers, all, limit: 536_870_912 }) => (node, numbers, all),
        other => panic!("{other:?}"),
    }
}

/// Nodes that make `extents` out of constants, and those constants.
fn making(extents: [i64; 2]) -> [(NodeProto, Vec<TensorProto>); 7] {
    let shape = || vec![from_i64("shape", &extents)];
    let random = |operator| NodeProto { attribute: vec![ints("shape", &extents)], ..node(operator, &[], "made") };
    let range = [("start", -7), ("limit", 3 * extents[0] * extents[1] - 7), ("step", 3)];
    [
        (node("ConstantOfShape", &["shape"], "made"), shape()),
        (node("Expand", &["logits", "shape"], "made"), shape()),
        (node("Tile", &["logits", "shape"], "made"), shape()),
        (node("Resize", &["logits", "", "", "shape"], "made"), shape()),
        (node("OneHot", &["logits", "depth", "logits"], "made"), vec![from_i64("depth", &[extents[0] * extents[1]])]),
        (random("RandomUniform"), vec![]),
        (
            node("Range", &["start", "limit", "step"], "made"),
            range.iter().map(|(name, value)| from_i64(name, &[*value])).collect(),
        ),
    ]
}

#[test]
fn what_follows_a_shape_in_the_file_is_counted() {
    for (node, weights) in making([1_000_000, 1_000_000]) {
        let operator = node.op_type().to_owned();
        let expected = (format!("a node {operator}"), 1_000_000_000_000, 1_000_000_000_000);
        assert_eq!(claimed(with(weights, vec![node])), expected);
    }
    // Exactly as many as are allowed.
    for (node, weights) in making([1 << 14, 1 << 15]) {
        let operator = node.op_type().to_owned();
        assert!(with(weights, vec![node]).is_ok(), "{operator}");
    }
}

#[test]
fn it_is_the_sum_that_counts() {
    let fill = |output: &str| node("ConstantOfShape", &["shape"], output);
    let shape = || vec![from_i64("shape", &[1 << 28])];
    assert!(with(shape(), vec![fill("one"), fill("two")]).is_ok());
    let named = NodeProto { name: Some("last".to_owned()), ..fill("three") };
    let expected = ("node \"last\" (ConstantOfShape)".to_owned(), 1 << 28, 3 << 28);
    assert_eq!(claimed(with(shape(), vec![fill("one"), fill("two"), named])), expected);
}

#[test]
fn what_no_number_can_count_is_refused_and_what_is_no_shape_is_not() {
    let fill = || vec![node("ConstantOfShape", &["shape"], "made")];
    assert_eq!(claimed(with(vec![from_i64("shape", &[1 << 40, 1 << 40])], fill())).1, u64::MAX);
    for shape in [vec![-1, 1 << 40], vec![0, 1 << 40], vec![2; 65]] {
        assert!(with(vec![from_i64("shape", &shape)], fill()).is_ok(), "{shape:?}");
    }
    // Of another domain, it means something else.
    let own = NodeProto { domain: Some("own".to_owned()), ..fill().remove(0) };
    assert!(with(vec![from_i64("shape", &[1 << 40])], vec![own]).is_ok());
}

#[test]
fn shapes_are_found_in_nodes_subgraphs_and_functions() {
    let constant = || NodeProto { attribute: vec![ints("value_ints", &[1 << 40])], ..node("Constant", &[], "shape") };
    let fill = || node("ConstantOfShape", &["shape"], "made");
    assert_eq!(claimed(with(vec![], vec![constant(), fill()])).1, 1 << 40);

    // The shape is outside of the branch, the node inside.
    let branch = GraphProto { node: vec![fill()], ..Default::default() };
    let branch = AttributeProto {
        name: Some("then_branch".to_owned()),
        r#type: Some(AttributeType::Graph as i32),
        g: Some(branch),
        ..Default::default()
    };
    let either = NodeProto { attribute: vec![branch], ..node("If", &["logits"], "either") };
    assert_eq!(claimed(with(vec![from_i64("shape", &[1 << 40])], vec![either])).1, 1 << 40);

    let function = FunctionProto { name: Some("f".to_owned()), node: vec![constant(), fill()], ..Default::default() };
    let mut proto = model("gemm.onnx").proto().clone();
    proto.functions = vec![function];
    assert_eq!(claimed(Model::from_proto(proto).map_err(|error| *error.problem)).1, 1 << 40);
}
