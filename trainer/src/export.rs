//! New weights into the ONNX graph.

use crate::graph::Graph;
use crate::state;
use gleaner::onnx::{self, Model, PreparedModel};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use tch::{TchError, Tensor};

/// The trained graph cannot become a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The new weights do not fit the graph.
    #[error(transparent)]
    Model(#[from] onnx::Error),
    /// libtorch could not give its values.
    #[error("the weights cannot be read out of libtorch: {0}")]
    Torch(#[from] TchError),
}

/// Where a checkpoint comes from, for its metadata.
#[derive(Clone, Copy, Debug)]
pub struct Provenance {
    /// The epoch that trained it.
    pub epoch: u32,
    /// The run's seed.
    pub seed: u64,
    /// The decay, if the weights are averages.
    pub ema: Option<f64>,
}

/// Leaves the numbers of the weights that change to the graph: in the model they would take memory twice.
pub fn lend(model: &mut Model, graph: &Graph) -> Result<(), ExportError> {
    graph.trained().try_for_each(|(name, _)| Ok(model.lend(name)?))
}

/// Writes the checkpoint under temporary names: the graph as it came, with the new `weights` and running statistics, by name,
/// and provenance.
pub fn export<'a>(
    model: &mut Model,
    weights: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    provenance: Provenance,
    checkpoint: &Path,
) -> Result<PreparedModel, ExportError> {
    let changed: BTreeMap<&str, &Tensor> = weights.into_iter().collect();
    let parent = model.digest().to_owned();
    model.set_metadata("gleaner.parent", &parent);
    model.set_metadata("gleaner.epoch", &provenance.epoch.to_string());
    model.set_metadata("gleaner.seed", &provenance.seed.to_string());
    if let Some(decay) = provenance.ema {
        model.set_metadata("gleaner.ema", &decay.to_string());
    }
    let values = |name: &str| match changed.get(name) {
        Some(weight) => state::values(weight).map_err(io::Error::other),
        None => Err(io::Error::other(format!("the graph has no weight {name:?}"))),
    };
    Ok(model.prepare(checkpoint, &values)?)
}
