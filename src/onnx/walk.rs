//! Every tensor of a model, wherever it hides: weights, attributes, subgraphs, functions, instructions for training.

use super::error::Problem;
use super::proto::{GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto};

/// A place where numbers stand.
enum Found<'a> {
    Tensor(&'a mut TensorProto),
    /// Before the tensors that it is made of.
    Sparse(&'a SparseTensorProto),
}

type Visit<'a> = dyn FnMut(Found<'_>) -> Result<(), Problem> + 'a;

/// Calls `visit` for every tensor, in the order in which they stand in the model; a sparse one is two.
pub(super) fn tensors(
    model: &mut ModelProto,
    visit: &mut dyn FnMut(&mut TensorProto) -> Result<(), Problem>,
) -> Result<(), Problem> {
    everything(model, &mut |found| match found {
        Found::Tensor(tensor) => visit(tensor),
        Found::Sparse(_) => Ok(()),
    })
}

/// Calls `visit` for every sparse tensor, in the order in which they stand in the model.
pub(super) fn sparse_tensors(
    model: &mut ModelProto,
    visit: &mut dyn FnMut(&SparseTensorProto) -> Result<(), Problem>,
) -> Result<(), Problem> {
    everything(model, &mut |found| match found {
        Found::Tensor(_) => Ok(()),
        Found::Sparse(sparse) => visit(sparse),
    })
}

fn everything(model: &mut ModelProto, visit: &mut Visit<'_>) -> Result<(), Problem> {
    if let Some(graph) = &mut model.graph {
        in_graph(graph, visit)?;
    }
    for function in &mut model.functions {
        in_nodes(&mut function.node, visit)?;
    }
    for training in &mut model.training_info {
        for graph in training.initialization.iter_mut().chain(&mut training.algorithm) {
            in_graph(graph, visit)?;
        }
    }
    Ok(())
}

// The depth of subgraphs is bounded: the protobuf decoder stops at 100 nested messages.
fn in_graph(graph: &mut GraphProto, visit: &mut Visit<'_>) -> Result<(), Problem> {
    for tensor in &mut graph.initializer {
        visit(Found::Tensor(tensor))?;
    }
    in_sparse(graph.sparse_initializer.iter_mut(), visit)?;
    in_nodes(&mut graph.node, visit)
}

fn in_nodes(nodes: &mut [NodeProto], visit: &mut Visit<'_>) -> Result<(), Problem> {
    for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
        for tensor in attribute.t.iter_mut().chain(&mut attribute.tensors) {
            visit(Found::Tensor(tensor))?;
        }
        in_sparse(attribute.sparse_tensor.iter_mut().chain(&mut attribute.sparse_tensors), visit)?;
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            in_graph(graph, visit)?;
        }
    }
    Ok(())
}

fn in_sparse<'a>(all: impl Iterator<Item = &'a mut SparseTensorProto>, visit: &mut Visit<'_>) -> Result<(), Problem> {
    for sparse in all {
        visit(Found::Sparse(sparse))?;
        for tensor in sparse.values.iter_mut().chain(&mut sparse.indices) {
            visit(Found::Tensor(tensor))?;
        }
    }
    Ok(())
}
