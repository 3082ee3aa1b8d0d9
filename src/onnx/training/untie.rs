//! Giving every layer its own small weights.
//!
//! Exporters merge initializers of equal content. A fresh network is full of them: every BatchNormalization starts with
//! scale 1, bias 0, mean 0 and variance 1, so that one tensor may serve as the bias of one layer and the running mean
//! of ten others, or as the scales of several layers. Training them as one would be wrong, so each use gets a copy.
//! Weights with two or more extents above 1 that are shared stay shared: there, sharing is meant.

use crate::onnx::Model;
use crate::onnx::graft::WEIGHTS_ARE_INPUTS;
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto};
use std::collections::{BTreeMap, BTreeSet};

/// Copies shared initializers with at most one extent above 1 that act as bias, scale or running statistic, so that each use
/// has its own; in models that must list weights among their inputs, the copies are listed, too. Does nothing to a graph
/// that shares none.
pub fn untie(model: &mut Model) {
    let declares_weights = model.proto().ir_version() <= WEIGHTS_ARE_INPUTS;
    let graph = model.graph_mut();
    resolve_identities(graph);
    let small: BTreeMap<String, usize> = graph
        .initializer
        .iter()
        .enumerate()
        .filter(|(_, tensor)| !tensor.dims.is_empty() && is_row(tensor))
        .map(|(place, tensor)| (tensor.name().to_owned(), place))
        .collect();
    let mut taken: BTreeSet<String> = names(graph);
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut copies: Vec<(String, TensorProto)> = Vec::new();
    for node in &mut graph.node {
        let places = uses(node);
        for place in places {
            let Some(name) = node.input.get_mut(place) else { continue };
            let Some(original) = small.get(name.as_str()).and_then(|&place| graph.initializer.get(place)) else {
                continue;
            };
            if used.insert(name.clone()) {
                continue;
            }
            let copy = fresh(name, &mut taken);
            copies.push((name.clone(), TensorProto { name: Some(copy.clone()), ..original.clone() }));
            *name = copy;
        }
    }
    for (original, copy) in copies {
        let declared = graph.input.iter().find(|input| input.name() == original).cloned();
        if let Some(mut declared) = declared.filter(|_| declares_weights) {
            declared.name = copy.name.clone();
            graph.input.push(declared);
        }
        graph.initializer.push(copy);
    }
}

/// Whether all numbers lie along one dimension.
fn is_row(tensor: &TensorProto) -> bool {
    tensor.dims.iter().filter(|&&extent| extent > 1).count() <= 1
}

/// An Identity of a small initializer becomes an initializer of its own.
fn resolve_identities(graph: &mut GraphProto) {
    let outputs: BTreeSet<String> = graph.output.iter().map(|output| output.name().to_owned()).collect();
    let mut added: Vec<TensorProto> = Vec::new();
    let initializers = &graph.initializer;
    graph.node.retain(|node| {
        let [input] = node.input.as_slice() else { return true };
        let [output] = node.output.as_slice() else { return true };
        if node.op_type() != "Identity" || outputs.contains(output) {
            return true;
        }
        let found = initializers.iter().chain(&added).find(|tensor| tensor.name() == input && is_row(tensor));
        let Some(original) = found else { return true };
        let copy = TensorProto { name: Some(output.clone()), ..original.clone() };
        added.push(copy);
        false
    });
    graph.initializer.extend(added);
}

/// The inputs that may be biases, scales or running statistics.
fn uses(node: &NodeProto) -> Vec<usize> {
    match node.op_type() {
        "Conv" | "Gemm" => vec![2],
        "BatchNormalization" => vec![1, 2, 3, 4],
        "GroupNormalization" | "InstanceNormalization" | "LayerNormalization" | "RMSNormalization" => vec![1, 2],
        "PRelu" => vec![1],
        "Add" | "Mul" => vec![0, 1],
        _ => Vec::new(),
    }
}

fn names(graph: &GraphProto) -> BTreeSet<String> {
    let tensors = graph.initializer.iter().map(|tensor| tensor.name().to_owned());
    let values = graph.node.iter().flat_map(|node| node.input.iter().chain(&node.output)).cloned();
    tensors.chain(values).collect()
}

/// A name that nothing has yet, and that tells where it comes from.
fn fresh(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut number = 2usize;
    loop {
        let candidate = format!("{name}.{number}");
        if taken.insert(candidate.clone()) {
            return candidate;
        }
        number += 1;
    }
}
