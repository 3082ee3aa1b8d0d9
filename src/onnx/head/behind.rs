//! What follows from the last layer: shapes that name the number of classes.

use super::find::Layer;
use crate::onnx::error::Problem;
use crate::onnx::graft::Graft;
use crate::onnx::lookup::Lookup;
use crate::onnx::port::{Dim, dimension, dimensions_mut};
use crate::onnx::proto::{GraphProto, NodeProto, ValueInfoProto};
use crate::onnx::{Port, check, tensor};
use std::collections::HashSet;

/// Gives everything behind the layer room for so many classes: declared shapes, and shapes that a Reshape is told.
pub(super) fn resize(graph: &mut GraphProto, layer: &Layer, classes: usize, graft: &mut Graft) -> Result<(), Problem> {
    let mut behind: HashSet<String> = HashSet::new();
    let mut shapes: Vec<Shape> = Vec::new();
    let search = Search { nodes: &graph.node, lookup: Lookup::of(graph) };
    for (index, node) in graph.node.iter().enumerate().skip(layer.node) {
        if index != layer.node && !node.input.iter().any(|input| behind.contains(input)) {
            continue;
        }
        behind.extend(node.output.iter().cloned());
        if node.op_type() == "Reshape" {
            shapes.extend(search.shape(index, layer.before)?);
        }
        let bias = layer.bias.as_ref().filter(|bias| bias.node == index).map(|bias| bias.place);
        let others = node.input.iter().enumerate().filter(|(place, _)| Some(*place) != bias && index != layer.node);
        for (_, name) in others {
            let fixed = search.lookup.fixed(name).transpose()?;
            let has_extent = fixed.is_some_and(|fixed| fixed.f32().is_some() && fixed.dims.contains(&layer.before));
            if has_extent && layer.before > 1 {
                return Err(per_class(node, name, layer.before));
            }
        }
    }
    for Shape { node, input, mut extents, place } in shapes {
        if let Some(extent) = extents.get_mut(place) {
            *extent = i64::try_from(classes).unwrap_or(i64::MAX);
        }
        if let Some(input) = graph.node.get_mut(node).and_then(|node| node.input.get_mut(input)) {
            *input = graft.weight(&format!("{input}.classes"), tensor::from_i64("", &extents));
        }
    }
    let declared = graph.value_info.iter_mut().chain(&mut graph.output);
    for value in declared.filter(|value| behind.contains(value.name())) {
        redeclare(value, layer.before, classes);
    }
    Ok(())
}

fn per_class(node: &NodeProto, name: &str, before: usize) -> Problem {
    Problem::Head(format!(
        "{} behind it has numbers of its own for each of the {before} classes in {name:?}; leave it out of the model, and \
         export it again",
        check::describe(node)
    ))
}

/// A list of extents in which the number of classes stands.
struct Shape {
    /// The node that is told the shape, or makes it.
    node: usize,
    /// The place of the list among the node's inputs.
    input: usize,
    extents: Vec<i64>,
    /// The place of the number of classes in the list.
    place: usize,
}

struct Search<'a> {
    nodes: &'a [NodeProto],
    lookup: Lookup<'a>,
}

impl Search<'_> {
    /// The shape at the second input of a node, if it names so many classes; or the part of it that does, where the shape is
    /// put together with extents that are known only when the model runs, such as the batch.
    fn shape(&self, node: usize, classes: usize) -> Result<Option<Shape>, Problem> {
        if let Some(shape) = self.list(node, 1, classes)? {
            return Ok(Some(shape));
        }
        let name = self.nodes.get(node).and_then(|node| node.input.get(1));
        let makes = |maker: &NodeProto| name.is_some_and(|name| maker.output.contains(name));
        let Some(maker) = self.nodes.iter().position(makes) else { return Ok(None) };
        let parts =
            self.nodes.get(maker).filter(|maker| maker.op_type() == "Concat").map_or(0, |maker| maker.input.len());
        (0..parts).rev().find_map(|part| self.list(maker, part, classes).transpose()).transpose()
    }

    /// The list of extents at this input, if it is told and names so many classes. They come last, and never first, where
    /// the batch is.
    fn list(&self, node: usize, input: usize, classes: usize) -> Result<Option<Shape>, Problem> {
        let name = self.nodes.get(node).and_then(|node| node.input.get(input));
        let Some(fixed) = name.and_then(|name| self.lookup.fixed(name)).transpose()? else { return Ok(None) };
        let extents = fixed.i64().unwrap_or_default().to_vec();
        let place = extents.iter().rposition(|&extent| usize::try_from(extent) == Ok(classes));
        let place = place.filter(|&place| place > 0 || extents.len() == 1);
        Ok(place.map(|place| Shape { node, input, extents, place }))
    }
}

/// Changes the one extent that is the number of classes. If several could be, they are left open: shapes of values are hints.
fn redeclare(value: &mut ValueInfoProto, before: usize, classes: usize) {
    let dims = Port::of(value).dims.unwrap_or_default();
    // The first extent is the batch.
    let places: Vec<usize> =
        (1..dims.len()).filter(|&place| dims.get(place).and_then(Dim::known) == Some(before)).collect();
    let new = if places.len() == 1 { Dim::Known(classes as u64) } else { Dim::Unknown };
    for extent in dimensions_mut(value).into_iter().flatten().enumerate().filter(|(place, _)| places.contains(place)) {
        extent.1.value = dimension(&new).value;
    }
}
