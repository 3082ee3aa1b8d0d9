//! The interface of a classifier is found, or the reason why there is none.

use super::*;
use crate::onnx::port::declare;
use crate::onnx::{Classifier, Dim, ElementType, EmbeddingSite, Layout, OutputKind};

fn site(value: &str, width: usize, flat: bool) -> Option<EmbeddingSite> {
    Some(EmbeddingSite { value: value.to_owned(), width: Some(width), flat, element: ElementType::Float })
}

fn refusal(model: &Model) -> String {
    Classifier::of(model).unwrap_err().to_string()
}

/// gemm.onnx with another shape of its image.
fn shaped(dims: &[Dim]) -> Model {
    let mut model = model("gemm.onnx");
    model.graph_mut().input[0] = declare("image", ElementType::Float, dims);
    model
}

#[test]
fn a_gemm_classifier() {
    let expected = Classifier {
        input: "image".into(),
        layout: Layout::Nchw,
        batch: None,
        channels: Some(3),
        height: Some(2),
        width: Some(2),
        output: "logits".into(),
        kind: OutputKind::Logits,
        classes: Some(4),
        embedding: site("features", 7, true),
    };
    assert_eq!(Classifier::of(&model("gemm.onnx")).unwrap(), expected);
}

#[test]
fn a_matmul_classifier_of_nhwc_images() {
    let expected = Classifier {
        input: "pixels".into(),
        layout: Layout::Nhwc,
        batch: Some(2),
        channels: Some(3),
        height: Some(6),
        width: Some(5),
        output: "probabilities".into(),
        kind: OutputKind::Probabilities,
        classes: Some(5),
        embedding: site("features", 8, true),
    };
    assert_eq!(Classifier::of(&model("matmul.onnx")).unwrap(), expected);
}

#[test]
fn a_weight_behind_a_transpose_and_a_reshape_before_the_output() {
    let classifier = Classifier::of(&model("tokens.onnx")).unwrap();
    assert_eq!((classifier.classes, classifier.embedding), (Some(3), site("tokens", 16, false)));
}

#[test]
fn rows_that_do_not_make_the_classes_have_no_certain_width() {
    let mut model = model("tokens.onnx");
    // As if two rows of 3 were reshaped into 6 classes.
    model.graph_mut().output[0] = declare("logits", ElementType::Float, &[Dim::Unknown, Dim::Known(6)]);
    let classifier = Classifier::of(&model).unwrap();
    assert_eq!((classifier.classes, classifier.embedding.unwrap().width), (Some(6), None));
}

#[test]
fn classes_come_from_the_weights_where_the_output_is_open() {
    let mut model = model("gemm.onnx");
    model.graph_mut().output[0] = declare("logits", ElementType::Float, &[Dim::Unknown, Dim::Symbol("C".into())]);
    assert_eq!(Classifier::of(&model).unwrap().classes, Some(4));
    model.graph_mut().output[0].r#type = None;
    assert_eq!(Classifier::of(&model).unwrap().classes, Some(4));
}

#[test]
fn layouts() {
    let (n, k, s) = (Dim::Unknown, Dim::Known, || Dim::Symbol("S".into()));
    for (dims, layout, channels, height, width) in [
        ([k(3), k(32), k(24)], Layout::Nchw, Some(3), Some(32), Some(24)),
        ([k(32), k(24), k(1)], Layout::Nhwc, Some(1), Some(32), Some(24)),
        ([s(), s(), k(3)], Layout::Nhwc, Some(3), None, None),
        ([k(1), s(), s()], Layout::Nchw, Some(1), None, None),
        ([k(3), k(32), k(3)], Layout::Nchw, Some(3), Some(32), Some(3)),
        ([k(4), k(32), k(24)], Layout::Nchw, Some(4), Some(32), Some(24)),
        ([s(), s(), s()], Layout::Nchw, None, None, None),
    ] {
        let [one, two, three] = dims.clone();
        let found = Classifier::of(&shaped(&[n.clone(), one, two, three])).unwrap();
        assert_eq!(
            (found.layout, found.channels, found.height, found.width),
            (layout, channels, height, width),
            "{dims:?}"
        );
    }
}

#[test]
fn extents_of_zero_or_less_are_open() {
    let mut model = shaped(&[Dim::Known(1), Dim::Known(3), Dim::Known(8), Dim::Known(8)]);
    let dims = crate::onnx::port::dimensions_mut(&mut model.graph_mut().input[0]).unwrap();
    use crate::onnx::proto::tensor_shape_proto::dimension::Value;
    dims[0].value = Some(Value::DimValue(-1));
    dims[2].value = Some(Value::DimValue(0));
    let found = Classifier::of(&model).unwrap();
    assert_eq!((found.batch, found.height, found.width), (None, None, Some(8)));
}

#[test]
fn the_output_is_followed_through_what_does_not_matter() {
    let mut model = model("gemm.onnx");
    for (operator, input, output) in [
        ("Dropout", "logits", "a"),
        ("Cast", "a", "b"),
        ("Softmax", "b", "c"),
        ("Flatten", "c", "d"),
        ("Identity", "d", "e"),
    ] {
        model.graph_mut().node.push(node(operator, &[input], output));
    }
    model.graph_mut().output[0].name = Some("e".into());
    let found = Classifier::of(&model).unwrap();
    assert_eq!((found.kind, found.embedding), (OutputKind::Probabilities, site("features", 7, true)));
}

#[test]
fn no_layer_no_embedding() {
    let mut changed = model("gemm.onnx");
    // Both inputs of the last layer depend on the image.
    changed.graph_mut().node[4].input[1] = "flat".into();
    assert_eq!(Classifier::of(&changed).unwrap().embedding, None);
    let mut changed = model("gemm.onnx");
    changed.graph_mut().node.push(node("Relu", &["logits"], "end"));
    changed.graph_mut().output[0].name = Some("end".into());
    let found = Classifier::of(&changed).unwrap();
    assert_eq!((found.embedding, found.classes), (None, Some(4)));
}

#[test]
fn a_sigmoid_is_refused() {
    let mut model = model("gemm.onnx");
    model.graph_mut().node.push(node("Sigmoid", &["logits"], "end"));
    model.graph_mut().output[0].name = Some("end".into());
    assert!(refusal(&model).contains("\"end\" ends with a Sigmoid"));
}

#[test]
fn images_that_are_none_or_several() {
    let mut changed = model("gemm.onnx");
    let flat = [Dim::Unknown, Dim::Known(12)];
    changed.graph_mut().input[0] = declare("image", ElementType::Float, &flat);
    assert!(refusal(&changed).contains("the input is image float [?, 12]; an image input of type float and rank 4"));
    changed.graph_mut().input[0] = declare("image", ElementType::Uint8, &[const { Dim::Unknown }; 4]);
    assert!(refusal(&changed).contains("the input is image uint8 [?, ?, ?, ?]"));
    let mut changed = model("gemm.onnx");
    changed.graph_mut().input.push(declare("second", ElementType::Float, &flat));
    assert!(refusal(&changed).contains("has 2 inputs where exactly one, the image, can be fed"));
    changed.graph_mut().input.clear();
    assert!(refusal(&changed).contains("the graph has no input"));
}

#[test]
fn outputs_that_hold_no_classes() {
    let mut model = model("gemm.onnx");
    model.graph_mut().output[0] = declare("logits", ElementType::Int64, &[Dim::Unknown]);
    assert!(refusal(&model).contains("no output can hold the classes"));
    // The first output of rank 2 is taken, whatever stands before it.
    model.graph_mut().output.push(declare("hidden", ElementType::Float, &[Dim::Unknown, Dim::Known(7)]));
    let found = Classifier::of(&model).unwrap();
    assert_eq!((found.output.as_str(), found.embedding), ("hidden", site("flat", 12, true)));
}

#[test]
fn of_several_outputs_that_of_the_last_layer_holds_the_classes() {
    let mut model = model("gemm.onnx");
    model.graph_mut().output.insert(0, declare("flat", ElementType::Float, &[Dim::Unknown, Dim::Known(12)]));
    let found = Classifier::of(&model).unwrap();
    assert_eq!((found.output.as_str(), found.classes), ("logits", Some(4)));
    // Where none comes from a layer, it is the first.
    model.graph_mut().node.push(node("Relu", &["logits"], "end"));
    model.graph_mut().output[1] = declare("end", ElementType::Float, &[Dim::Unknown, Dim::Known(4)]);
    assert_eq!(Classifier::of(&model).unwrap().output, "flat");
}
