//! Giving every layer its own weights where an exporter merged equal ones.
//!
//! Exporters merge initializers of equal content. A fresh network is full of them: every BatchNormalization starts with
//! scale 1, bias 0, mean 0 and variance 1, so that one tensor may serve as the bias of one layer and the running mean
//! of ten others, or as the scales of several layers. Training them as one would be wrong; but what a network shares on
//! purpose must stay shared. How the two are told apart:
//!
//! - PyTorch's first exporter puts an `Identity` in the place of what it merged away, and none where a network shares. So each
//!   `Identity` of an initializer that something else reads, too, becomes an initializer of its own, whatever its shape. Only
//!   where both have names that the exporter made up, for weights that it has transposed, may they come of one layer that is
//!   called twice: then they stay one.
//! - Its second exporter merges nothing, unless it is told to optimise. Then, and in what other programs write, merged values
//!   stand directly at several nodes, as shared ones do. There, if a node of one module reads what bears another's name, or
//!   if no modules are told, a bias, scale or running statistic gets a copy for each layer if all its numbers are equal, as
//!   they are at the beginning: see `uses` for which nodes are one layer. Numbers that differ are no coincidence, and stay
//!   shared; and so do matrices.

use super::names::{is_call, is_made_up, module};
use super::uses::{Layer, layer, may_be_merged, places};
use crate::onnx::Model;
use crate::onnx::graft::WEIGHTS_ARE_INPUTS;
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto};
use crate::onnx::tensor::{self, Values};
use std::collections::{BTreeMap, BTreeSet};

/// Copies what an exporter merged, so that each layer has its own; in models that must list weights among their inputs, the
/// copies are listed, too. Does nothing to a graph that shares none.
pub fn untie(model: &mut Model) {
    let declares_weights = model.proto().ir_version() <= WEIGHTS_ARE_INPUTS;
    let graph = model.graph_mut();
    resolve_identities(graph);
    let copies = split(graph);
    for (original, copy) in copies {
        let declared = graph.input.iter().find(|input| input.name() == original).cloned();
        if let Some(mut declared) = declared.filter(|_| declares_weights) {
            declared.name = copy.name.clone();
            graph.input.push(declared);
        }
        graph.initializer.push(copy);
    }
}

/// Gives each layer that reads a merged row one of its own: the first has it already. Returns the copies, each beside the name
/// of its original.
fn split(graph: &mut GraphProto) -> Vec<(String, TensorProto)> {
    let rows = graph.initializer.iter().filter(|tensor| is_row(tensor) && is_even(tensor));
    let rows: BTreeMap<String, TensorProto> = rows.map(|tensor| (tensor.name().to_owned(), tensor.clone())).collect();
    if !may_be_merged(graph, |name| rows.contains_key(name)) {
        return Vec::new();
    }
    let found = graph.node.iter().enumerate().flat_map(|(index, node)| {
        places(node).iter().map(move |&place| (index, place)).filter(|&(_, place)| place < node.input.len())
    });
    let uses: Vec<(usize, usize, Layer)> =
        found.filter_map(|(index, place)| Some((index, place, layer(graph, index, place)?))).collect();
    let mut taken: BTreeSet<String> = names(graph);
    let mut used: BTreeMap<String, Vec<(Layer, String)>> = BTreeMap::new();
    let mut copies: Vec<(String, TensorProto)> = Vec::new();
    for (index, place, layer) in uses {
        let Some(name) = graph.node.get_mut(index).and_then(|node| node.input.get_mut(place)) else { continue };
        let Some(original) = rows.get(name.as_str()) else { continue };
        let layers = used.entry(name.clone()).or_default();
        if let Some((_, own)) = layers.iter().find(|(other, _)| *other == layer) {
            name.clone_from(own);
            continue;
        }
        let own = if layers.is_empty() { name.clone() } else { fresh(name, &mut taken) };
        layers.push((layer, own.clone()));
        if own != *name {
            copies.push((name.clone(), TensorProto { name: Some(own.clone()), ..original.clone() }));
            *name = own;
        }
    }
    copies
}

/// Whether all numbers lie along one dimension.
fn is_row(tensor: &TensorProto) -> bool {
    !tensor.dims.is_empty() && tensor.dims.iter().filter(|&&extent| extent > 1).count() <= 1
}

/// Whether all numbers are equal.
fn is_even(tensor: &TensorProto) -> bool {
    match tensor::read(tensor).map(|tensor| tensor.values) {
        Ok(Values::F32(values)) => values.windows(2).all(|pair| matches!(pair, [one, other] if one == other)),
        _ => false,
    }
}

/// An Identity of an initializer that is merged becomes an initializer of its own.
fn resolve_identities(graph: &mut GraphProto) {
    let outputs: BTreeSet<String> = graph.output.iter().map(|output| output.name().to_owned()).collect();
    let mut added: Vec<TensorProto> = Vec::new();
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let identities: Vec<(usize, String, String)> = graph.node.iter().enumerate().filter_map(identity).collect();
    let mut resolved = BTreeSet::new();
    for (index, input, output) in identities {
        let found = graph.initializer.iter().chain(&added).find(|tensor| tensor.name() == input);
        let Some(original) = found.filter(|_| !outputs.contains(&output)) else { continue };
        let Some(first) = reader(graph, &input) else { continue };
        resolved.insert(index);
        let both = is_made_up(&input) && is_made_up(&output);
        if both && reader(graph, &output).is_some_and(|other| is_same_layer(first, other)) {
            renamed.insert(output, input);
        } else {
            added.push(TensorProto { name: Some(output), ..original.clone() });
        }
    }
    let mut index = 0..;
    graph.node.retain(|_| index.next().is_none_or(|index| !resolved.contains(&index)));
    for name in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        if let Some(original) = renamed.get(name) {
            name.clone_from(original);
        }
    }
    graph.initializer.extend(added);
}

fn identity((index, node): (usize, &NodeProto)) -> Option<(usize, String, String)> {
    match (node.op_type(), node.input.as_slice(), node.output.as_slice()) {
        ("Identity", [input], [output]) => Some((index, input.clone(), output.clone())),
        _ => None,
    }
}

/// The first node that computes from a value.
fn reader<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.op_type() != "Identity" && node.input.iter().any(|input| input == name))
}

/// Whether two nodes are calls of one module.
fn is_same_layer(one: &NodeProto, other: &NodeProto) -> bool {
    let [Some(one), Some(other)] = [one, other].map(module) else { return false };
    !one.is_empty() && (is_call(&one, &other) || is_call(&other, &one))
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
