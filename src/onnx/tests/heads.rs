//! Another last layer.

use super::*;
use crate::onnx::proto::{NodeProto, TensorProto};
use crate::onnx::{Classifier, Tensor, replace_head};

/// Each kind of last layer out of each of PyTorch's exporters: see `tests/fixtures/make_heads.py`.
const EXPORTS: [&str; 6] = [
    "heads/conv-dynamo.onnx",
    "heads/conv-torchscript.onnx",
    "heads/gemm-dynamo.onnx",
    "heads/gemm-torchscript.onnx",
    "heads/matmul-dynamo.onnx",
    "heads/matmul-torchscript.onnx",
];

fn refusal(model: &mut Model) -> String {
    replace_head(model, 3, 1).unwrap_err().to_string()
}

fn tensors(model: &Model) -> Vec<&TensorProto> {
    model.graph().initializer.iter().collect()
}

#[test]
fn only_the_last_layer_of_an_export_changes() {
    for name in EXPORTS {
        let old = model(name);
        let mut new = old.clone();
        let head = replace_head(&mut new, 3, 1).unwrap();
        let new = reread(&new).unwrap();
        assert_eq!((head.before, head.weights.len()), (7, 2), "{name}");
        assert_eq!(Classifier::of(&new).unwrap().classes, Some(3), "{name}");
        let kept = |tensor: &&&TensorProto| !head.weights.iter().any(|weight| weight == tensor.name());
        let (before, after) = (tensors(&old), tensors(&new));
        assert_eq!(before.iter().filter(kept).count() + 2, before.len(), "{name}");
        // A shape that named the old classes may have got one of its own.
        assert!(before.iter().filter(kept).all(|tensor| after.contains(tensor)), "{name}");
        let operators =
            |model: &Model| model.graph().node.iter().map(NodeProto::op_type).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(operators(&old), operators(&new), "{name}");
    }
}

#[test]
fn the_new_weights_lie_evenly_within_one_over_the_root_of_the_inputs() {
    let mut model = crate::onnx::start::convnet(10, 1, 28, 28, 1).unwrap();
    replace_head(&mut model, 500, 3).unwrap();
    let bound = 1.0 / 128f64.sqrt();
    for (name, count) in [("fc.weight", 64_000), ("fc.bias", 500)] {
        let Tensor { values, .. } = model.tensor(name).unwrap();
        let crate::onnx::Values::F32(values) = values else { panic!("{name} holds no floats") };
        assert_eq!(values.len(), count);
        assert!(values.iter().all(|value| f64::from(value.abs()) <= bound), "{name}");
        // Each tenth of the range holds a tenth of them, to within five standard deviations.
        for tenth in 0..10 {
            let low = bound * (f64::from(tenth) / 5.0 - 1.0);
            let found =
                values.iter().filter(|value| (low..low + bound / 5.0).contains(&f64::from(**value))).count() as f64;
            let expected = count as f64 / 10.0;
            assert!((found - expected).abs() < 5.0 * (expected * 0.9).sqrt(), "{name}: {found} from {low} on");
        }
    }
}

#[test]
fn the_layout_of_a_weight_does_not_matter_to_its_numbers_and_the_seed_does() {
    let drawn = |name: &str, weight: &str, seed| {
        let mut model = model(name);
        replace_head(&mut model, 3, seed).unwrap();
        model.tensor(weight).unwrap()
    };
    let rows = drawn("heads/matmul-dynamo.onnx", "head.weight", 1);
    let columns = drawn("heads/matmul-torchscript.onnx", "onnx::MatMul_22", 1);
    assert_eq!((rows.dims.as_slice(), columns.dims.as_slice()), (&[3, 5][..], &[5, 3][..]));
    let (rows, columns) = (rows.f32().unwrap(), columns.f32().unwrap());
    for class in 0..3 {
        for input in 0..5 {
            assert_eq!(rows[class * 5 + input], columns[input * 3 + class]);
        }
    }
    assert_eq!(drawn("heads/conv-dynamo.onnx", "classifier.1.weight", 1).f32().unwrap(), rows);
    assert_ne!(drawn("heads/conv-dynamo.onnx", "classifier.1.weight", 2).f32().unwrap(), rows);
}

#[test]
fn a_weight_in_a_constant_node_becomes_an_initializer_and_a_told_shape_follows() {
    let mut model = model("tokens.onnx");
    let head = replace_head(&mut model, 5, 1).unwrap();
    assert_eq!((head.before, head.weights), (3, vec!["w".to_owned()]));
    let model = reread(&model).unwrap();
    assert_eq!(model.tensor("w").unwrap().dims, [5, 16]);
    let reshape = model.graph().node.iter().rfind(|node| node.op_type() == "Reshape").unwrap();
    assert_eq!(model.tensor(&reshape.input[1]).unwrap().i64().unwrap(), [-1, 5]);
    assert_eq!(Classifier::of(&model).unwrap().classes, Some(5));
}

#[test]
fn a_softmax_stays_and_a_bias_may_stand_on_the_left() {
    let mut model = model("matmul.onnx");
    let head = replace_head(&mut model, 2, 1).unwrap();
    assert_eq!(head.weights, ["w2", "b2"]);
    let model = reread(&model).unwrap();
    assert_eq!(model.graph().node.last().unwrap().op_type(), "Softmax");
    assert_eq!((model.tensor("w2").unwrap().dims, model.tensor("b2").unwrap().dims), (vec![8, 2], vec![2]));
    assert_eq!(model.outputs()[0].to_string(), "probabilities float [2, 2]");
}

#[test]
fn a_bias_that_others_use_is_left_to_them() {
    let mut model = model("gemm.onnx");
    model.graph_mut().node.push(node("Relu", &["b2"], "again"));
    let before = model.tensor("b2").unwrap();
    let head = replace_head(&mut model, 3, 1).unwrap();
    assert_eq!(head.weights, ["w2", "b2.2"]);
    let model = reread(&model).unwrap();
    assert_eq!((model.tensor("b2").unwrap(), model.tensor("b2.2").unwrap().dims), (before, vec![3]));
}

#[test]
fn a_layer_without_bias_gets_none() {
    let mut model = model("gemm.onnx");
    model.graph_mut().node.last_mut().unwrap().input.truncate(2);
    assert_eq!(replace_head(&mut model, 3, 1).unwrap().weights, ["w2"]);
}

#[test]
fn metadata_of_the_old_classes_are_dropped() {
    let mut model = model("gemm.onnx");
    for (key, value) in [("names", "{0: 'cat'}"), ("gleaner.epoch", "7"), ("author", "somebody")] {
        model.set_metadata(key, value);
    }
    assert_eq!(replace_head(&mut model, 3, 1).unwrap().dropped, ["gleaner.epoch", "names"]);
    assert_eq!(model.metadata().into_keys().collect::<Vec<_>>(), ["author"]);
}

#[test]
fn what_cannot_be_replaced_is_named() {
    let mut tied = model("gemm.onnx");
    tied.graph_mut().node.push(node("Relu", &["w2_seen"], "again"));
    assert!(
        refusal(&mut tied).contains("shares its weight \"w2\" with others, 2 uses in all"),
        "{}",
        refusal(&mut tied)
    );

    let mut wide = model("gemm.onnx");
    let weight = &mut wide.graph_mut().initializer[2];
    assert_eq!(weight.name(), "w2");
    weight.data_type = Some(crate::onnx::ElementType::Double as i32);
    assert!(refusal(&mut wide).contains("tensor \"w2\" is of type double; only a last layer of 32-bit floats"));

    let mut computed = model("gemm.onnx");
    computed.graph_mut().node[3] = node("Relu", &["w2"], "w2_seen");
    assert!(refusal(&mut computed).contains("has no weight that stands in the model"));

    let mut wide = model("heads/conv-torchscript.onnx");
    let weight = wide.graph_mut().initializer.iter_mut().find(|tensor| tensor.name() == "classifier.1.weight").unwrap();
    *weight = crate::onnx::tensor::from_f32("classifier.1.weight", &[7, 5, 3, 3], &[0.0; 315]);
    assert!(refusal(&mut wide).contains("has a weight of the shape [7, 5, 3, 3]"), "{}", refusal(&mut wide));

    let mut scaled = model("gemm.onnx");
    scaled.graph_mut().node.push(node("Mul", &["logits", "b2"], "scaled"));
    scaled.graph_mut().output[0].name = Some("scaled".to_owned());
    assert!(refusal(&mut scaled).contains("numbers of its own for each of the 4 classes in \"b2\""));

    let mut other = model("gemm.onnx");
    other.graph_mut().node.push(node("Tanh", &["logits"], "out"));
    other.graph_mut().output[0].name = Some("out".to_owned());
    assert!(refusal(&mut other).contains("\"out\" comes from a node Tanh, not from a Gemm, MatMul or Conv"));
}
