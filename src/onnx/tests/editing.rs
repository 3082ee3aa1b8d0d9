//! Embeddings become outputs, batches are freed and fixed. ONNX's checker and ONNX Runtime accept the results
//! (`scripts/check_onnx.py`).

use super::*;
use crate::onnx::port::declare;
use crate::onnx::{Dim, ElementType, Embedding, EmbeddingPort, Problem, expose_embedding, set_batch};

fn ports(ports: &[crate::onnx::Port]) -> Vec<String> {
    ports.iter().map(ToString::to_string).collect()
}

fn exposed(model: &mut Model, which: &Embedding) -> (String, Option<usize>) {
    let EmbeddingPort { name, width } = expose_embedding(model, which).unwrap().unwrap();
    (name, width)
}

#[test]
fn the_embedding_becomes_an_output() {
    for (name, value, width, outputs) in [
        ("gemm.onnx", "features", 7, ["logits float [N, 4]", "features float [N, 7]"]),
        ("matmul.onnx", "features", 8, ["probabilities float [2, 5]", "features float [2, 8]"]),
        ("tokens.onnx", "tokens/flattened", 16, ["logits float [N, 3]", "tokens/flattened float [N, 16]"]),
    ] {
        let mut model = model(name);
        assert_eq!(exposed(&mut model, &Embedding::Auto), (value.to_owned(), Some(width)));
        assert_eq!(ports(&model.outputs()), outputs);
        let once = model.to_bytes().unwrap();
        assert_eq!(exposed(&mut model, &Embedding::Auto), (value.to_owned(), Some(width)));
        assert_eq!(model.to_bytes().unwrap(), once, "the second time changes nothing");
        reread(&model).unwrap();
    }
}

#[test]
fn no_embedding_no_change() {
    let mut model = model("gemm.onnx");
    let before = model.to_bytes().unwrap();
    assert_eq!(expose_embedding(&mut model, &Embedding::None).unwrap(), None);
    assert_eq!(model.to_bytes().unwrap(), before);
}

#[test]
fn a_named_value() {
    let named = |name: &str| Embedding::Named(name.to_owned());
    let mut changed = model("gemm.onnx");
    assert_eq!(exposed(&mut changed, &named("flat")), ("flat".into(), Some(12)));
    // Nothing is written about "hidden", and no layer takes it: it is flattened to be sure.
    assert_eq!(exposed(&mut changed, &named("hidden")), ("hidden/flattened".into(), None));
    assert_eq!(exposed(&mut changed, &named("logits")), ("logits".into(), Some(4)));
    let expected =
        ["logits float [N, 4]", "flat float [N, 12]", "hidden/flattened float [N, ?]"].map(str::to_owned).to_vec();
    assert_eq!(ports(&changed.outputs()), expected);
    reread(&changed).unwrap();
    let mut changed = model("matmul.onnx");
    let dims = [2, 3, 6, 5].map(Dim::Known);
    changed.graph_mut().value_info.push(declare("turned", ElementType::Float, &dims));
    assert_eq!(exposed(&mut changed, &named("turned")), ("turned/flattened".into(), Some(90)));
    assert_eq!(ports(&changed.outputs())[1], "turned/flattened float [2, 90]");
}

#[test]
fn a_name_that_is_not_there() {
    let mut model = model("gemm.onnx");
    let error = expose_embedding(&mut model, &Embedding::Named("feature".into())).unwrap_err().to_string();
    assert!(error.contains("there is no value named \"feature\"; the nearest are features"), "{error}");
    let error = expose_embedding(&mut model, &Embedding::Named("w1".into())).unwrap_err();
    assert!(matches!(*error.problem, Problem::Missing { .. }), "a weight describes no image");
}

#[test]
fn no_layer_to_find_it_at() {
    let mut model = model("branches.onnx");
    let error = expose_embedding(&mut model, &Embedding::Auto).unwrap_err().to_string();
    assert!(error.contains("no embedding found: \"scores\"") && error.contains("say `none`"), "{error}");
}

#[test]
fn the_batch_is_fixed_and_freed() {
    let mut model = model("matmul.onnx");
    model.graph_mut().value_info.push(declare("features", ElementType::Float, &[2, 8].map(Dim::Known)));
    set_batch(&mut model, None);
    assert_eq!(ports(&model.inputs()), ["pixels float [N, 6, 5, 3]"]);
    assert_eq!(ports(&model.outputs()), ["probabilities float [N, 5]"]);
    assert_eq!(crate::onnx::Port::of(&model.graph().value_info[0]).to_string(), "features float [?, 8]");
    set_batch(&mut model, Some(7));
    assert_eq!(ports(&model.inputs()), ["pixels float [7, 6, 5, 3]"]);
    assert_eq!(ports(&model.outputs()), ["probabilities float [7, 5]"]);
}

#[test]
fn what_does_not_follow_the_batch_stays() {
    let mut model = model("matmul.onnx");
    model.graph_mut().output.push(declare("w1", ElementType::Float, &[3, 8].map(Dim::Known)));
    set_batch(&mut model, None);
    assert_eq!(ports(&model.outputs()), ["probabilities float [N, 5]", "w1 float [3, 8]"]);
}
