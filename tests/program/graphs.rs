//! Checkpoints of every kind, without training.

use std::sync::OnceLock;

use gleaner::onnx::Model;
use gleaner::onnx::proto::attribute_proto::AttributeType;
use gleaner::onnx::proto::tensor_proto::{DataLocation, DataType};
use gleaner::onnx::proto::type_proto::Value;
use gleaner::onnx::proto::{AttributeProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, TypeProto};

use prost::Message as _;

use super::tables::parquet;
use super::workshop::{Workshop, images};

const CLASSES: usize = 10;
const WIDTH: usize = 128;
/// Images that the skilled graph has learnt from: the last of so many of the pool's first, which no test uses.
const LEARNT_FROM: usize = 600;
const BEFORE: usize = 20_000;
/// Makes probabilities less extreme: with it the skilled graph is sure of some answers and in doubt of others.
const DOUBT: f64 = 0.1;

/// A graph that is right about most images and sure about many: the random convolutions of the starting graph, and
/// behind them the linear discriminant of a few images' embeddings, for features taken as independent.
pub(crate) fn skilled() -> &'static [u8] {
    static GRAPH: OnceLock<Vec<u8>> = OnceLock::new();
    GRAPH.get_or_init(|| {
        let workshop = Workshop::new(1, "");
        workshop.write("learn.txt", images("pool.txt", BEFORE + LEARNT_FROM)[BEFORE..].join("\n"));
        let arguments =
            ["score", "-c", "config.yaml", "--checkpoint", "start.onnx", "--list", "learn.txt", "--embedding"];
        workshop.run(&[&arguments[..], &["-o", "learn.parquet"]].concat()).well();
        let rows = parquet(&workshop.path("learn.parquet")).1;
        let mut means = vec![[0.0; WIDTH]; CLASSES];
        let labelled: Vec<(usize, Vec<f64>)> =
            rows.iter().map(|row| (row.of("label") as usize, row.embedding())).collect();
        for (class, mean) in means.iter_mut().enumerate() {
            let members: Vec<&Vec<f64>> =
                labelled.iter().filter(|(label, _)| *label == class).map(|(_, embedding)| embedding).collect();
            for (at, value) in mean.iter_mut().enumerate() {
                *value = members.iter().map(|member| member[at]).sum::<f64>() / members.len() as f64;
            }
        }
        let mut variances = [1e-12; WIDTH];
        for (label, embedding) in &labelled {
            for (at, variance) in variances.iter_mut().enumerate() {
                *variance += (embedding[at] - means[*label][at]).powi(2) / labelled.len() as f64;
            }
        }
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for mean in &means {
            weights.extend(mean.iter().zip(&variances).map(|(mean, variance)| (DOUBT * mean / variance) as f32));
            let norm: f64 = mean.iter().zip(&variances).map(|(mean, variance)| mean * mean / variance).sum();
            biases.push((-0.5 * DOUBT * norm) as f32);
        }
        let mut model = Model::from_bytes(&workshop.bytes("start.onnx")).unwrap();
        let [weight, bias] = last_layer(&model);
        model.set_f32(&weight, &[CLASSES, WIDTH], &weights).unwrap();
        model.set_f32(&bias, &[CLASSES], &biases).unwrap();
        model.to_bytes().unwrap()
    })
}

fn last_layer(model: &Model) -> [String; 2] {
    let layer = model.graph().node.iter().find(|node| node.op_type() == "Gemm").unwrap();
    [layer.input[1].clone(), layer.input[2].clone()]
}

/// The same graph, but inclined to take an image for this class: its logit is so much higher.
pub(crate) fn inclined(graph: &[u8], class: usize, by: f32) -> Vec<u8> {
    let mut model = Model::from_bytes(graph).unwrap();
    let [_, bias] = last_layer(&model);
    let mut biases = model.tensor(&bias).unwrap().f32().unwrap().to_vec();
    biases[class] += by;
    model.set_f32(&bias, &[CLASSES], &biases).unwrap();
    model.to_bytes().unwrap()
}

/// The graph after a training that has diverged.
pub(crate) fn diverged(graph: &[u8]) -> Vec<u8> {
    let mut model = Model::from_bytes(graph).unwrap();
    let [_, bias] = last_layer(&model);
    model.set_f32(&bias, &[CLASSES], &[f32::NAN; CLASSES]).unwrap();
    model.to_bytes().unwrap()
}

/// The same graph, but it says that it needs operators that nobody has written yet.
pub(crate) fn of_the_future(graph: &[u8]) -> Vec<u8> {
    let mut model = ModelProto::decode(graph).unwrap();
    model.opset_import.iter_mut().for_each(|opset| opset.version = Some(99));
    model.encode_to_vec()
}

/// The same graph, but its answer to an image that is white all over is not finite. No real image comes near that.
pub(crate) fn blind_to_white(graph: &[u8]) -> Vec<u8> {
    let mut model = Model::from_bytes(graph).unwrap();
    let graph = model.graph_mut();
    let image = graph.input[0].name().to_owned();
    let layer = graph.node.iter().position(|node| node.op_type() == "Gemm").unwrap();
    let embedding = std::mem::replace(&mut graph.node[layer].input[0], "blinded".to_owned());
    // White is 2.02 as the network sees it, and a mean of 1.8 is 92 percent of it.
    graph.initializer.extend([scalar("bright", 1.8), scalar("huge", 1e38)]);
    let blinding = [
        node("GlobalAveragePool", &[&image], "light", Vec::new()),
        node("Flatten", &["light"], "brightness", Vec::new()),
        node("Sub", &["brightness", "bright"], "beyond", Vec::new()),
        node("Relu", &["beyond"], "glare", Vec::new()),
        node("Mul", &["glare", "huge"], "huge_glare", Vec::new()),
        node("Mul", &["huge_glare", "huge"], "endless_glare", Vec::new()),
        node("Add", &[&embedding, "endless_glare"], "blinded", Vec::new()),
    ];
    graph.node.splice(layer..layer, blinding);
    model.to_bytes().unwrap()
}

/// The same graph, which adds the greatest number of the value `much` to the embedding; these nodes make it of `picture`, the image, and
/// of the shape `extents`.
pub(crate) fn with_much(graph: &[u8], extents: &[i64], making: Vec<NodeProto>) -> Vec<u8> {
    let mut model = Model::from_bytes(graph).unwrap();
    let graph = model.graph_mut();
    let image = graph.input[0].name().to_owned();
    graph.initializer.push(TensorProto {
        name: Some("extents".to_owned()),
        data_type: Some(DataType::Int64 as i32),
        dims: vec![extents.len() as i64],
        int64_data: extents.to_vec(),
        ..Default::default()
    });
    let layer = graph.node.iter().position(|node| node.op_type() == "Gemm").unwrap();
    let embedding = std::mem::replace(&mut graph.node[layer].input[0], "shifted".to_owned());
    let whole = integer("keepdims", 0);
    let mut nodes = vec![node("Identity", &[&image], "picture", Vec::new())];
    nodes.extend(making);
    nodes.push(node("ReduceMax", &["much"], "greatest", vec![whole]));
    nodes.push(node("Add", &[&embedding, "greatest"], "shifted", Vec::new()));
    graph.node.splice(layer..layer, nodes);
    model.to_bytes().unwrap()
}

/// An attribute that is a whole number.
pub(crate) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..Default::default()
    }
}

fn scalar(name: &str, value: f32) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        data_type: Some(DataType::Float as i32),
        float_data: vec![value],
        ..Default::default()
    }
}

/// The same graph for images whose channels come last.
pub(crate) fn channels_last(graph: &[u8]) -> Vec<u8> {
    let mut model = Model::from_bytes(graph).unwrap();
    let graph = model.graph_mut();
    let image = graph.input[0].name().to_owned();
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input).filter(|input| **input == image) {
        "channels_first".clone_into(input);
    }
    let Some(TypeProto { value: Some(Value::TensorType(tensor)), .. }) = &mut graph.input[0].r#type else {
        panic!("the input is no tensor")
    };
    // [N, C, H, W] becomes [N, H, W, C].
    tensor.shape.as_mut().unwrap().dim[1..].rotate_left(1);
    let order = AttributeProto {
        name: Some("perm".to_owned()),
        r#type: Some(AttributeType::Ints as i32),
        ints: vec![0, 3, 1, 2],
        ..Default::default()
    };
    graph.node.insert(0, node("Transpose", &[&image], "channels_first", vec![order]));
    model.to_bytes().unwrap()
}

/// The same graph with probabilities as its output.
pub(crate) fn with_softmax(graph: &[u8]) -> Vec<u8> {
    let mut model = Model::from_bytes(graph).unwrap();
    let graph = model.graph_mut();
    let logits = graph.output[0].name().to_owned();
    graph.output[0].name = Some("probabilities".to_owned());
    graph.node.push(node("Softmax", &[&logits], "probabilities", Vec::new()));
    model.to_bytes().unwrap()
}

/// The same graph with its weights in a file of their own, which it calls `location`: the graph and the weights.
pub(crate) fn with_weights_beside(graph: &[u8], location: &str) -> (Vec<u8>, Vec<u8>) {
    let mut model = Model::from_bytes(graph).unwrap();
    let mut weights = Vec::new();
    for tensor in &mut model.graph_mut().initializer {
        let data = tensor.raw_data.take().unwrap();
        let entry = |key: &str, value: String| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
        tensor.external_data = vec![
            entry("location", location.to_owned()),
            entry("offset", weights.len().to_string()),
            entry("length", data.len().to_string()),
        ];
        tensor.data_location = Some(DataLocation::External as i32);
        weights.extend(data);
    }
    (model.to_bytes().unwrap(), weights)
}

/// A node with one output.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: Some(operator.to_owned()),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..Default::default()
    }
}
