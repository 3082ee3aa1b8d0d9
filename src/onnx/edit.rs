//! The edits that scoring needs: a second output with the embedding, and a batch of any size.

use super::element::ElementType;
use super::error::{Problem, Result};
use super::lookup::{self, Lookup};
use super::port::{self, Dim};
use super::proto::NodeProto;
use super::{Classifier, EmbeddingSite, Model, Port};

/// Which value describes an image (`model.embedding` in the config).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// The input of the last Gemm or MatMul.
    Auto,
    /// No embedding.
    None,
    /// The value of this name.
    Named(String),
}

/// The output at which the embedding can be read: floats of the shape [batch, width].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingPort {
    /// The output's name.
    pub name: String,
    /// How many numbers there are for each image; nothing if the model alone does not tell.
    pub width: Option<usize>,
}

/// Makes the embedding an output of the graph. A value that may have more than two extents goes through a Flatten
/// first, so that the output is always [batch, width]. Doing it twice changes nothing.
///
/// # Errors
/// For [`Embedding::Auto`] [`Problem::NoEmbedding`] and what [`Classifier::of`] gives; for [`Embedding::Named`]
/// [`Problem::Missing`] with the nearest names.
pub fn expose_embedding(model: &mut Model, which: &Embedding) -> Result<Option<EmbeddingPort>> {
    let site = match which {
        Embedding::None => return Ok(None),
        Embedding::Auto => automatic(model)?,
        Embedding::Named(name) => named(model, name)?,
    };
    let name = if site.flat { site.value.clone() } else { flatten(model, &site.value) };
    let batch = batch(model);
    let graph = model.graph_mut();
    if !graph.output.iter().any(|output| output.name() == name) {
        let width = site.width.map_or(Dim::Unknown, |width| Dim::Known(width as u64));
        graph.output.push(port::declare(&name, site.element, &[batch.unwrap_or(Dim::Unknown), width]));
        // A value is declared once: as an output, no longer as a value inside.
        graph.value_info.retain(|value| value.name() != name);
    }
    Ok(Some(EmbeddingPort { name, width: site.width }))
}

/// The first extent of the first input.
fn batch(model: &Model) -> Option<Dim> {
    model.inputs().into_iter().next()?.dims?.into_iter().next()
}

fn automatic(model: &Model) -> Result<EmbeddingSite> {
    let classifier = Classifier::of(model)?;
    match classifier.embedding {
        Some(site) => Ok(site),
        None => Err(model.error(Problem::NoEmbedding { output: classifier.output })),
    }
}

fn named(model: &Model, name: &str) -> Result<EmbeddingSite> {
    let graph = model.graph();
    let lookup = Lookup::of(graph);
    if lookup.maker(name).is_none() {
        let values = graph.node.iter().flat_map(|node| &node.output).map(String::as_str);
        let near = lookup::nearest(name, values);
        return Err(model.error(Problem::Missing { what: "value", name: name.to_owned(), near }));
    }
    // A declared shape tells most; then the layer that the value goes into.
    let declared = graph.output.iter().chain(&graph.value_info).find(|value| value.name() == name).map(Port::of);
    if let Some(Port { element, dims: Some(dims), .. }) = declared {
        let rest = dims.iter().skip(1);
        let width = rest.map(Dim::known).try_fold(1usize, |product, extent| product.checked_mul(extent?));
        return Ok(EmbeddingSite { value: name.to_owned(), width, flat: dims.len() == 2, element });
    }
    let users = graph.node.iter().filter(|node| matches!(node.op_type(), "Gemm" | "MatMul"));
    let layers = users.filter_map(|node| super::classifier::layer(&lookup, node, false));
    let known = layers.map(|(site, _)| site).find(|site| site.value == name);
    Ok(known.map_or_else(
        || EmbeddingSite { value: name.to_owned(), width: None, flat: false, element: ElementType::Float },
        |site| EmbeddingSite { width: site.width.filter(|_| site.flat), ..site },
    ))
}

/// Adds a Flatten behind `value`, or finds the one that an earlier call added, and gives its output's name.
fn flatten(model: &mut Model, value: &str) -> String {
    let graph = model.graph_mut();
    let flat = format!("{value}/flattened");
    if !graph.node.iter().any(|node| node.output.contains(&flat)) {
        graph.node.push(NodeProto {
            input: vec![value.to_owned()],
            output: vec![flat.clone()],
            name: Some(flat.clone()),
            op_type: Some("Flatten".to_owned()),
            // Without the attribute `axis` all extents but the first are joined.
            ..Default::default()
        });
    }
    flat
}

/// Fixes the number of images of one run, or leaves it open (`None`: the symbol "N").
///
/// The first extent of every input and of every output that follows the batch is changed. What the model says about
/// the batch of inner values is dropped. A graph that has the batch built in, for instance as a constant of a Reshape,
/// will still run with that batch only.
pub fn set_batch(model: &mut Model, images: Option<usize>) {
    let (inputs, old) = (model.inputs(), batch(model));
    let new = images.map_or_else(|| Dim::Symbol("N".to_owned()), |images| Dim::Known(images as u64));
    let graph = model.graph_mut();
    let fed = graph.input.iter_mut().filter(|value| inputs.iter().any(|input| input.name == value.name()));
    for value in fed.chain(&mut graph.output) {
        replace(value, old.as_ref(), &new);
    }
    for value in &mut graph.value_info {
        replace(value, old.as_ref(), &Dim::Unknown);
    }
}

/// Replaces the first extent, unless it is a number that is not the old batch.
fn replace(value: &mut super::proto::ValueInfoProto, old: Option<&Dim>, new: &Dim) {
    let first = Port::of(value).dims.and_then(|dims| dims.into_iter().next());
    let follows = match &first {
        None => false,
        Some(Dim::Known(_)) => first.as_ref() == old,
        Some(_) => true,
    };
    if let (true, Some(dimension)) = (follows, port::dimensions_mut(value).and_then(|dims| dims.first_mut())) {
        dimension.value = port::dimension(new).value;
    }
}
