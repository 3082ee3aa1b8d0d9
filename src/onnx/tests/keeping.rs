//! What nobody asks for leaves the graph, and what inner graphs use stays.

use super::*;
use crate::onnx::keep_outputs;
use crate::onnx::port::declare;
use crate::onnx::proto::{AttributeProto, GraphProto, TensorProto};
use crate::onnx::{Dim, ElementType};

fn values(model: &Model) -> Vec<&str> {
    model.graph().node.iter().flat_map(|node| &node.output).map(String::as_str).collect()
}

#[test]
fn a_branch_that_no_output_needs() {
    let mut model = model("gemm.onnx");
    let graph = model.graph_mut();
    graph.initializer.push(TensorProto { name: Some("unused".to_owned()), ..graph.initializer[1].clone() });
    graph.node.push(node("Add", &["hidden", "unused"], "side"));
    let seven = [Dim::Unknown, Dim::Known(7)];
    graph.output.push(declare("side", ElementType::Float, &seven));
    graph.value_info.push(declare("side", ElementType::Float, &seven));
    graph.value_info.push(declare("hidden", ElementType::Float, &seven));
    let mut side = model.clone();
    keep_outputs(&mut model, &["logits"]).unwrap();
    assert_eq!(values(&model), ["flat", "hidden", "features", "w2_seen", "logits"]);
    let names = |model: &Model| model.graph().initializer.iter().map(|w| w.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&model), ["w1", "b1", "w2", "b2"]);
    assert_eq!(model.graph().value_info.len(), 1);
    reread(&model).unwrap();
    keep_outputs(&mut side, &["side"]).unwrap();
    assert_eq!(values(&side), ["flat", "hidden", "side"]);
    assert_eq!(names(&side), ["w1", "b1", "unused"]);
    reread(&side).unwrap();
}

#[test]
fn old_models_lose_the_weight_and_its_input() {
    let mut proto = model("gemm.onnx").proto().clone();
    proto.ir_version = Some(3);
    let graph = proto.graph.as_mut().unwrap();
    let declared: Vec<_> =
        graph.initializer.iter().map(|weight| declare(weight.name(), ElementType::Float, &[])).collect();
    graph.input.extend(declared);
    graph.output.push(declare("features", ElementType::Float, &[Dim::Unknown, Dim::Known(7)]));
    let mut model = Model::from_proto(proto).unwrap();
    keep_outputs(&mut model, &["features"]).unwrap();
    let inputs: Vec<&str> = model.graph().input.iter().map(|input| input.name()).collect();
    assert_eq!(inputs, ["image", "w1", "b1"]);
}

#[test]
fn values_that_an_inner_graph_uses_stay() {
    let mut model = model("gemm.onnx");
    let branch = |name: &str| {
        let inner = GraphProto {
            node: vec![node("Relu", &["hidden"], &format!("{name}/out"))],
            output: vec![declare(&format!("{name}/out"), ElementType::Float, &[])],
            ..Default::default()
        };
        AttributeProto { name: Some(format!("{name}_branch")), g: Some(inner), ..Default::default() }
    };
    let graph = model.graph_mut();
    graph.input.push(declare("condition", ElementType::Bool, &[]));
    let attribute = vec![branch("then"), branch("else")];
    graph.node.push(NodeProto { attribute, ..node("If", &["condition"], "chosen") });
    graph.output.push(declare("chosen", ElementType::Float, &[]));
    keep_outputs(&mut model, &["chosen"]).unwrap();
    assert_eq!(values(&model), ["flat", "hidden", "chosen"]);
    reread(&model).unwrap();
}
