//! Where the last layer is, and its weights.

use crate::onnx::error::Problem;
use crate::onnx::graft::subgraphs;
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto};
use crate::onnx::{Classifier, ElementType, attribute_int, attribute_ints, attribute_tensor, check, element, tensor};
use std::collections::HashMap;

/// The last layer of a classifier.
pub(super) struct Layer {
    /// Its place among the graph's nodes.
    pub node: usize,
    pub weight: Weight,
    pub bias: Option<Bias>,
    /// How many classes it tells apart.
    pub before: usize,
    /// How many numbers each class is computed from.
    pub inputs: usize,
}

/// Numbers of which each belongs to one class.
#[derive(Clone)]
pub(super) struct Weight {
    pub name: String,
    pub dims: Vec<usize>,
    pub class_axis: usize,
}

/// A bias, and where it is added.
pub(super) struct Bias {
    pub weight: Weight,
    pub node: usize,
    /// The place among the node's inputs.
    pub place: usize,
    /// Whether others use it, too.
    pub is_shared: bool,
}

/// Nodes that may stand behind the last layer. What they do to a class they do to every class.
const TRANSPARENT: [&str; 19] = [
    "AveragePool",
    "Cast",
    "Clip",
    "Div",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "LogSoftmax",
    "MaxPool",
    "Mul",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Softmax",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Follows the graph from the output upwards to the last layer with weights.
pub(super) fn layer(graph: &GraphProto, classifier: &Classifier) -> Result<Layer, Problem> {
    let search = Search::of(graph);
    let mut value = classifier.output.as_str();
    let mut added = None;
    // A checked graph has no cycles; the bound is for graphs that were edited since.
    for _ in 0..graph.node.len() {
        let Some((index, node)) = search.maker(value) else { break };
        let next = match node.op_type() {
            "Gemm" | "MatMul" | "Conv" => return search.layer(index, node, added),
            "Add" => {
                let constant = (0..2).find(|&place| search.is_constant(node, place));
                added = constant.map(|place| (index, place)).or(added);
                constant.and_then(|place| node.input.get(1 - place))
            }
            operator if TRANSPARENT.contains(&operator) => {
                node.input.iter().enumerate().find(|(place, _)| !search.is_constant(node, *place)).map(|(_, name)| name)
            }
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return Err(none(classifier, &check::describe(node))),
        }
    }
    Err(none(classifier, "an input"))
}

fn none(classifier: &Classifier, maker: &str) -> Problem {
    Problem::Head(format!(
        "{:?} comes from {maker}, not from a Gemm, MatMul or Conv with weights of its own; replace it where the model is \
         made, and export it again",
        classifier.output
    ))
}

struct Search<'a> {
    graph: &'a GraphProto,
    /// The nodes and their places, by what they make.
    makers: HashMap<&'a str, (usize, &'a NodeProto)>,
    weights: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Search<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let nodes = graph.node.iter().enumerate();
        let makers =
            nodes.flat_map(|(index, node)| node.output.iter().map(move |output| (output.as_str(), (index, node))));
        let weights = graph.initializer.iter().map(|tensor| (tensor.name(), tensor));
        Self { graph, makers: makers.collect(), weights: weights.collect() }
    }

    fn maker(&self, value: &str) -> Option<(usize, &'a NodeProto)> {
        self.makers.get(value).copied()
    }

    /// The tensor behind a value that goes through nothing but Identity and Transpose of a matrix, and whether it is
    /// transposed. With it the names on the way, the tensor's own the last.
    fn stored(&self, value: &'a str) -> Option<(&'a TensorProto, bool, Vec<&'a str>)> {
        let (mut value, mut transposed, mut way) = (value, false, vec![value]);
        for _ in 0..=self.graph.node.len() {
            if let Some(&tensor) = self.weights.get(value) {
                return Some((tensor, transposed, way));
            }
            let (_, node) = self.maker(value)?;
            match node.op_type() {
                "Constant" => return Some((attribute_tensor(node, "value")?, transposed, way)),
                "Identity" => {}
                "Transpose" if matches!(attribute_ints(node, "perm"), None | Some([1, 0])) => transposed = !transposed,
                _ => return None,
            }
            value = node.input.first()?;
            way.push(value);
        }
        None
    }

    fn is_constant(&self, node: &'a NodeProto, place: usize) -> bool {
        let name = node.input.get(place).filter(|name| !name.is_empty());
        name.is_some_and(|name| {
            self.stored(name).is_some() || self.maker(name).is_some_and(|(_, node)| node.input.is_empty())
        })
    }

    fn layer(&self, index: usize, node: &'a NodeProto, added: Option<(usize, usize)>) -> Result<Layer, Problem> {
        let refuse = |reason: &str| Problem::Head(format!("{} {reason}", check::describe(node)));
        let computed =
            || refuse("has no weight that stands in the model; export it again with its weights as initializers");
        let (stored, transposed, way) = node.input.get(1).and_then(|name| self.stored(name)).ok_or_else(computed)?;
        let flag = |name| attribute_int(node, name).unwrap_or(0) != 0;
        let class_axis = match node.op_type() {
            "Gemm" if flag("transA") => return Err(refuse("transposes its input; export the model again")),
            "Conv" if attribute_int(node, "group").unwrap_or(1) != 1 => {
                return Err(refuse("is a convolution in groups, which mixes no channels"));
            }
            "Conv" => 0,
            "Gemm" => usize::from(flag("transB") == transposed),
            _ => usize::from(!transposed),
        };
        let (name, dims) = read(stored, way.last())?;
        let fits = match (node.op_type(), dims.as_slice()) {
            ("Conv", [_, _, 1, 1]) => true,
            (operator, [_, _]) => operator != "Conv",
            _ => false,
        };
        if !fits || dims.contains(&0) {
            return Err(refuse(&format!(
                "has a weight of the shape {dims:?}, where a last layer has a matrix or a 1x1 convolution; give the model a \
                 last layer where it is made, and export it again"
            )));
        }
        let users = way.iter().map(|name| self.users(name)).max().unwrap_or(0);
        if users > 1 {
            return Err(refuse(&format!(
                "shares its weight {name:?} with others, {users} uses in all, which would change with it; export the model \
                 with a weight of its own"
            )));
        }
        let before = dims.get(class_axis).copied().unwrap_or(0);
        let inputs = dims.iter().product::<usize>() / before.max(1);
        let own = node.input.get(2).filter(|name| !name.is_empty()).map(|_| (index, 2));
        let bias = own.or(added).map(|(node, place)| self.bias(node, place, before)).transpose()?.flatten();
        Ok(Layer { node: index, weight: Weight { name, dims, class_axis }, bias, before, inputs })
    }

    /// The bias at this place; nothing if it is one number for all classes.
    fn bias(&self, node: usize, place: usize, classes: usize) -> Result<Option<Bias>, Problem> {
        let value = self.graph.node.get(node).and_then(|node| node.input.get(place)).map(String::as_str);
        let Some((stored, _, way)) = value.and_then(|value| self.stored(value)) else {
            let reason = format!("its bias {:?} is computed; export the model again", value.unwrap_or_default());
            return Err(Problem::Head(reason));
        };
        let (name, dims) = read(stored, way.last())?;
        if dims.iter().product::<usize>() == 1 && classes != 1 {
            return Ok(None);
        }
        let class_axis = dims.iter().position(|&extent| extent == classes);
        let Some(class_axis) = class_axis.filter(|_| dims.iter().product::<usize>() == classes) else {
            let reason =
                format!("its bias {name:?} is of the shape {dims:?}, with {classes} classes; export the model again");
            return Err(Problem::Head(reason));
        };
        let is_shared = way.iter().any(|name| self.users(name) > 1);
        Ok(Some(Bias { weight: Weight { name, dims, class_axis }, node, place, is_shared }))
    }

    /// How often a value is used, in the graphs inside nodes and as an output, too.
    fn users(&self, value: &str) -> usize {
        uses(self.graph, value)
    }
}

fn uses(graph: &GraphProto, value: &str) -> usize {
    let read = graph.node.iter().flat_map(|node| &node.input).filter(|input| *input == value).count();
    let given = graph.output.iter().filter(|output| output.name() == value).count();
    read + given + graph.node.iter().flat_map(subgraphs).map(|graph| uses(graph, value)).sum::<usize>()
}

/// The name and the shape of a weight.
fn read(stored: &TensorProto, name: Option<&&str>) -> Result<(String, Vec<usize>), Problem> {
    let name = name.copied().unwrap_or_default().to_owned();
    if stored.data_type() != ElementType::Float as i32 {
        let wanted = "only a last layer of 32-bit floats can be replaced; export the model in float32";
        return Err(Problem::ElementType { name, element: element::name(stored.data_type()), wanted });
    }
    tensor::count(stored)?;
    Ok((name, stored.dims.iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect()))
}
