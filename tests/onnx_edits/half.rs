//! Graphs in half precision, against the same graphs in single precision.

use gleaner::onnx::proto::attribute_proto::AttributeType;
use gleaner::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};
use gleaner::onnx::{
    Arithmetic, Classifier, ElementType, Embedding, Model, expose_embedding, fold_pixels, start, to_half,
};

use crate::runtime::{images, pixel_input, preprocess, run, tensor};

fn types(model: &Model) -> Vec<(&str, ElementType)> {
    let weights = model.graph().initializer.iter();
    weights.map(|weight| (weight.name(), ElementType::try_from(weight.data_type()).unwrap())).collect()
}

#[test]
fn classifiers_say_nearly_the_same() {
    for (name, mut model, side, channels) in [
        ("convnet", start::convnet(10, 1, 28, 28, 5).unwrap(), 28, 1),
        ("resnet18", start::resnet18(10, 3, 32, 32, 5, None).unwrap(), 32, 3),
    ] {
        let preprocess = preprocess(side, side, channels);
        let classifier = Classifier::of(&model).unwrap();
        expose_embedding(&mut model, &Embedding::Auto).unwrap();
        let input = fold_pixels(&mut model, &classifier, &pixel_input(&preprocess, Arithmetic::Scaled)).unwrap();
        let images = || tensor([4, side, side, channels], &images(4 * preprocess.bytes()));
        let expected = run(&model, &input, images());
        let ports = (model.inputs(), model.outputs());
        to_half(&mut model, &classifier.input).unwrap();
        let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
        assert_eq!((model.inputs(), model.outputs()), ports, "{name}: bytes in, floats out");
        let single = types(&model).into_iter().filter(|(_, element)| *element == ElementType::Float);
        assert_eq!(single.map(|(name, _)| name).collect::<Vec<_>>(), ["image/scale", "image/offset"], "{name}");
        let found = run(&model, &input, images());
        assert_eq!(found.len(), 2);
        for ((_, shape, found), (output, expected_shape, expected)) in found.iter().zip(&expected) {
            assert_eq!(shape, expected_shape);
            let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let greatest = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{name} {output}: {greatest:e} of {largest}");
            assert!(greatest <= 2e-2 * largest, "{name} {output}: {greatest:e} of {largest}");
            assert!(greatest > 1e-6 * largest, "{name} {output}: this is not half precision");
        }
    }
}

fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: Some(operator.to_owned()),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..Default::default()
    }
}

fn to(element: ElementType) -> Vec<AttributeProto> {
    let kind = Some(AttributeType::Int as i32);
    vec![AttributeProto { name: Some("to".to_owned()), r#type: kind, i: Some(element as i64), ..Default::default() }]
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(ElementType::Float as i32),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

/// A graph of operators that have no half-precision form, at least in operator set 13, of arithmetic with a shape that
/// half precision would get wrong, and of bounds that half precision does not have.
fn troublesome() -> Model {
    let mut proto = start::convnet(2, 1, 4, 4, 1).unwrap().proto().clone();
    proto.opset_import[0].version = Some(13);
    let graph = proto.graph.as_mut().unwrap();
    graph.node = vec![
        node("Resize", &["image", "", "twice"], "resized", vec![]),
        node("CumSum", &["resized", "axis"], "summed", vec![]),
        node("Clip", &["summed", "low", "high"], "clipped", vec![]),
        node("QuantizeLinear", &["clipped", "step", "zero"], "quantized", vec![]),
        node("DequantizeLinear", &["quantized", "step", "zero"], "restored", vec![]),
        node("Shape", &["restored"], "shape", vec![]),
        node("Cast", &["shape"], "extents", to(ElementType::Float)),
        node("Mul", &["extents", "factors"], "products", vec![]),
        node("Sub", &["products", "differences"], "flat", vec![]),
        node("Cast", &["flat"], "flat_shape", to(ElementType::Int64)),
        node("Reshape", &["restored", "flat_shape"], "rows", vec![]),
        node("Identity", &["weight"], "weight_seen", vec![]),
        node("MatMul", &["rows", "weight_seen"], "product", vec![]),
        node("Celu", &["product"], "logits", vec![]),
        node("Relu", &["logits"], "rectified", vec![]),
    ];
    let integer = |name: &str, element: ElementType, value: i32| TensorProto {
        name: Some(name.to_owned()),
        data_type: Some(element as i32),
        int32_data: vec![value],
        ..Default::default()
    };
    let axis = TensorProto { int32_data: vec![], int64_data: vec![3], ..integer("axis", ElementType::Int64, 0) };
    // [1, 1, 8, 8] becomes [1, 1, 4, 16]: 4099 * 8 - 32788 = 4 and 4099 * 8 - 32776 = 16.
    graph.initializer = vec![
        floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]),
        axis,
        floats("low", &[], &[f32::MIN]),
        floats("high", &[], &[f32::MAX]),
        floats("step", &[], &[0.25]),
        integer("zero", ElementType::Uint8, 0),
        floats("factors", &[4], &[4099.0; 4]),
        floats("differences", &[4], &[4098.0, 4098.0, 32788.0, 32776.0]),
        floats("weight", &[16, 2], &std::array::from_fn::<f32, 32, _>(|place| place as f32 / 16.0 - 1.0)),
    ];
    let port = |name: &str| {
        let mut port = graph.input[0].clone();
        port.name = Some(name.to_owned());
        use gleaner::onnx::proto::type_proto::Value;
        let Some(Value::TensorType(tensor)) = port.r#type.as_mut().unwrap().value.as_mut() else { panic!() };
        tensor.shape = None;
        port
    };
    graph.output = ["logits", "rectified", "restored"].map(port).to_vec();
    graph.value_info.clear();
    Model::from_proto(proto).unwrap()
}

#[test]
fn operators_without_a_half_precision_form() {
    let mut model = troublesome();
    let image: Vec<f32> = (0..16).map(|place| place as f32 / 16.0).collect();
    let expected = run(&model, "image", tensor([1, 1, 4, 4], &image));
    assert_eq!(expected[0].1, [1, 1, 4, 2]);
    to_half(&mut model, "image").unwrap();
    let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let of = |wanted| types(&model).into_iter().filter(move |(_, element)| *element == wanted).map(|(name, _)| name);
    let half: Vec<&str> = of(ElementType::Float16).collect();
    assert_eq!(half, ["low/half", "high/half", "weight/half"]);
    assert_eq!(of(ElementType::Float).collect::<Vec<_>>(), ["twice", "step", "factors", "differences"]);
    // All the numbers have few enough digits that half precision holds them.
    assert_eq!(run(&model, "image", tensor([1, 1, 4, 4], &image)), expected);
}

fn refusal(model: &Model, image: &str) -> String {
    let mut changed = model.clone();
    let error = to_half(&mut changed, image).unwrap_err().to_string();
    assert_eq!(changed.to_bytes().unwrap(), model.to_bytes().unwrap());
    error
}

#[test]
fn what_cannot_be_had_in_half_precision() {
    let mut model = troublesome();
    model.graph_mut().initializer.last_mut().unwrap().float_data[7] = -65520.0;
    let error = refusal(&model, "image");
    assert!(error.contains("the weight \"weight\" holds -6.552e4, and half precision ends at 65504"), "{error}");
    let mut model = troublesome();
    model.graph_mut().node[14].domain = Some("com.example".to_owned());
    let error = refusal(&model, "image");
    assert!(error.contains("Relu that makes \"rectified\" is of the domain \"com.example\""), "{error}");
    let mut model = troublesome();
    model.graph_mut().node[14].attribute =
        vec![AttributeProto { g: Some(GraphProto::default()), ..Default::default() }];
    let error = refusal(&model, "image");
    assert!(error.contains("Relu that makes \"rectified\" holds graphs of its own"), "{error}");
    let error = refusal(&troublesome(), "images");
    assert!(error.contains("no float value named \"images\"; the nearest are image"), "{error}");
    assert!(refusal(&troublesome(), "shape").contains("no float value named \"shape\""));
}
