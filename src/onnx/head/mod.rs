//! A last layer for other classes, as transfer learning begins with.
//!
//! | file | owns |
//! | --- | --- |
//! | `find` | where the last layer is, and its weights |
//! | `behind` | what follows from it: shapes that name the number of classes |

mod behind;
mod find;

use super::error::{Problem, Result};
use super::graft::Graft;
use super::model::PROTOBUF_LIMIT;
use super::port::{Dim, declare};
use super::proto::{GraphProto, TensorProto};
use super::{Classifier, ElementType, Model, tensor};
use crate::draw::{Draws, Stream};
use find::{Layer, Weight};

/// What became of the last layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many classes the old one told apart.
    pub before: usize,
    /// The initializers that are new: the weight, and the bias if there is one.
    pub weights: Vec<String>,
    /// The keys of the metadata that spoke of the old classes, or of the training of the whole, and were dropped.
    pub dropped: Vec<String>,
}

/// Replaces the last Gemm, MatMul or 1x1 Conv with its bias by one of `classes` outputs. Everything else stays as it is, but for
/// shapes and metadata that speak of the old classes.
///
/// Weight and bias are drawn as PyTorch draws those of a new `Linear` or 1x1 `Conv2d`: evenly from ±1/sqrt(inputs)
/// (documentation of `torch.nn.Linear` and `torch.nn.Conv2d`, "Variables"). They depend on the seed and on the number of
/// inputs alone, not on how an exporter lays them out.
///
/// # Errors
/// What [`Classifier::of`] gives; [`Problem::Head`] if the output does not come from such a layer, if the layer shares its
/// weight with others, or if something behind it has numbers of its own for each class; [`Problem::ElementType`] if it is
/// not of 32-bit floats; [`Problem::TooLarge`]. The model is in no certain state then.
pub fn replace_head(model: &mut Model, classes: usize, seed: u64) -> Result<Head> {
    let classifier = Classifier::of(model)?;
    let layer = find::layer(model.graph(), &classifier).map_err(|problem| model.error(problem))?;
    let Layer { weight, bias, before, inputs, .. } = &layer;
    let bytes = (classes as u64).saturating_mul(*inputs as u64).saturating_mul(4);
    if bytes > PROTOBUF_LIMIT {
        return Err(model.error(Problem::TooLarge { bytes }));
    }
    let drawn = Drawn { draws: Draws::new(seed, 0, Stream::Weights), classes, inputs: *inputs };
    let mut graft = Graft::onto(model.proto());
    let shared = bias.as_ref().filter(|bias| bias.is_shared).map(|bias| graft.fresh(&bias.weight.name));
    behind::resize(model.graph_mut(), &layer, classes, &mut graft).map_err(|problem| model.error(problem))?;
    let graph = model.graph_mut();
    let mut weights = vec![weight.name.clone()];
    put(graph, drawn.weight(weight));
    if let Some(bias) = bias {
        let name = shared.unwrap_or_else(|| bias.weight.name.clone());
        let input = graph.node.get_mut(bias.node).and_then(|node| node.input.get_mut(bias.place));
        if let Some(input) = input.filter(|_| bias.is_shared) {
            input.clone_from(&name);
        }
        put(graph, drawn.bias(&Weight { name: name.clone(), ..bias.weight.clone() }));
        weights.push(name);
    }
    graft.settle(graph);
    let dropped = forget(model);
    Ok(Head { before: *before, weights, dropped })
}

/// The numbers of a new layer.
struct Drawn {
    draws: Draws,
    classes: usize,
    inputs: usize,
}

impl Drawn {
    fn number(&self, place: usize) -> f32 {
        let bound = 1.0 / (self.inputs as f64).sqrt();
        ((2.0 * self.draws.unit(place as u64) - 1.0) * bound) as f32
    }

    /// Class by class, however the weight lies in memory.
    fn weight(&self, old: &Weight) -> TensorProto {
        let count = self.classes * self.inputs;
        let at = |place: usize| match old.class_axis {
            0 => place,
            _ => place % self.classes * self.inputs + place / self.classes,
        };
        self.tensor(old, (0..count).map(|place| self.number(at(place))).collect())
    }

    /// Drawn after the weights.
    fn bias(&self, old: &Weight) -> TensorProto {
        let first = self.classes * self.inputs;
        self.tensor(old, (first..first + self.classes).map(|place| self.number(place)).collect())
    }

    fn tensor(&self, old: &Weight, values: Vec<f32>) -> TensorProto {
        let mut dims = old.dims.clone();
        if let Some(extent) = dims.get_mut(old.class_axis) {
            *extent = self.classes;
        }
        tensor::from_f32(&old.name, &dims, &values)
    }
}

/// Puts a weight in the place of the one of its name, which may stand in a Constant node; or, if there is none, behind the
/// others.
fn put(graph: &mut GraphProto, weight: TensorProto) {
    let name = weight.name().to_owned();
    let dims: Vec<Dim> = weight.dims.iter().map(|extent| Dim::Known(extent.unsigned_abs())).collect();
    // Old models list their weights among the inputs.
    for input in graph.input.iter_mut().filter(|input| input.name() == name) {
        *input = declare(&name, ElementType::Float, &dims);
    }
    graph.value_info.retain(|value| value.name() != name);
    match graph.initializer.iter_mut().find(|tensor| tensor.name() == name) {
        Some(old) => *old = weight,
        None => {
            graph.node.retain(|node| node.op_type() != "Constant" || !node.output.contains(&name));
            graph.initializer.push(weight);
        }
    }
}

/// Keys under which exporters name the classes.
const CLASS_KEYS: [&str; 8] =
    ["class_names", "classes", "id2label", "label2id", "labels", "names", "nc", "num_classes"];

/// Drops the metadata that speak of the old classes, and where gleaner's trainer says which epoch the weights come from.
fn forget(model: &mut Model) -> Vec<String> {
    let is_old = |key: &str| CLASS_KEYS.contains(&key) || key.starts_with("gleaner.");
    let dropped = model.metadata().into_keys().filter(|key| is_old(key)).collect();
    model.retain_metadata(|key| !is_old(key));
    dropped
}
