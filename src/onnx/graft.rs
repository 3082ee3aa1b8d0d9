//! Putting new values into a graph that others have named: fresh names, nodes, weights.

use std::collections::HashSet;

use super::element::ElementType;
use super::port::{Dim, declare};
use super::proto::attribute_proto::AttributeType;
use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

/// Up to this IR version every weight has to stand among the graph's inputs, too.
pub(super) const WEIGHTS_ARE_INPUTS: i64 = 3;

/// New nodes and weights for a graph, none of whose names is taken.
pub(super) struct Graft {
    taken: HashSet<String>,
    declares_weights: bool,
    /// The new nodes, in the order in which they were added.
    pub nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Graft {
    pub(super) fn onto(model: &ModelProto) -> Self {
        let mut taken = HashSet::new();
        if let Some(graph) = &model.graph {
            names(graph, &mut taken);
        }
        let declares_weights = model.ir_version() <= WEIGHTS_ARE_INPUTS;
        Self { taken, declares_weights, nodes: Vec::new(), weights: Vec::new() }
    }

    /// `wish`, or `wish` with a number if something has that name.
    pub(super) fn fresh(&mut self, wish: &str) -> String {
        let mut name = wish.to_owned();
        let mut number = 2usize;
        while !self.taken.insert(name.clone()) {
            name = format!("{wish}.{number}");
            number += 1;
        }
        name
    }

    /// Adds a weight and gives the name it got.
    pub(super) fn weight(&mut self, wish: &str, mut tensor: TensorProto) -> String {
        let name = self.fresh(wish);
        tensor.name = Some(name.clone());
        self.weights.push(tensor);
        name
    }

    /// Adds a node of one output, `output`, and gives this name back.
    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: String,
        attribute: Vec<AttributeProto>,
    ) -> String {
        let name = self.fresh(&format!("{output}/{operator}"));
        self.nodes.push(NodeProto {
            name: Some(name),
            op_type: Some(operator.to_owned()),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.clone()],
            attribute,
            ..Default::default()
        });
        output
    }

    /// Puts the new weights into the graph; the nodes are left to the caller, who knows their place.
    pub(super) fn settle(self, graph: &mut GraphProto) -> Vec<NodeProto> {
        if self.declares_weights {
            graph.input.extend(self.weights.iter().map(|weight| {
                let dims: Vec<Dim> = weight.dims.iter().map(|extent| Dim::Known(extent.unsigned_abs())).collect();
                declare(weight.name(), ElementType::try_from(weight.data_type()).unwrap_or_default(), &dims)
            }));
        }
        graph.initializer.extend(self.weights);
        self.nodes
    }
}

/// Every name of a value or a node of this graph and of the graphs inside it.
fn names(graph: &GraphProto, taken: &mut HashSet<String>) {
    taken.extend(graph.input.iter().chain(&graph.output).map(|value| value.name().to_owned()));
    taken.extend(graph.initializer.iter().map(|tensor| tensor.name().to_owned()));
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
    taken.extend(sparse.map(|tensor| tensor.name().to_owned()));
    for node in &graph.node {
        taken.insert(node.name().to_owned());
        taken.extend(node.input.iter().chain(&node.output).cloned());
        for inner in subgraphs(node) {
            names(inner, taken);
        }
    }
}

/// The graphs that a node runs: the branches of an If, the body of a Loop.
pub(super) fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// A whole number as an attribute.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

/// A list of whole numbers as an attribute.
pub(super) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(kind as i32), ..Default::default() }
}
