//! Functions: operators that a model defines itself. A runtime puts their nodes in the place of each call.

use std::collections::HashMap;

use super::error::Problem;
use super::proto::{FunctionProto, ModelProto, NodeProto};

/// The most nodes that a graph may have once every call is replaced: far more than any network, far less than a few
/// functions that call each other many times over.
const MOST_NODES: u64 = 1_000_000;

/// Domain, name and overload: what a call names.
type Name<'a> = (&'a str, &'a str, &'a str);

/// What a graph or a function is made of.
#[derive(Default)]
struct Body {
    /// Nodes that are no calls.
    nodes: u64,
    /// The functions that are called, by their place, once for each call.
    calls: Vec<usize>,
}

/// Refuses functions that call themselves, directly or by way of others, and those that would never fit the memory.
pub(super) fn check(model: &ModelProto) -> Result<(), Problem> {
    let mut places = HashMap::new();
    for (place, function) in model.functions.iter().enumerate() {
        if places.insert(name(function), place).is_some() {
            return Err(Problem::Duplicate { name: function.name().to_owned(), kind: "function" });
        }
    }
    let mut bodies: Vec<Body> = model.functions.iter().map(|function| body(&function.node, &places)).collect();
    bodies.push(body(model.graph.as_ref().map_or(&[], |graph| graph.node.as_slice()), &places));
    let sizes = sizes(&bodies);
    if let Some((_, function)) = sizes.iter().zip(&model.functions).find(|(size, _)| size.is_none()) {
        return Err(Problem::Recursive { name: function.name().to_owned() });
    }
    match sizes.last().copied().flatten() {
        Some(nodes) if nodes > MOST_NODES => Err(Problem::TooManyNodes { nodes, limit: MOST_NODES }),
        _ => Ok(()),
    }
}

fn name(function: &FunctionProto) -> Name<'_> {
    (domain(function.domain()), function.name(), function.overload())
}

/// The standard domain has two spellings.
fn domain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

fn body(nodes: &[NodeProto], places: &HashMap<Name<'_>, usize>) -> Body {
    let mut body = Body::default();
    collect(nodes, places, &mut body);
    body
}

// The depth of subgraphs is bounded: the protobuf decoder stops at 100 nested messages.
fn collect(nodes: &[NodeProto], places: &HashMap<Name<'_>, usize>, body: &mut Body) {
    for node in nodes {
        match places.get(&(domain(node.domain()), node.op_type(), node.overload())) {
            Some(&place) => body.calls.push(place),
            None => body.nodes += 1,
        }
        for graph in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
            collect(&graph.node, places, body);
        }
    }
}

/// How many nodes each body has once every call is replaced; none for those that call themselves, or one that does.
///
/// Bodies are taken when all that they call are done, not by following calls, which may be nested as deep as there are
/// functions.
fn sizes(bodies: &[Body]) -> Vec<Option<u64>> {
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); bodies.len()];
    for (caller, body) in bodies.iter().enumerate() {
        for &called in &body.calls {
            callers[called].push(caller);
        }
    }
    let mut open: Vec<usize> = bodies.iter().map(|body| body.calls.len()).collect();
    let mut sizes = vec![None; bodies.len()];
    let mut ready: Vec<usize> = (0..bodies.len()).filter(|&place| open[place] == 0).collect();
    while let Some(place) = ready.pop() {
        let called = bodies[place].calls.iter().map(|&called| sizes[called].unwrap_or(u64::MAX));
        sizes[place] = Some(called.fold(bodies[place].nodes, u64::saturating_add));
        for &caller in &callers[place] {
            open[caller] -= 1;
            if open[caller] == 0 {
                ready.push(caller);
            }
        }
    }
    sizes
}
