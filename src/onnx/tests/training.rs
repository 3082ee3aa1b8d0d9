//! What training does to a graph.

use super::*;
use crate::onnx::Classifier;
use crate::onnx::proto::GraphProto;
use crate::onnx::tensor::from_f32;
use crate::onnx::training::{Parameter, Reason, Role, Selection, TrainingReport, parameters};

const WEIGHT: Role = Role::Trained { decays: true };
const PLAIN: Role = Role::Trained { decays: false };

fn roles(model: &Model) -> Vec<(String, Role)> {
    let parameters = parameters(model, &Classifier::of(model).unwrap()).unwrap();
    parameters.into_iter().map(|parameter| (parameter.name, parameter.role)).collect()
}

/// gemm.onnx without its nodes and weights, and with these instead; the image is [N, 3, 2, 2], and there are 4 logits.
fn graph(weights: &[(&str, &[usize], f32)], nodes: Vec<NodeProto>) -> Model {
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
            node("Sub", &["signed", "shift"], "shifted"),
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

/// What stays trained or running of a graph's weights under these patterns.
fn left(freeze: &[&str], only: &[&str]) -> Result<Vec<String>, String> {
    let owned = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    let selection = Selection { freeze: owned(freeze), only: owned(only) };
    let model = crate::onnx::start::convnet(10, 1, 28, 28, 1).unwrap();
    let mut parameters = parameters(&model, &Classifier::of(&model).unwrap()).unwrap();
    selection.apply(parameters.iter_mut().map(Parameter::candidate)).map_err(|error| error.to_string())?;
    Ok(parameters.into_iter().filter(|parameter| !parameter.role.stays()).map(|parameter| parameter.name).collect())
}

#[test]
fn patterns_choose_by_name_and_freeze_wins() {
    let all = left(&[], &[]).unwrap();
    assert_eq!(all.len(), 17);
    for (freeze, only, expected) in [
        (&[][..], &["fc.*"][..], &["fc.weight", "fc.bias"][..]),
        (&[], &["fc.weight"], &["fc.weight"]),
        (&["*.bias"], &["fc.*"], &["fc.weight"]),
        (&[], &["*1*ght"], &["conv1.weight", "bn1.weight"]),
        (
            &[],
            &["conv*weight", "*3.running*"],
            &["conv1.weight", "conv2.weight", "conv3.weight", "bn3.running_mean", "bn3.running_var"],
        ),
        (&["*.*"], &[], &[]),
    ] {
        match left(freeze, only) {
            Ok(names) => assert_eq!(sorted(&names), sorted(expected), "{freeze:?} {only:?}"),
            Err(error) => {
                assert!(expected.is_empty(), "{error}");
                assert!(error.contains("leave no weight to train"), "{error}");
            }
        }
    }
    // Only statistics that move are no training.
    assert!(left(&[], &["*.running_mean"]).unwrap_err().contains("leave no weight to train"));
}

#[test]
fn names_that_an_exporter_made_up_have_one_by_their_layer() {
    for (path, alias) in [
        ("/blocks/blocks.0/attn/qkv/MatMul", Some("blocks.0.attn.qkv.weight")),
        ("/features/features.1/features.1.0/mlp/mlp.3/MatMul_1", Some("features.1.0.mlp.3.weight")),
        ("/layers.2/fc1/MatMul", Some("layers.2.fc1.weight")),
        ("/blocks/blocks/MatMul", Some("blocks.blocks.weight")),
        ("/MatMul", None),
        ("MatMul_5", None),
    ] {
        let mut product = node("MatMul", &["flat", "onnx::MatMul_7"], "product");
        product.name = Some(path.to_owned());
        let add = node("Add", &["product", "val_3"], "logits");
        let nodes = vec![node("Flatten", &["image"], "flat"), product, add];
        let model = graph(&[("onnx::MatMul_7", &[12, 4], 0.1), ("val_3", &[4], 0.1)], nodes);
        let parameters = parameters(&model, &Classifier::of(&model).unwrap()).unwrap();
        assert_eq!(parameters[0].alias.as_deref(), alias);
        assert_eq!(parameters[1].alias, None);
    }
}

fn sorted<T: AsRef<str>>(names: &[T]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_pattern_that_matches_nothing_is_named_with_the_nearest_names() {
    for (pattern, near) in
        [("fc.wieght", "fc.weight"), ("conv4*", "conv1.weight"), ("fc", "fc.bias"), ("f*c", "fc.bias")]
    {
        let error = left(&[], &[pattern]).unwrap_err();
        assert!(
            error.starts_with(&format!("train.only: no initializer matches {pattern:?}; the nearest are ")),
            "{error}"
        );
        assert!(error.contains(near), "{error}");
    }
    assert!(left(&["FC.*"], &[]).unwrap_err().starts_with("train.freeze: no initializer matches \"FC.*\""));
}

#[test]
fn the_report_tells_what_the_trainer_would_do() {
    let of = |model: &Model| TrainingReport::of(model.clone(), &Selection::default()).unwrap().to_string();
    let convnet = crate::onnx::start::convnet(10, 1, 28, 28, 1).unwrap();
    let report = of(&convnet);
    for line in [
        "trainer     knows every operator",
        // 9 (1*32 + 32*64 + 64*128) + 128*10 with weight decay, 2 (32 + 64 + 128) + 10 without.
        "parameters  93728 trained with weight decay, 458 trained without, 448 running statistics, 0 fixed",
        "  conv2.weight      64x32x3x3   trained, with weight decay",
        "  bn3.running_mean  128         running statistic",
    ] {
        assert!(report.lines().any(|other| other == line), "{line:?} is missing in\n{report}");
    }
    let mut strange = convnet.clone();
    strange.graph_mut().node[2].op_type = Some("Elu".to_owned());
    strange.graph_mut().node[5].domain = Some("com.example".to_owned());
    assert!(of(&strange).starts_with("trainer     does not know Elu, com.example."), "{}", of(&strange));
    // Beside a made-up name stands what people call it.
    let headed = of(&model("heads/matmul-torchscript.onnx"));
    assert!(headed.contains("  onnx::MatMul_22 (head.weight)  5x7 "), "{headed}");
    // Merged by the exporter, the statistics get names of their own.
    let merged = of(&model("heads/gemm-torchscript.onnx"));
    assert!(merged.contains("features.1.running_mean"), "{merged}");
}
