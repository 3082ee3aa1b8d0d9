//! Every tensor of a model, wherever it hides: weights, attributes, subgraphs, functions.

use super::error::Problem;
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto};

type Visit<'a> = dyn FnMut(&mut TensorProto) -> Result<(), Problem> + 'a;

/// Calls `visit` for every tensor, in the order in which they stand in the model.
pub(super) fn tensors(model: &mut ModelProto, visit: &mut Visit<'_>) -> Result<(), Problem> {
    if let Some(graph) = &mut model.graph {
        in_graph(graph, visit)?;
    }
    for function in &mut model.functions {
        in_nodes(&mut function.node, visit)?;
    }
    Ok(())
}

// The depth of subgraphs is bounded: the protobuf decoder stops at 100 nested messages.
fn in_graph(graph: &mut GraphProto, visit: &mut Visit<'_>) -> Result<(), Problem> {
    for tensor in &mut graph.initializer {
        visit(tensor)?;
    }
    for sparse in &mut graph.sparse_initializer {
        for tensor in sparse.values.iter_mut().chain(&mut sparse.indices) {
            visit(tensor)?;
        }
    }
    in_nodes(&mut graph.node, visit)
}

fn in_nodes(nodes: &mut [NodeProto], visit: &mut Visit<'_>) -> Result<(), Problem> {
    for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
        for tensor in attribute.t.iter_mut().chain(&mut attribute.tensors) {
            visit(tensor)?;
        }
        for sparse in attribute.sparse_tensor.iter_mut().chain(&mut attribute.sparse_tensors) {
            for tensor in sparse.values.iter_mut().chain(&mut sparse.indices) {
                visit(tensor)?;
            }
        }
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            in_graph(graph, visit)?;
        }
    }
    Ok(())
}
