//! Which weights train, by the nodes that read them.

use super::*;
use crate::onnx::Classifier;
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::{AttributeProto, GraphProto};
use crate::onnx::tensor::from_f32;
use crate::onnx::training::{Reason, Role, parameters};

const WEIGHT: Role = Role::Trained { decays: true };
const PLAIN: Role = Role::Trained { decays: false };

fn roles(model: &Model) -> Vec<(String, Role)> {
    let parameters = parameters(model, &Classifier::of(model).unwrap()).unwrap();
    parameters.into_iter().map(|parameter| (parameter.name, parameter.role)).collect()
}

/// gemm.onnx without its nodes and weights, and with these instead; the image is [N, 3, 2, 2], and there are 4 logits.
pub(super) fn graph(weights: &[(&str, &[usize], f32)], nodes: Vec<NodeProto>) -> Model {
    let mut model = model("gemm.onnx");
    let GraphProto { initializer, node, value_info, .. } = model.graph_mut();
    *initializer =
        weights.iter().map(|(name, dims, value)| from_f32(name, dims, &vec![*value; dims.iter().product()])).collect();
    *node = nodes;
    value_info.clear();
    reread(&model).unwrap()
}

#[test]
fn every_weight_has_a_role_or_the_reason_why_it_has_none() {
    let model = graph(
        &[
            ("mean", &[3, 1, 1], 0.5),
            ("scale", &[3], 1.0),
            ("offset", &[3], 0.0),
            ("running_mean", &[3], 0.0),
            ("running_variance", &[3], 1.0),
            ("w", &[12, 4], 0.1),
            ("b", &[4], 0.1),
            ("temperature", &[], 2.0),
            ("signs", &[4], -3.0),
            ("shift", &[4], 0.5),
            ("mask", &[4], 0.0),
            ("aside", &[4], 1.0),
        ],
        vec![
            node("Sub", &["image", "mean"], "centred"),
            node("BatchNormalization", &["centred", "scale", "offset", "running_mean", "running_variance"], "normal"),
            node("Flatten", &["normal"], "flat"),
            node("MatMul", &["flat", "w"], "product"),
            node("Add", &["product", "b"], "sum"),
            node("Mul", &["sum", "temperature"], "sharper"),
            node("Sign", &["signs"], "sign"),
            node("Mul", &["sharper", "sign"], "signed"),
            node("Max", &["signed", "shift"], "shifted"),
            node("Add", &["shifted", "mask"], "logits"),
            node("Add", &["logits", "aside"], "nobody_reads"),
        ],
    );
    let mut masked = model.clone();
    let mask = masked.graph_mut().initializer.iter_mut().find(|tensor| tensor.name() == "mask").unwrap();
    *mask = from_f32("mask", &[4], &[0.0, -100.0, 0.0, -1e9]);
    let fixed = Role::Fixed;
    let expected = [
        ("mean", fixed(Reason::Preprocessing)),
        ("scale", PLAIN),
        ("offset", PLAIN),
        ("running_mean", Role::Running),
        ("running_variance", Role::Running),
        ("w", WEIGHT),
        ("b", PLAIN),
        ("temperature", fixed(Reason::SingleNumber)),
        ("signs", fixed(Reason::NoGradient)),
        ("shift", fixed(Reason::Constant)),
        ("mask", fixed(Reason::Mask)),
        ("aside", fixed(Reason::Unused)),
    ]
    .map(|(name, role)| (name.to_owned(), role));
    assert_eq!(roles(&masked), expected);
    // With nothing but zeros it is a bias.
    assert_eq!(roles(&model)[10].1, PLAIN);
}

#[test]
fn whatever_a_layer_joins_to_its_values_trains_and_masks_stay() {
    for (operator, inputs, role) in [
        ("Sub", &["product", "v"][..], PLAIN),
        ("Sub", &["v", "product"], PLAIN),
        ("Div", &["product", "v"], PLAIN),
        ("Pow", &["product", "v"], PLAIN),
        ("Sum", &["product", "product", "v"], PLAIN),
        ("Where", &["condition", "product", "v"], PLAIN),
        ("Where", &["condition", "v", "product"], PLAIN),
        ("Max", &["product", "v"], Role::Fixed(Reason::Constant)),
        ("Add", &["product", "zeros_and_ones"], PLAIN),
        ("Mul", &["product", "zeros_and_ones"], Role::Fixed(Reason::Mask)),
        ("Div", &["product", "zeros_and_ones"], Role::Fixed(Reason::Mask)),
        ("Where", &["condition", "product", "zeros_and_ones"], Role::Fixed(Reason::Mask)),
        ("Sub", &["product", "hiding"], Role::Fixed(Reason::Mask)),
        ("Where", &["condition", "hiding", "product"], Role::Fixed(Reason::Mask)),
        ("Mul", &["product", "hiding"], PLAIN),
        ("Div", &["product", "one"], Role::Fixed(Reason::SingleNumber)),
    ] {
        let weights: [(&str, &[usize], f32); 6] = [
            ("w", &[12, 4], 0.1),
            ("v", &[4], 0.5),
            ("zeros_and_ones", &[4], 0.0),
            ("hiding", &[4], 0.0),
            ("one", &[1], 2.0),
            ("condition", &[1], 1.0),
        ];
        let nodes = vec![
            node("Flatten", &["image"], "flat"),
            node("MatMul", &["flat", "w"], "product"),
            node(operator, inputs, "logits"),
        ];
        let mut model = graph(&weights, nodes);
        for (name, values) in [("zeros_and_ones", [0.0, 1.0, 0.0, 1.0]), ("hiding", [0.0, 0.0, 1e9, 0.0])] {
            let initializers = &mut model.graph_mut().initializer;
            *initializers.iter_mut().find(|tensor| tensor.name() == name).unwrap() = from_f32(name, &[4], &values);
        }
        let roles = roles(&model);
        let of = |name: &str| roles.iter().find(|(other, _)| other == name).unwrap().1;
        let name = inputs.iter().find(|name| !["product", "condition"].contains(name)).unwrap();
        assert_eq!(of(name), role, "{operator} of {inputs:?}");
        assert_eq!(of("w"), WEIGHT, "{operator} of {inputs:?}");
    }
}

#[test]
fn a_normalisation_in_training_mode_is_refused_with_the_remedy() {
    let mut convnet = crate::onnx::start::convnet(10, 1, 28, 28, 1).unwrap();
    let normalisation = convnet.graph_mut().node.iter_mut().find(|node| node.name() == "bn2").unwrap();
    normalisation.attribute.push(AttributeProto {
        name: Some("training_mode".to_owned()),
        i: Some(1),
        r#type: Some(AttributeType::Int.into()),
        ..Default::default()
    });
    // Its scale is its mean as well, which is not what is wrong.
    for node in convnet.graph_mut().node.iter_mut().filter(|node| node.name() == "bn2") {
        node.input[3] = node.input[1].clone();
    }
    let error = parameters(&convnet, &Classifier::of(&convnet).unwrap()).unwrap_err().to_string();
    let expected = "node \"bn2\" (BatchNormalization) is in training mode (training_mode is 1); export the model in evaluation mode";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_weight_that_gets_the_type_of_what_it_acts_on_trains() {
    let model = graph(
        &[("w", &[12, 4], 0.1), ("gain", &[4], 2.0), ("offset", &[4], 1.0)],
        vec![
            node("Flatten", &["image"], "flat"),
            node("MatMul", &["flat", "w"], "product"),
            node("CastLike", &["gain", "product"], "typed_gain"),
            node("Mul", &["product", "typed_gain"], "louder"),
            node("CastLike", &["offset", "product"], "typed_offset"),
            node("Add", &["typed_offset", "louder"], "logits"),
        ],
    );
    let expected = [("w", WEIGHT), ("gain", PLAIN), ("offset", PLAIN)];
    assert_eq!(roles(&model), expected.map(|(name, role)| (name.to_owned(), role)));
}

#[test]
fn the_rule_sees_a_convolution_and_a_gemm_behind_an_identity() {
    let names =
        |name: &str| roles(&model(name)).into_iter().map(|(name, role)| format!("{name}: {role}")).collect::<Vec<_>>();
    assert_eq!(
        names("gemm.onnx"),
        ["w1: trained, with weight decay", "b1: trained", "w2: trained, with weight decay", "b2: trained"]
    );
    // Its only weight stands in a Constant node.
    assert_eq!(names("tokens.onnx"), [""; 0]);
}

/// [4, 3, 1, 1] kernels, each of which has mean 0 and variance 1 before it is louder by its gain.
fn standardised(statistics: [NodeProto; 2]) -> Model {
    let [mean, variance] = statistics;
    let mut normalise = node("BatchNormalization", &["rows", "louder", "zeros", "mean", "variance"], "normal");
    normalise.attribute.push(AttributeProto {
        name: Some("training_mode".to_owned()),
        i: Some(i64::from(mean.input[0] == "columns")),
        r#type: Some(AttributeType::Int.into()),
        ..Default::default()
    });
    let weights: [(&str, &[usize], f32); 6] = [
        ("w", &[4, 3, 1, 1], 0.1),
        ("gain", &[4], 2.0),
        ("columns", &[1, 3, 4], 0.1),
        ("two", &[], 2.0),
        ("zeros", &[4], 0.0),
        ("head", &[4, 4], 0.5),
    ];
    let nodes = vec![
        node("Squeeze", &["w"], "matrix"),
        node("Unsqueeze", &["matrix"], "rows"),
        node("Mul", &["gain", "two"], "louder"),
        mean,
        variance,
        normalise,
        node("Reshape", &["normal"], "kernel"),
        node("Conv", &["image", "kernel"], "maps"),
        node("GlobalAveragePool", &["maps"], "pooled"),
        node("Flatten", &["pooled"], "flat"),
        node("MatMul", &["flat", "head"], "logits"),
    ];
    graph(&weights, nodes)
}

#[test]
fn a_kernel_that_is_standardised_trains_and_so_does_its_gain() {
    // Their statistics are computed from the kernel ...
    let computed = standardised([node("ReduceMean", &["rows"], "mean"), node("ReduceL2", &["rows"], "variance")]);
    let roles_of = |model: &Model| roles(model).into_iter().collect::<std::collections::BTreeMap<_, _>>();
    let found = roles_of(&computed);
    for (name, role) in [("w", WEIGHT), ("gain", PLAIN), ("head", WEIGHT), ("two", Role::Fixed(Reason::SingleNumber))] {
        assert_eq!(found[name], role, "{name}");
    }
    // ... or the normalisation computes them itself, and what it is given besides has no meaning.
    let itself = standardised([node("ReduceMean", &["columns"], "mean"), node("ReduceL2", &["columns"], "variance")]);
    let found = roles_of(&itself);
    for (name, role) in [("w", WEIGHT), ("gain", PLAIN), ("columns", Role::Fixed(Reason::Unused))] {
        assert_eq!(found[name], role, "{name}");
    }
}

#[test]
fn statistics_in_another_shape_are_running_ones() {
    let normalise = ["image", "scale", "offset", "flat_mean", "flat_variance"];
    let model = graph(
        &[
            ("scale", &[3], 1.0),
            ("offset", &[3], 0.5),
            ("mean", &[1, 3], 0.0),
            ("variance", &[3, 1], 1.0),
            ("w", &[12, 4], 0.1),
        ],
        vec![
            node("Squeeze", &["mean"], "flat_mean"),
            node("Flatten", &["variance"], "flat"),
            node("Reshape", &["flat"], "flat_variance"),
            node("BatchNormalization", &normalise, "normal"),
            node("Flatten", &["normal"], "rows"),
            node("MatMul", &["rows", "w"], "logits"),
        ],
    );
    let expected =
        [("scale", PLAIN), ("offset", PLAIN), ("mean", Role::Running), ("variance", Role::Running), ("w", WEIGHT)];
    assert_eq!(roles(&model), expected.map(|(name, role)| (name.to_owned(), role)));
}
