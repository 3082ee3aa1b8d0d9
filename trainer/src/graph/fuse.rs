//! What libtorch computes in one go where an exporter wrote several nodes.
//!
//! Every operation of its own writes its result to memory and keeps what its gradient needs; one for all of them does so
//! once. The results differ in the last bits. Only values that nothing else reads are drawn into such an operation, and the
//! graph that is written back keeps its nodes.
//!
//! | nodes | become |
//! | --- | --- |
//! | `MatMul` with a stored matrix, `Add` of a stored row | `Linear` |
//! | `Div`, `Erf`, `Add`, `Mul`, `Mul` | `Gelu` |
//! | `Sigmoid`, `Mul` | `Silu` |
//! | `MatMul`, `Softmax`, `MatMul`, with scales and an added mask | `Attend` |

use super::reader::Constants;
use gleaner::onnx::proto::NodeProto;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use tch::Tensor;

/// The domain of the operations that stand for several nodes.
pub(super) const DOMAIN: &str = "gleaner.fused";

/// The nodes, in their order, with one for several where that is possible. `outputs` are the graph's own.
pub(super) fn fuse<'a>(
    nodes: Vec<Cow<'a, NodeProto>>,
    outputs: &[String],
    constants: &Constants,
) -> Vec<Cow<'a, NodeProto>> {
    let found: Vec<Fusion> = {
        let graph = Nodes::of(&nodes, outputs, constants);
        let patterns = [linear, gelu, silu, attend];
        (0..nodes.len()).flat_map(|last| patterns.iter().find_map(|pattern| pattern(&graph, last))).collect()
    };
    let mut fused: BTreeMap<usize, NodeProto> = BTreeMap::new();
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    for Fusion { members, operator, inputs } in found {
        let Some(&last) = members.iter().max() else { continue };
        // Of two that overlap the first stays.
        if members.iter().any(|member| gone.contains(member) || fused.contains_key(member)) {
            continue;
        }
        let Some(node) = nodes.get(last) else { continue };
        let node = NodeProto {
            op_type: Some(operator.to_owned()),
            domain: Some(DOMAIN.to_owned()),
            input: inputs,
            attribute: Vec::new(),
            ..node.as_ref().clone()
        };
        fused.insert(last, node);
        gone.extend(members.into_iter().filter(|&member| member != last));
    }
    let keep = nodes.into_iter().enumerate().filter(|(index, _)| !gone.contains(index));
    keep.map(|(index, node)| fused.remove(&index).map_or(node, Cow::Owned)).collect()
}

/// Nodes that become one: where the last of them stands.
struct Fusion {
    members: Vec<usize>,
    operator: &'static str,
    inputs: Vec<String>,
}

/// The nodes, who makes a value, and how often it is read.
struct Nodes<'a> {
    nodes: &'a [Cow<'a, NodeProto>],
    makers: BTreeMap<&'a str, usize>,
    reads: BTreeMap<&'a str, usize>,
    constants: &'a Constants,
}

impl<'a> Nodes<'a> {
    fn of(nodes: &'a [Cow<'a, NodeProto>], outputs: &'a [String], constants: &'a Constants) -> Self {
        let mut makers = BTreeMap::new();
        let mut reads: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            makers.extend(node.output.iter().map(|output| (output.as_str(), index)));
            for input in &node.input {
                *reads.entry(input).or_default() += 1;
            }
        }
        for output in outputs {
            *reads.entry(output).or_default() += 1;
        }
        Self { nodes, makers, reads, constants }
    }

    fn input(&self, node: usize, index: usize) -> Option<&'a str> {
        self.nodes.get(node)?.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    fn is(&self, node: usize, operator: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| matches!(node.domain(), "" | "ai.onnx") && node.op_type() == operator)
    }

    /// The node of this operator that makes a value, if nothing but `readers` inputs read what it makes.
    fn maker(&self, value: &str, operator: &str, readers: usize) -> Option<usize> {
        let &node = self.makers.get(value)?;
        (self.is(node, operator) && self.reads.get(value) == Some(&readers)).then_some(node)
    }

    /// The two inputs of a node, such that the first is made by a node of this operator and read here alone.
    fn made_and_other(&self, node: usize, operator: &str) -> Option<(usize, &'a str)> {
        let (left, right) = (self.input(node, 0)?, self.input(node, 1)?);
        let made = |value: &str, other| self.maker(value, operator, 1).map(|maker| (maker, other));
        made(right, left).or_else(|| made(left, right))
    }

    /// A number that stands in the model by itself.
    fn number(&self, value: &str) -> Option<f64> {
        let tensor = self.constants.get(value).filter(|tensor| tensor.numel() == 1 && tensor.is_floating_point())?;
        tensor.f_reshape(1).ok()?.f_double_value(&[0]).ok()
    }

    fn is_near(&self, value: &str, wanted: f64) -> bool {
        self.number(value).is_some_and(|number| (number - wanted).abs() < 1e-6 * wanted)
    }

    /// The other input of a node of two, of which one is near this number.
    fn beside(&self, node: usize, number: f64) -> Option<&'a str> {
        let (left, right) = (self.input(node, 0)?, self.input(node, 1)?);
        match (self.is_near(left, number), self.is_near(right, number)) {
            (false, true) => Some(left),
            (true, false) => Some(right),
            _ => None,
        }
    }

    /// The columns of a stored matrix, also of one that is transposed first.
    fn columns(&self, value: &str) -> Option<i64> {
        let matrix = |tensor: &Tensor| (tensor.dim() == 2).then(|| tensor.size());
        if let Some(size) = self.constants.get(value).and_then(matrix) {
            return size.get(1).copied();
        }
        let node = *self.makers.get(value).filter(|&&node| self.is(node, "Transpose"))?;
        let size = self.constants.get(self.input(node, 0)?).and_then(matrix)?;
        size.first().copied()
    }
}

/// `x W + b`.
fn linear(graph: &Nodes<'_>, last: usize) -> Option<Fusion> {
    if !graph.is(last, "Add") {
        return None;
    }
    let (product, bias) = graph.made_and_other(last, "MatMul")?;
    let (input, weight) = (graph.input(product, 0)?, graph.input(product, 1)?);
    let row = graph.constants.get(bias)?;
    if graph.constants.contains_key(input) || row.dim() != 1 || Some(row.numel() as i64) != graph.columns(weight) {
        return None;
    }
    let inputs = [input, weight, bias].map(str::to_owned).to_vec();
    Some(Fusion { members: vec![product, last], operator: "Linear", inputs })
}

/// `x (1 + erf(x / sqrt 2)) / 2` (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016).
fn gelu(graph: &Nodes<'_>, last: usize) -> Option<Fusion> {
    if !graph.is(last, "Mul") {
        return None;
    }
    // The half comes last, or it is taken of x first.
    let (product, half) = match graph.beside(last, 0.5) {
        Some(value) => (graph.maker(value, "Mul", 1)?, None),
        None => {
            let (half, _) = graph.made_and_other(last, "Mul")?;
            (last, Some(half))
        }
    };
    let (sum, of) = graph.made_and_other(product, "Add")?;
    let input = match half {
        Some(half) => graph.beside(half, 0.5)?,
        None => of,
    };
    let curve = graph.maker(graph.beside(sum, 1.0)?, "Erf", 1)?;
    let scaled = graph.input(curve, 0)?;
    let scale = graph.maker(scaled, "Div", 1).or_else(|| graph.maker(scaled, "Mul", 1))?;
    let root = if graph.is(scale, "Div") { std::f64::consts::SQRT_2 } else { std::f64::consts::FRAC_1_SQRT_2 };
    let divided_right = graph.is(scale, "Mul") || graph.input(scale, 0) == Some(input);
    if graph.beside(scale, root)? != input || !divided_right {
        return None;
    }
    let mut members = vec![scale, curve, sum, product];
    members.extend(half);
    if product != last {
        members.push(last);
    }
    Some(Fusion { members, operator: "Gelu", inputs: vec![input.to_owned()] })
}

/// `x sigmoid(x)`, also called swish.
fn silu(graph: &Nodes<'_>, last: usize) -> Option<Fusion> {
    if !graph.is(last, "Mul") {
        return None;
    }
    let (gate, input) = graph.made_and_other(last, "Sigmoid")?;
    (graph.input(gate, 0)? == input).then(|| Fusion {
        members: vec![gate, last],
        operator: "Silu",
        inputs: vec![input.to_owned()],
    })
}

/// `softmax(a q k + m) v`: its inputs are q, the transposed k, v, the mask, and the factors of q and of k.
fn attend(graph: &Nodes<'_>, last: usize) -> Option<Fusion> {
    if !graph.is(last, "MatMul") {
        return None;
    }
    let weights = graph.maker(graph.input(last, 0)?, "Softmax", 1)?;
    let axis = graph.nodes.get(weights)?.attribute.iter().find(|attribute| attribute.name() == "axis");
    // Counted from the front, the axis may be another than the last; without it its meaning depends on the version of the
    // operator set.
    if axis.is_none_or(|axis| axis.i() != -1) {
        return None;
    }
    let mut members = vec![weights, last];
    let scores = graph.input(weights, 0)?;
    let (product, mask) = match graph.maker(scores, "MatMul", 1) {
        Some(product) => (product, ""),
        None => {
            let sum = graph.maker(scores, "Add", 1)?;
            let found = graph.made_and_other(sum, "MatMul")?;
            members.push(sum);
            found
        }
    };
    members.push(product);
    let mut factors = [""; 2];
    let mut sides = [graph.input(product, 0)?, graph.input(product, 1)?];
    for (side, factor) in sides.iter_mut().zip(&mut factors) {
        let Some(scale) = graph.maker(side, "Mul", 1) else { continue };
        // Whether it is a single number shows when it is there.
        members.push(scale);
        (*side, *factor) = (graph.input(scale, 0)?, graph.input(scale, 1)?);
    }
    let inputs = [sides[0], sides[1], graph.input(last, 1)?, mask, factors[0], factors[1]];
    Some(Fusion { members, operator: "Attend", inputs: inputs.map(str::to_owned).to_vec() })
}
