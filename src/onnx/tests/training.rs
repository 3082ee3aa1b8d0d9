//! What a person lets train, and what is said of it.

use super::rule::graph;
use super::*;
use crate::onnx::Classifier;
use crate::onnx::proto::AttributeProto;
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::tensor::from_f32;
use crate::onnx::training::{Parameter, Selection, TrainingReport, parameters};

/// A query that was learned, or a table of coordinates, passes a layer and meets the image; Einsum is a layer, too.
fn with_query() -> Model {
    let mut einsum = node("Einsum", &["flat", "w"], "product");
    einsum.attribute.push(AttributeProto {
        name: Some("equation".to_owned()),
        s: Some(b"ni,io->no".as_slice().into()),
        r#type: Some(AttributeType::String.into()),
        ..Default::default()
    });
    graph(
        &[
            ("query", &[1, 3], 0.5),
            ("v", &[3, 4], 0.5),
            ("w", &[12, 4], 0.1),
            ("contrast", &[12], 2.0),
            ("aside", &[4], 1.0),
        ],
        vec![
            node("Flatten", &["image"], "rows"),
            node("Mul", &["rows", "contrast"], "flat"),
            node("MatMul", &["query", "v"], "asked"),
            einsum,
            node("Mul", &["asked", "product"], "logits"),
            node("Add", &["logits", "aside"], "nobody_reads"),
        ],
    )
}

#[test]
fn what_may_be_learned_and_stays_is_told_and_trains_if_a_person_says_so() {
    let model = with_query();
    let of = |also: &[&str]| {
        let also = also.iter().map(|&pattern| pattern.to_owned()).collect();
        TrainingReport::of(model.clone(), &Selection { also, ..Selection::default() })
            .map_err(|error| error.to_string())
    };
    let report = of(&[]).unwrap();
    assert_eq!(report.trained(), 12 + 48);
    let doubt = "15 numbers stay fixed because no layer is seen to have them as its weights: query, contrast; name those that \
                 are learned in `train.also`";
    assert_eq!(report.doubts(), [doubt]);
    let text = report.to_string();
    for line in [
        format!("in doubt    {doubt}"),
        "  query     1x3   fixed: a layer computes from it as from an image".to_owned(),
        "  w         12x4  trained, with weight decay".to_owned(),
    ] {
        assert!(text.lines().any(|other| other == line), "{line:?} is missing in\n{text}");
    }
    assert_eq!(of(&["query"]).unwrap().trained(), 3 + 12 + 48);
    assert_eq!(of(&["*"]).unwrap().trained(), 3 + 12 + 48 + 12);
    assert_eq!(of(&["*"]).unwrap().doubts(), [""; 0]);
    assert!(of(&["aside"]).unwrap_err().contains(
        "train.also: what matches \"aside\" cannot train: the logits do not follow from it; take the pattern out"
    ));
    assert!(of(&["latent"]).unwrap_err().contains("train.also: no initializer matches \"latent\""));
    // What is frozen stays frozen.
    let both = Selection { freeze: vec!["qu*".to_owned()], also: vec!["query".to_owned()], only: Vec::new() };
    assert_eq!(TrainingReport::of(model.clone(), &both).unwrap().trained(), 12 + 48);
}

#[test]
fn weights_in_constant_nodes_are_told() {
    let mut constant = node("Constant", &[], "w");
    constant.attribute.push(AttributeProto {
        name: Some("value".to_owned()),
        t: Some(from_f32("", &[4, 12], &[0.5; 48])),
        r#type: Some(AttributeType::Tensor.into()),
        ..Default::default()
    });
    let nodes = vec![
        constant,
        node("Transpose", &["w"], "turned"),
        node("Flatten", &["image"], "flat"),
        node("MatMul", &["flat", "turned"], "product"),
        node("Add", &["product", "b"], "sum"),
        // This one is a layer's input, and its weight is trained.
        node("MatMul", &["w", "v"], "table"),
        node("Mul", &["sum", "table"], "logits"),
    ];
    let weights: [(&str, &[usize], f32); 2] = [("b", &[4], 0.1), ("v", &[12, 4], 0.1)];
    let report = TrainingReport::of(graph(&weights, nodes), &Selection::default()).unwrap();
    // A bias behind a layer that does not train stands before the first one that does.
    assert_eq!(report.trained(), 48);
    let told = "48 numbers stay fixed because they stand in Constant nodes, where layers have their weights; export the model \
                with its weights as initializers to train them";
    assert!(report.doubts().iter().any(|doubt| doubt == told), "{:?}", report.doubts());
}

/// What stays trained or running of a graph's weights under these patterns.
fn left(freeze: &[&str], only: &[&str]) -> Result<Vec<String>, String> {
    let owned = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    let selection = Selection { freeze: owned(freeze), only: owned(only), also: Vec::new() };
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
    strange.graph_mut().node[2].op_type = Some("Hardmax".to_owned());
    strange.graph_mut().node[5].domain = Some("com.example".to_owned());
    assert!(of(&strange).starts_with("trainer     does not know Hardmax, com.example."), "{}", of(&strange));
    // Beside a made-up name stands what people call it.
    let headed = of(&model("heads/matmul-torchscript.onnx"));
    assert!(headed.contains("  onnx::MatMul_22 (head.weight)  5x7 "), "{headed}");
    // Merged by the exporter, the statistics get names of their own.
    let merged = of(&model("heads/gemm-torchscript.onnx"));
    assert!(merged.contains("features.1.running_mean"), "{merged}");
}
