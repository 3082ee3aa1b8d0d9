//! A graph of 32-bit floats turned into one of 16-bit floats.
//!
//! What depends on the image's pixels is computed in half precision. What does not, such as the arithmetic that models
//! do with shapes, stays as it is: half precision cannot even count beyond 2048.

use std::collections::{HashMap, HashSet};

use super::element::ElementType;
use super::error::{Problem, Result};
use super::graft::{Graft, int, subgraphs};
use super::kinds::Kinds;
use super::lookup::Lookup;
use super::proto::NodeProto;
use super::tensor::{Values, from_half, to_half as bits};
use super::{Model, attribute_int, keep_outputs};

/// The largest finite number of half precision.
const LARGEST: u16 = 0x7BFF;
const INFINITE: u16 = 0x7C00;

/// Lets the graph compute in half precision everything that follows from the value `image`: the image input, or what
/// [`super::fold_pixels`] made of it. Inputs stay as they are, `image` itself included, and so do the outputs: float
/// results are cast back. Weights are rounded to the nearest, ties to even; the largest float, with which exporters say
/// "no bound", becomes the largest half.
///
/// Operators for which the ONNX standard has no half-precision form get casts around them.
///
/// # Errors
/// [`Problem::Missing`] if there is no such value; [`Problem::Half`] if a finite weight is too large for half
/// precision, if a node holds a graph of its own (If, Loop, Scan), or if a node is of no standard operator. The model is
/// unchanged then.
pub fn to_half(model: &mut Model, image: &str) -> Result<()> {
    let (graft, halves) = convert(model, image).map_err(|problem| model.error(problem))?;
    let graph = model.graph_mut();
    graph.node = graft.settle(graph);
    graph.value_info.retain(|value| !halves.contains(value.name()));
    // The weights in single precision have no user any more.
    let outputs: Vec<String> = graph.output.iter().map(|output| output.name().to_owned()).collect();
    keep_outputs(model, &outputs.iter().map(String::as_str).collect::<Vec<_>>())
}

fn convert(model: &Model, image: &str) -> Result<(Graft, HashSet<String>), Problem> {
    let graph = model.graph();
    let kinds = Kinds::of(graph);
    let values = || graph.input.iter().map(|input| input.name()).chain(graph.node.iter().flat_map(outputs));
    if !kinds.is_float(image) || !values().any(|value| value == image) {
        let near = super::lookup::nearest(image, values());
        return Err(Problem::Missing { what: "float value", name: image.to_owned(), near });
    }
    let mut half = Half {
        graft: Graft::onto(model.proto()),
        lookup: Lookup::of(graph),
        kinds,
        opset: model.opset().unwrap_or(0),
        following: HashSet::from([image.to_owned()]),
        halves: HashSet::new(),
        lowered: HashMap::new(),
        raised: HashMap::new(),
    };
    for node in &graph.node {
        if subgraphs(node).next().is_some() {
            return Err(Problem::Half(format!("{} holds graphs of its own", describe(node))));
        }
        half.node(node)?;
    }
    for output in graph.output.iter().map(|output| output.name()) {
        if half.halves.contains(output) {
            half.raise_output(output);
        }
    }
    Ok((half.graft, half.halves))
}

fn outputs(node: &NodeProto) -> impl Iterator<Item = &str> {
    node.output.iter().map(String::as_str)
}

fn describe(node: &NodeProto) -> String {
    let output = node.output.first().map_or("nothing", String::as_str);
    format!("the node {} that makes {output:?}", node.op_type())
}

struct Half<'a> {
    graft: Graft,
    lookup: Lookup<'a>,
    kinds: Kinds,
    opset: i64,
    /// Values that follow from the image, whatever their type.
    following: HashSet<String>,
    /// Those of them that are in half precision.
    halves: HashSet<String>,
    /// Values in single precision, and what they are called in half precision.
    lowered: HashMap<String, String>,
    /// The other way around.
    raised: HashMap<String, String>,
}

impl<'a> Half<'a> {
    fn node(&mut self, node: &'a NodeProto) -> Result<(), Problem> {
        let follows = node.input.iter().any(|input| self.following.contains(input));
        if !follows || matches!(node.op_type(), "Shape" | "Size") {
            self.graft.nodes.push(node.clone());
            return Ok(());
        }
        if !matches!(node.domain(), "" | "ai.onnx") {
            return Err(Problem::Half(format!("{} is of the domain {:?}", describe(node), node.domain())));
        }
        let single = in_single(node.op_type(), self.opset);
        let mut changed = node.clone();
        for (place, (input, to)) in node.input.iter().zip(&mut changed.input).enumerate() {
            *to = if single.inputs.contains(&place) { self.raise(input) } else { self.lower(input)? };
        }
        if node.op_type() == "Cast" && attribute_int(node, "to") == Some(ElementType::Float as i64) {
            changed.attribute.retain(|attribute| attribute.name() != "to");
            changed.attribute.push(int("to", ElementType::Float16 as i64));
        }
        let mut casts = Vec::new();
        for (place, output) in changed.output.iter_mut().enumerate().filter(|(_, output)| !output.is_empty()) {
            self.following.insert(output.clone());
            if self.kinds.is_float(output) {
                self.halves.insert(output.clone());
                if single.outputs.contains(&place) {
                    let whole = self.graft.fresh(&format!("{output}/single"));
                    casts.push((whole.clone(), std::mem::replace(output, whole)));
                }
            }
        }
        self.graft.nodes.push(changed);
        for (from, to) in casts {
            self.cast(&from, to, ElementType::Float16);
        }
        Ok(())
    }

    fn cast(&mut self, from: &str, to: String, element: ElementType) -> String {
        self.graft.node("Cast", &[from], to, vec![int("to", element as i64)])
    }

    /// The name under which a value can be had in half precision; its own if it is no float.
    fn lower(&mut self, value: &'a str) -> Result<String, Problem> {
        if self.halves.contains(value) || !self.kinds.is_float(value) {
            return Ok(value.to_owned());
        }
        // Exporters give one weight several names by Identity nodes; in half precision it has one.
        let value = self.lookup.origin(value);
        if let Some(name) = self.lowered.get(value) {
            return Ok(name.clone());
        }
        let wish = format!("{value}/half");
        let fixed = self.lookup.fixed(value).transpose()?;
        let name = match fixed.as_ref().map(|tensor| (&tensor.dims, &tensor.values)) {
            Some((dims, Values::F32(values))) => {
                let dims: Vec<i64> = dims.iter().map(|&extent| extent as i64).collect();
                self.graft.weight(&wish, from_half("", &dims, &rounded(value, values)?))
            }
            _ => {
                let name = self.graft.fresh(&wish);
                self.cast(value, name, ElementType::Float16)
            }
        };
        self.lowered.insert(value.to_owned(), name.clone());
        Ok(name)
    }

    /// The name under which a value can be had in single precision.
    fn raise(&mut self, value: &str) -> String {
        if !self.halves.contains(value) {
            return value.to_owned();
        }
        if let Some(name) = self.raised.get(value) {
            return name.clone();
        }
        let name = self.graft.fresh(&format!("{value}/single"));
        self.raised.insert(value.to_owned(), name.clone());
        self.cast(value, name, ElementType::Float)
    }

    /// An output of the graph keeps its name in single precision, and its halves get another.
    fn raise_output(&mut self, output: &str) {
        let name = self.graft.fresh(&format!("{output}/half"));
        let nodes = self.graft.nodes.iter_mut();
        for value in nodes.flat_map(|node| node.input.iter_mut().chain(&mut node.output)) {
            if value == output {
                value.clone_from(&name);
            }
        }
        self.cast(&name, output.to_owned(), ElementType::Float);
    }
}

/// The weight `name` in half precision.
fn rounded(name: &str, values: &[f32]) -> Result<Vec<u16>, Problem> {
    let half = |&value: &f32| {
        let half = bits(value);
        let overflow = value.is_finite() && half & !0x8000 == INFINITE;
        if overflow && value.abs() < f32::MAX {
            let reason = format!("the weight {name:?} holds {value:e}, and half precision ends at 65504");
            return Err(Problem::Half(reason));
        }
        Ok(if overflow { half & 0x8000 | LARGEST } else { half })
    };
    values.iter().map(half).collect()
}

/// The inputs and outputs of an operator that stay in single precision.
struct Single {
    inputs: &'static [usize],
    outputs: &'static [usize],
}

/// Source: the type constraints of the operators in ONNX's schemas, up to operator set 23. What is not listed takes half
/// precision wherever it takes single precision.
fn in_single(operator: &str, opset: i64) -> Single {
    let (inputs, outputs): (&[usize], &[usize]) = match operator {
        // Scales, and the region of interest, which may be of another type than the image.
        "Upsample" => (&[1], &[]),
        "Resize" if opset < 11 => (&[1], &[]),
        "Resize" => (&[1, 2], &[]),
        "Celu" => (&[0], &[0]),
        "CumSum" if opset < 14 => (&[0], &[0]),
        "IsInf" if opset < 20 => (&[0], &[]),
        "NonMaxSuppression" => (&[0, 1, 3, 4], &[]),
        "QuantizeLinear" => (&[0, 1], &[]),
        "DequantizeLinear" => (&[1], &[0]),
        "DynamicQuantizeLinear" => (&[0], &[1]),
        "QLinearConv" | "QLinearMatMul" => (&[1, 4, 6], &[]),
        // The mean and the inverse deviation, where somebody asks for them.
        "LayerNormalization" => (&[], &[1, 2]),
        "Range" => (&[0, 1, 2], &[0]),
        "TfIdfVectorizer" => (&[], &[0]),
        // Their type is said by an attribute.
        "ConstantOfShape" | "EyeLike" | "Bernoulli" | "Multinomial" | "RandomNormalLike" | "RandomUniformLike"
        | "BlackmanWindow" | "HammingWindow" | "HannWindow" | "MelWeightMatrix" => (&[0], &[0]),
        _ => (&[], &[]),
    };
    Single { inputs, outputs }
}
