//! Layout and normalisation in the graph, against the decoding side's; outputs that are kept.

use std::path::Path;

use gleaner::onnx::{
    Arithmetic, Classifier, Embedding, Layout, Model, PixelInput, Problem, expose_embedding, fold_pixels, keep_outputs,
    set_batch, start,
};

use crate::runtime::{bytes, images, normalised, numbers, pixel_input, preprocess, run, tensor};

/// A graph whose only output is its image: what is left of it after folding is the normalisation.
fn through(layout: Layout, channels: usize, opset: i64, ir: i64) -> Model {
    let mut model = start::convnet(4, channels, 20, 16, 1).unwrap();
    let mut proto = model.proto().clone();
    proto.opset_import[0].version = Some(opset);
    proto.ir_version = Some(ir);
    let graph = proto.graph.as_mut().unwrap();
    graph.node.truncate(1);
    graph.node[0] = gleaner::onnx::proto::NodeProto {
        op_type: Some("Identity".to_owned()),
        input: vec!["image".to_owned()],
        output: vec!["same".to_owned()],
        ..Default::default()
    };
    graph.initializer.clear();
    if layout == Layout::Nhwc {
        use gleaner::onnx::proto::type_proto::Value;
        let Some(Value::TensorType(tensor)) = graph.input[0].r#type.as_mut().unwrap().value.as_mut() else { panic!() };
        tensor.shape.as_mut().unwrap().dim[1..].rotate_left(1);
    }
    let mut output = graph.input[0].clone();
    output.name = Some("same".to_owned());
    graph.output = vec![output];
    graph.value_info.clear();
    model = Model::from_proto(proto).unwrap();
    model
}

/// A classifier as it would be found if the graph were one.
fn as_classifier(layout: Layout, channels: usize) -> Classifier {
    let mut found = Classifier::of(&start::convnet(4, channels, 20, 16, 1).unwrap()).unwrap();
    found.layout = layout;
    found
}

#[test]
fn the_graph_normalises_as_the_decoding_side_does() {
    let batch = 3;
    for (opset, ir) in [(9, 3), (9, 4), (12, 7), (13, 7), (17, 8), (21, 10), (23, 11)] {
        for (layout, channels) in [(Layout::Nchw, 1), (Layout::Nchw, 3), (Layout::Nhwc, 1), (Layout::Nhwc, 3)] {
            let preprocess = preprocess(20, 16, channels);
            let images = images(batch * preprocess.bytes());
            let expected = normalised(&images, batch, &preprocess, layout);
            for arithmetic in [Arithmetic::Stepwise, Arithmetic::Scaled] {
                let mut model = through(layout, channels, opset, ir);
                let classifier = as_classifier(layout, channels);
                let input = fold_pixels(&mut model, &classifier, &pixel_input(&preprocess, arithmetic)).unwrap();
                let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
                assert_eq!(
                    model.inputs()[0].to_string(),
                    format!("image/pixels uint8 [N, 20, 16, {channels}]"),
                    "and no weight is an input that must be fed"
                );
                let found = bytes(&model, &input, [batch, 20, 16, channels], &images);
                let case = format!("opset {opset}, {layout:?}, {channels} channels, {arithmetic:?}");
                assert_eq!(found.len(), expected.len(), "{case}");
                if arithmetic == Arithmetic::Stepwise {
                    assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{case}");
                } else {
                    // The numbers go to 2.7, where one unit in the last place is 2.4e-7.
                    let greatest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(greatest <= 7.2e-7, "{case}: {greatest:e}");
                }
            }
        }
    }
}

fn fixture(name: &str) -> Model {
    Model::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name)).unwrap()
}

#[test]
fn a_classifier_says_the_same_of_bytes() {
    for (name, model, batch, extents) in [
        ("convnet", start::convnet(10, 1, 28, 28, 5).unwrap(), 4, [28, 28, 1]),
        ("resnet18", start::resnet18(10, 3, 32, 32, 5, None).unwrap(), 2, [32, 32, 3]),
        ("matmul", fixture("matmul.onnx"), 2, [6, 5, 3]),
        ("tokens", fixture("tokens.onnx"), 5, [4, 4, 1]),
    ] {
        let [height, width, channels] = extents;
        let preprocess = preprocess(height, width, channels);
        let classifier = Classifier::of(&model).unwrap();
        let images = images(batch * height * width * channels);
        let shape = match classifier.layout {
            Layout::Nchw => [batch, channels, height, width],
            Layout::Nhwc => [batch, height, width, channels],
        };
        let floats = normalised(&images, batch, &preprocess, classifier.layout);
        let expected = numbers(&model, &classifier.input, shape, &floats);
        let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        for (arithmetic, tolerance) in [(Arithmetic::Stepwise, 0.0), (Arithmetic::Scaled, 1e-5)] {
            // The batch may be fixed before or afterwards.
            for fixed_first in [true, false] {
                let mut folded = model.clone();
                if fixed_first {
                    set_batch(&mut folded, Some(batch));
                }
                let input = fold_pixels(&mut folded, &classifier, &pixel_input(&preprocess, arithmetic)).unwrap();
                if !fixed_first {
                    set_batch(&mut folded, Some(batch));
                }
                let port = folded.inputs()[0].to_string();
                assert_eq!(port, format!("{input} uint8 [{batch}, {height}, {width}, {channels}]"));
                let found = bytes(&folded, &input, [batch, height, width, channels], &images);
                assert_eq!(found.len(), expected.len(), "{name}");
                let greatest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(greatest <= tolerance * largest, "{name}, {arithmetic:?}: {greatest:e} of {largest}");
            }
        }
    }
}

#[test]
fn names_that_are_taken_and_an_input_with_several_users() {
    let mut model = start::convnet(10, 1, 28, 28, 5).unwrap();
    let preprocess = preprocess(28, 28, 1);
    let images = images(784);
    let floats = normalised(&images, 1, &preprocess, Layout::Nchw);
    let classifier = Classifier::of(&model).unwrap();
    let expected = numbers(&model, "image", [1, 1, 28, 28], &floats);
    let graph = model.graph_mut();
    // Two values with names that folding would choose, both made from the image, one of them an output.
    let shaped = graph.input[0].clone();
    for (name, operator) in [("image/pixels", "Neg"), ("image/planes", "Abs")] {
        graph.node.push(gleaner::onnx::proto::NodeProto {
            op_type: Some(operator.to_owned()),
            input: vec!["image".to_owned()],
            output: vec![name.to_owned()],
            ..Default::default()
        });
    }
    graph.output.extend(["image/pixels", "image"].map(|name| {
        let mut output = shaped.clone();
        output.name = Some(name.to_owned());
        output
    }));
    let input = fold_pixels(&mut model, &classifier, &pixel_input(&preprocess, Arithmetic::Stepwise)).unwrap();
    assert_eq!(input, "image/pixels.2");
    let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let found = run(&model, &input, tensor([1, 28, 28, 1], &images));
    let negative: Vec<f32> = floats.iter().map(|value| -value).collect();
    assert_eq!(found.into_iter().map(|(_, _, data)| data).collect::<Vec<_>>(), [expected, negative, floats]);
}

#[test]
fn pixels_that_do_not_fit() {
    let model = start::convnet(10, 1, 28, 28, 5).unwrap();
    let classifier = Classifier::of(&model).unwrap();
    let fit = PixelInput { mean: &[0.5], std: &[0.5], height: 28, width: 28, arithmetic: Arithmetic::Scaled };
    for (pixels, said) in [
        (PixelInput { width: 32, ..fit }, "images of 32 columns, where the model takes 28"),
        (PixelInput { mean: &[0.5; 3], std: &[0.5; 3], ..fit }, "images of 3 channels, where the model takes 1"),
        (PixelInput { mean: &[0.5, 0.5], ..fit }, "one finite mean and one std above 0"),
        (PixelInput { std: &[0.0], ..fit }, "one finite mean and one std above 0"),
        (PixelInput { mean: &[f32::NAN], ..fit }, "one finite mean and one std above 0"),
    ] {
        let mut changed = model.clone();
        let error = fold_pixels(&mut changed, &classifier, &pixels).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(changed.to_bytes().unwrap(), model.to_bytes().unwrap());
    }
    let other = Classifier { input: "imagine".to_owned(), ..classifier };
    let error = fold_pixels(&mut model.clone(), &other, &fit).unwrap_err();
    assert!(matches!(*error.problem, Problem::Missing { .. }), "{error}");
}

#[test]
fn only_what_is_kept_comes_out() {
    let mut model = start::convnet(10, 1, 28, 28, 5).unwrap();
    expose_embedding(&mut model, &Embedding::Auto).unwrap();
    let input: Vec<f32> = images(784).iter().map(|&level| f32::from(level) / 255.0).collect();
    let image = || tensor([1, 1, 28, 28], &input);
    let all = run(&model, "image", image());
    assert_eq!(all.len(), 2);
    let mut kept = model.clone();
    keep_outputs(&mut kept, &["logits", "embedding"]).unwrap();
    assert_eq!(kept.to_bytes().unwrap(), model.to_bytes().unwrap(), "all of it is needed");
    keep_outputs(&mut kept, &["embedding"]).unwrap();
    let kept = Model::from_bytes(&kept.to_bytes().unwrap()).unwrap();
    assert_eq!(run(&kept, "image", image()), all[1..]);
    let gone = model.graph().initializer.iter().filter(|old| !kept.graph().initializer.contains(old));
    assert_eq!(gone.map(|old| old.name()).collect::<Vec<_>>(), ["fc.weight", "fc.bias"]);
    assert_eq!(model.graph().node.len() - kept.graph().node.len(), 1, "the last layer");
    let error = keep_outputs(&mut model, &["logits", "embeddings"]).unwrap_err().to_string();
    assert!(error.contains("no output named \"embeddings\"; the nearest are embedding"), "{error}");
    assert!(keep_outputs(&mut model, &[]).is_err());
}
