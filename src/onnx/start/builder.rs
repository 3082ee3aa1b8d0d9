//! Putting a graph together node by node, with weights drawn as PyTorch would draw them.

use crate::draw::{Draws, Stream};
use crate::onnx::element::ElementType;
use crate::onnx::error::{Error, Problem, Result};
use crate::onnx::port::{Dim, declare};
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use crate::onnx::{Model, tensor};

/// The operator set of the graphs: old enough for every runtime, new enough for every operator used.
const OPSET: i64 = 17;
/// The IR version that belongs to this operator set.
const IR_VERSION: i64 = 8;

/// The extents of the images and of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extents {
    pub classes: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Extents {
    /// Refuses images and answers of no size, fewer than two classes, and extents beyond a million.
    pub(super) fn check(self) -> Result<Self> {
        let fail = |reason: String| Err(Error::new("starting graph", Problem::Start(reason)));
        let Self { classes, channels, height, width } = self;
        for (name, extent, least) in
            [("classes", classes, 2), ("channels", channels, 1), ("height", height, 4), ("width", width, 4)]
        {
            if !(least..=1_000_000).contains(&extent) {
                return fail(format!("{extent} for {name}; {least} to 1000000 are possible"));
            }
        }
        Ok(self)
    }
}

/// A convolution's form; kernels, strides and padding are the same in both directions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    pub inputs: usize,
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
}

/// A graph under construction. Every method adds a layer behind the value `input` and gives the name of its output.
pub(super) struct Builder {
    extents: Extents,
    draws: Draws,
    drawn: u64,
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Builder {
    pub(super) fn new(extents: Extents, seed: u64) -> Self {
        let draws = Draws::new(seed, 0, Stream::Weights);
        Self { extents, draws, drawn: 0, nodes: Vec::new(), weights: Vec::new() }
    }

    /// A convolution without bias, padded so that stride 1 keeps the size. Its weights are Kaiming-normal for a Relu by
    /// the fan-out: N(0, 2 / (outputs * kernel^2)) (He et al., "Delving Deep into Rectifiers", ICCV 2015).
    pub(super) fn convolution(&mut self, input: &str, name: &str, form: Convolution) -> String {
        let Convolution { inputs, outputs, kernel, stride } = form;
        let deviation = (2.0 / (outputs * kernel * kernel) as f64).sqrt();
        let dims = [outputs, inputs, kernel, kernel];
        let values = self.normal(dims.iter().product(), deviation);
        let weight = self.weight(name, "weight", &dims, values);
        let attributes =
            [("kernel_shape", vec![kernel; 2]), ("pads", vec![kernel / 2; 4]), ("strides", vec![stride; 2])];
        self.node("Conv", name, &[input, &weight], attributes.map(|(name, values)| ints(name, &values)).to_vec())
    }

    /// A batch normalisation as PyTorch starts it: scale 1, shift 0, running mean 0, running variance 1.
    pub(super) fn batch_normalisation(&mut self, input: &str, name: &str, channels: usize) -> String {
        let kinds = [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)];
        let [scale, shift, mean, variance] =
            kinds.map(|(kind, value)| self.weight(name, kind, &[channels], vec![value; channels]));
        // ONNX weighs the old statistics with `momentum`, PyTorch the new ones.
        let attributes = vec![float("epsilon", 1e-5), float("momentum", 0.9)];
        self.node("BatchNormalization", name, &[input, &scale, &shift, &mean, &variance], attributes)
    }

    /// A rectifier.
    pub(super) fn relu(&mut self, input: &str, name: &str) -> String {
        self.node("Relu", name, &[input], vec![])
    }

    /// A sum of two values.
    pub(super) fn add(&mut self, left: &str, right: &str, name: &str) -> String {
        self.node("Add", name, &[left, right], vec![])
    }

    /// A maximum over squares of `kernel` pixels, each 2 apart.
    pub(super) fn max_pool(&mut self, input: &str, name: &str, kernel: usize, padding: usize) -> String {
        let attributes =
            vec![ints("kernel_shape", &[kernel; 2]), ints("pads", &[padding; 4]), ints("strides", &[2; 2])];
        self.node("MaxPool", name, &[input], attributes)
    }

    /// The end of every graph: the mean of each channel is the embedding, and a fully connected layer "fc", drawn from
    /// ±1/sqrt(width) as PyTorch's `Linear` is, gives the logits.
    pub(super) fn finish(mut self, input: &str, name: &str, width: usize) -> Result<Model> {
        let Extents { classes, channels, height, width: image_width } = self.extents;
        let pooled = self.node("GlobalAveragePool", "avgpool", &[input], vec![]);
        let embedding = self.node("Flatten", "embedding", &[&pooled], vec![int("axis", 1)]);
        let bound = 1.0 / (width as f64).sqrt();
        let values = (0..classes * width).map(|_| self.uniform(bound)).collect();
        let weight = self.weight("fc", "weight", &[classes, width], values);
        let values = (0..classes).map(|_| self.uniform(bound)).collect();
        let bias = self.weight("fc", "bias", &[classes], values);
        let logits = self.node("Gemm", "logits", &[&embedding, &weight, &bias], vec![int("transB", 1)]);

        let port = |name: &str, extents: &[usize]| {
            let batch = std::iter::once(Dim::Symbol("N".to_owned()));
            let dims: Vec<Dim> = batch.chain(extents.iter().map(|&extent| Dim::Known(extent as u64))).collect();
            declare(name, ElementType::Float, &dims)
        };
        let graph = GraphProto {
            name: Some(name.to_owned()),
            node: self.nodes,
            initializer: self.weights,
            input: vec![port("image", &[channels, height, image_width])],
            output: vec![port(&logits, &[classes])],
            value_info: vec![port(&embedding, &[width])],
            ..Default::default()
        };
        Model::from_proto(ModelProto {
            ir_version: Some(IR_VERSION),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
            producer_name: Some("gleaner".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(graph),
            ..Default::default()
        })
    }

    fn node(&mut self, operator: &str, name: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        self.nodes.push(NodeProto {
            op_type: Some(operator.to_owned()),
            name: Some(name.to_owned()),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.to_owned()],
            attribute,
            ..Default::default()
        });
        name.to_owned()
    }

    fn weight(&mut self, layer: &str, kind: &str, dims: &[usize], values: Vec<f32>) -> String {
        let name = format!("{layer}.{kind}");
        self.weights.push(tensor::from_f32(&name, dims, &values));
        name
    }

    fn unit(&mut self) -> f64 {
        self.drawn += 1;
        self.draws.unit(self.drawn - 1)
    }

    fn uniform(&mut self, bound: f64) -> f32 {
        ((2.0 * self.unit() - 1.0) * bound) as f32
    }

    /// Numbers of the normal distribution around 0, by Box and Muller (1958): two for every two draws.
    fn normal(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            // The logarithm needs a number in (0, 1].
            let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt() * deviation;
            let (sine, cosine) = (std::f64::consts::TAU * self.unit()).sin_cos();
            values.extend([(radius * cosine) as f32, (radius * sine) as f32]);
        }
        values.truncate(count);
        values
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    let kind = Some(AttributeType::Int as i32);
    AttributeProto { name: Some(name.to_owned()), r#type: kind, i: Some(value), ..Default::default() }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let (kind, ints) = (Some(AttributeType::Ints as i32), values.iter().map(|&value| value as i64).collect());
    AttributeProto { name: Some(name.to_owned()), r#type: kind, ints, ..Default::default() }
}

fn float(name: &str, value: f32) -> AttributeProto {
    let kind = Some(AttributeType::Float as i32);
    AttributeProto { name: Some(name.to_owned()), r#type: kind, f: Some(value), ..Default::default() }
}
