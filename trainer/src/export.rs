//! New weights into the ONNX graph.

use crate::state;
use gleaner::onnx::{self, Model};
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
    /// Training has run away in its last batches.
    #[error(
        "after the last batch, weight {name:?} holds a value that is no finite number; nothing was written; \
         lower `train.learning_rate`, or raise `train.warmup`"
    )]
    NotFinite {
        /// The weight's name.
        name: String,
    },
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

/// The checkpoint's bytes: the graph as it came, with the new `weights` and running statistics, by name, and provenance.
pub fn export<'a>(
    model: &mut Model,
    weights: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    provenance: Provenance,
) -> Result<Vec<u8>, ExportError> {
    for (name, tensor) in weights {
        let values = state::values(tensor)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(ExportError::NotFinite { name: name.to_owned() });
        }
        let dims: Vec<usize> = tensor.size().iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
        model.set_f32(name, &dims, &values)?;
    }
    let parent = model.digest().to_owned();
    model.set_metadata("gleaner.parent", &parent);
    model.set_metadata("gleaner.epoch", &provenance.epoch.to_string());
    model.set_metadata("gleaner.seed", &provenance.seed.to_string());
    if let Some(decay) = provenance.ema {
        model.set_metadata("gleaner.ema", &decay.to_string());
    }
    Ok(model.to_bytes()?)
}
