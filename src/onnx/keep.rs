//! Leaving out of a graph what nobody asks for.

use std::collections::HashSet;

use super::error::{Problem, Result};
use super::graft::subgraphs;
use super::proto::NodeProto;
use super::{Model, lookup};

/// Keeps the outputs of these names and drops all others, with every node and every weight that none of them needs. The
/// outputs stay in the graph's order. Inputs stay, so that the model is fed as before.
///
/// # Errors
/// [`Problem::Missing`] if an output is not there, [`Problem::Empty`] if none is to be kept. The model is unchanged then.
pub fn keep_outputs(model: &mut Model, names: &[&str]) -> Result<()> {
    let outputs = || model.graph().output.iter().map(|output| output.name());
    if let Some(name) = names.iter().find(|name| !outputs().any(|output| output == **name)) {
        let near = lookup::nearest(name, outputs());
        return Err(model.error(Problem::Missing { what: "output", name: (*name).to_owned(), near }));
    }
    if names.is_empty() {
        return Err(model.error(Problem::Empty("outputs to keep")));
    }
    let graph = model.graph_mut();
    graph.output.retain(|output| names.contains(&output.name()));
    let mut needed: HashSet<String> = names.iter().map(|&name| name.to_owned()).collect();
    // A node stands behind those whose values it uses, so that one walk backwards finds everything.
    let mut nodes: Vec<NodeProto> = Vec::with_capacity(graph.node.len());
    for node in std::mem::take(&mut graph.node).into_iter().rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            uses(&node, &mut needed);
            nodes.push(node);
        }
    }
    nodes.reverse();
    graph.node = nodes;
    let mut weights = HashSet::new();
    graph.initializer.retain(|tensor| {
        weights.insert(tensor.name().to_owned());
        needed.contains(tensor.name())
    });
    graph
        .sparse_initializer
        .retain(|sparse| sparse.values.as_ref().is_some_and(|values| needed.contains(values.name())));
    // Old models list their weights among the inputs.
    graph.input.retain(|input| needed.contains(input.name()) || !weights.contains(input.name()));
    graph.value_info.retain(|value| needed.contains(value.name()));
    graph.quantization_annotation.retain(|annotation| needed.contains(annotation.tensor_name()));
    Ok(())
}

/// Adds what a node uses, and what the graphs inside it use, which may be values of the graph around them.
fn uses(node: &NodeProto, needed: &mut HashSet<String>) {
    needed.extend(node.input.iter().filter(|input| !input.is_empty()).cloned());
    for graph in subgraphs(node) {
        needed.extend(graph.output.iter().map(|output| output.name().to_owned()));
        for node in &graph.node {
            uses(node, needed);
        }
    }
}
