//! Whether a model is whole: its parts are there, its tensors have their bytes, its names are single, and every value is
//! made before it is used.

use std::collections::HashSet;

use super::error::Problem;
use super::proto::{GraphProto, ModelProto, NodeProto};
use super::{claims, functions, tensor, walk};

/// Checks everything that does not need the meaning of the operators.
pub(super) fn model(model: &mut ModelProto) -> Result<(), Problem> {
    let missing = |what: &str| Err(Problem::NotOnnx(format!("no {what}")));
    if model.ir_version.is_none() {
        return missing("IR version");
    }
    if model.graph.is_none() {
        return missing("graph");
    }
    if model.opset_import.is_empty() {
        return missing("operator set");
    }
    walk::tensors(model, &mut |tensor| tensor::check(tensor))?;
    let mut claimed = 0;
    walk::sparse_tensors(model, &mut |sparse| tensor::check_sparse(sparse, &mut claimed))?;
    let Some(graph) = &model.graph else { return missing("graph") };
    if graph.node.is_empty() {
        return Err(Problem::Empty("nodes"));
    }
    if graph.output.is_empty() {
        return Err(Problem::Empty("outputs"));
    }
    order(graph, &mut Vec::new())?;
    for function in &model.functions {
        let given = unique(function.input.iter().map(String::as_str), "input of a function")?;
        nodes(&function.node, function.output.iter().map(String::as_str), &mut vec![given])?;
    }
    functions::check(model)?;
    claims::check(model)
}

/// Checks one graph, in which the values of `outer` can be seen.
fn order<'a>(graph: &'a GraphProto, outer: &mut Vec<HashSet<&'a str>>) -> Result<(), Problem> {
    outer.push(given(graph)?);
    nodes(&graph.node, graph.output.iter().map(|output| output.name()), outer)?;
    outer.pop();
    Ok(())
}

/// Checks the nodes of a graph or of a function, and its outputs. The last of `scopes` is its own: what it is given.
fn nodes<'a>(
    nodes: &'a [NodeProto],
    outputs: impl Iterator<Item = &'a str>,
    scopes: &mut Vec<HashSet<&'a str>>,
) -> Result<(), Problem> {
    for node in nodes {
        for value in node.input.iter().filter(|value| !value.is_empty()) {
            if !scopes.iter().any(|scope| scope.contains(value.as_str())) {
                return Err(unknown(nodes, describe(node), value));
            }
        }
        for attribute in &node.attribute {
            for subgraph in attribute.g.iter().chain(&attribute.graphs) {
                order(subgraph, scopes)?;
            }
        }
        for value in node.output.iter().filter(|value| !value.is_empty()) {
            let single = scopes.last_mut().is_some_and(|scope| scope.insert(value.as_str()));
            if !single {
                return Err(Problem::Duplicate { name: value.clone(), kind: "output of a node" });
            }
        }
    }
    for output in outputs {
        if !scopes.iter().any(|scope| scope.contains(output)) {
            return Err(unknown(nodes, "the graph's output".to_owned(), output));
        }
    }
    Ok(())
}

/// The values that a graph starts with: its inputs and its weights. Up to IR version 3 a weight is an input too.
fn given(graph: &GraphProto) -> Result<HashSet<&str>, Problem> {
    let inputs = graph.input.iter().map(|input| input.name());
    let mut names = unique(inputs, "input")?;
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| Some(sparse.values.as_ref()?.name()));
    let weights = graph.initializer.iter().map(|tensor| tensor.name()).chain(sparse);
    names.extend(unique(weights, "initializer")?);
    Ok(names)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>, kind: &'static str) -> Result<HashSet<&'a str>, Problem> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Problem::Duplicate { name: name.to_owned(), kind });
        }
    }
    Ok(seen)
}

fn unknown(nodes: &[NodeProto], user: String, value: &str) -> Problem {
    let value = value.to_owned();
    if nodes.iter().any(|node| node.output.contains(&value)) {
        Problem::Cyclic { user, value }
    } else {
        Problem::Undefined { user, value }
    }
}

/// A node in words.
pub(super) fn describe(node: &NodeProto) -> String {
    match node.name() {
        "" => format!("a node {}", node.op_type()),
        name => format!("node {name:?} ({})", node.op_type()),
    }
}
