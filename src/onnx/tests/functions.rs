//! Functions that a model defines itself, and tensors that stand for larger ones.

use super::*;
use crate::onnx::proto::{FunctionProto, ModelProto, SparseTensorProto, TensorProto, TrainingInfoProto};
use crate::onnx::{ElementType, Problem};

/// `name` calls each of `calls` once, in a row.
fn function(name: &str, calls: &[&str]) -> FunctionProto {
    let mut value = "in".to_owned();
    let nodes = calls.iter().enumerate().map(|(at, called)| {
        let output = format!("{at}");
        let call = NodeProto { domain: Some("own".to_owned()), ..node(called, &[&value], &output) };
        value.clone_from(&output);
        call
    });
    let node = nodes.collect();
    FunctionProto {
        name: Some(name.to_owned()),
        domain: Some("own".to_owned()),
        input: vec!["in".to_owned()],
        output: vec![value],
        node,
        ..Default::default()
    }
}

/// gemm.onnx with these functions, the first of which its graph calls.
fn with(functions: Vec<FunctionProto>) -> Result<Model, Problem> {
    let mut proto: ModelProto = model("gemm.onnx").proto().clone();
    let called = functions[0].name().to_owned();
    proto
        .graph
        .as_mut()
        .unwrap()
        .node
        .push(NodeProto { domain: Some("own".to_owned()), ..node(&called, &["logits"], "called") });
    proto.functions = functions;
    Model::from_proto(proto).map_err(|error| *error.problem)
}

#[test]
fn calls_that_come_to_an_end_are_read() {
    // Deeper than a stack is.
    let names: Vec<String> = (0..100_000).map(|at| format!("f{at}")).collect();
    let mut chain: Vec<FunctionProto> = names.windows(2).map(|pair| function(&pair[0], &[&pair[1]])).collect();
    chain.push(function(&names[99_999], &["Relu"]));
    assert!(with(chain).is_ok());
}

#[test]
fn a_function_that_calls_itself() {
    for circle in [
        vec![function("f", &["f"])],
        vec![function("f", &["g"]), function("g", &["h"]), function("h", &["Relu", "g"])],
        // Nobody calls it: a runtime may write it out all the same.
        vec![function("f", &["Relu"]), function("g", &["g"])],
    ] {
        let error = with(circle).unwrap_err();
        assert!(matches!(&error, Problem::Recursive { .. }), "{error}");
        assert!(error.to_string().contains("calls itself"), "{error}");
    }
}

#[test]
fn functions_that_multiply_beyond_measure() {
    // Each calls the next ten times: 10^5 calls and what they come to, and ten times as many.
    let ladder = |steps: usize| {
        let names: Vec<String> = (0..=steps).map(|step| format!("f{step}")).collect();
        let mut functions: Vec<_> = names.windows(2).map(|pair| function(&pair[0], &[pair[1].as_str(); 10])).collect();
        functions.push(function(&names[steps], &["Relu"]));
        with(functions)
    };
    assert!(ladder(5).is_ok());
    for steps in [6, 60] {
        let error = ladder(steps).unwrap_err();
        assert!(matches!(error, Problem::TooManyNodes { limit: 1_000_000, .. }), "{error}");
    }
}

#[test]
fn a_function_is_in_order_and_has_a_name_of_its_own() {
    let mut swapped = function("f", &["Relu", "Relu"]);
    swapped.node.swap(0, 1);
    assert!(matches!(with(vec![swapped]).unwrap_err(), Problem::Cyclic { .. }));
    let mut lost = function("f", &["Relu"]);
    lost.output = vec!["nowhere".to_owned()];
    assert!(matches!(with(vec![lost]).unwrap_err(), Problem::Undefined { .. }));
    let error = with(vec![function("f", &["Relu"]), function("f", &["Relu"])]).unwrap_err();
    assert!(matches!(error, Problem::Duplicate { kind: "function", .. }), "{error}");
}

#[test]
fn a_sparse_tensor_that_stands_for_too_much() {
    let sparse = |shapes: &[Vec<i64>]| {
        let tensor = |at: usize, element: ElementType| TensorProto {
            name: Some(format!("sparse {at}")),
            data_type: Some(element as i32),
            dims: vec![0],
            ..Default::default()
        };
        let mut model = model("gemm.onnx");
        for (at, dims) in shapes.iter().enumerate() {
            let (values, indices) = (tensor(at, ElementType::Float), tensor(at, ElementType::Int64));
            let sparse = SparseTensorProto { values: Some(values), indices: Some(indices), dims: dims.clone() };
            model.graph_mut().sparse_initializer.push(sparse);
        }
        reread(&model).map(|_| ())
    };
    assert_eq!(sparse(&[vec![1 << 10, 1 << 10], vec![1 << 10]]), Ok(()));
    // 4 bytes each: 2^31 of them are one more than a file may have, also if two share them.
    for shapes in [vec![vec![1 << 29]], vec![vec![1 << 28]; 2], vec![vec![1 << 62, 4]], vec![vec![-1]]] {
        let error = sparse(&shapes).unwrap_err();
        assert!(error.contains("the sparse tensor \"sparse ") && error.contains("2 GiB"), "{error}");
    }
}

#[test]
fn instructions_for_training_are_looked_through_as_well() {
    let mut proto: ModelProto = model("gemm.onnx").proto().clone();
    let mut graph = proto.graph.clone().unwrap();
    let data = graph.initializer[0].raw_data.as_mut().unwrap();
    data.truncate(data.len() - 1);
    proto.training_info = vec![TrainingInfoProto { algorithm: Some(graph), ..Default::default() }];
    let error = Model::from_proto(proto).unwrap_err();
    assert!(matches!(*error.problem, Problem::WrongSize { .. }), "{error}");
}
