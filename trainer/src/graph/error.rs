//! Why a model cannot be trained.

use gleaner::onnx;
use gleaner::onnx::training::OLDEST_OPSET;
use tch::TchError;

/// Why a model cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The model's file is not what it should be.
    #[error(transparent)]
    Model(#[from] onnx::Error),
    /// The operator set is too old, or the model does not name one.
    #[error(
        "{file}: the operator set is of version {version}, but the trainer knows versions from {OLDEST_OPSET} on; \
         export the model with a newer one, or convert it with onnx.version_converter"
    )]
    Opset {
        /// The model's file.
        file: String,
        /// Its version; 0 if it says none.
        version: i64,
    },
    /// An operator that the trainer does not know.
    #[error(
        "{file}: node {node:?}: the trainer does not know the operator {operator}; \
         export a model that is made of {known}, or train with a command of your own (`trainer.command`)"
    )]
    Operator {
        /// The model's file.
        file: String,
        /// The node's name.
        node: String,
        /// The operator, with its domain if it is not ONNX's own.
        operator: String,
        /// All known operators.
        known: String,
    },
    /// An operator that is known, used in a way that is not.
    #[error("{file}: node {node:?} ({operator}): {reason}")]
    Refused {
        /// The model's file.
        file: String,
        /// The node's name.
        node: String,
        /// The operator.
        operator: String,
        /// What is not supported.
        reason: String,
    },
    /// Something about the graph as a whole.
    #[error("{file}: {reason}")]
    Graph {
        /// The model's file.
        file: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// libtorch could not take the weights.
    #[error("the weights could not be moved into libtorch: {0}")]
    Torch(#[from] TchError),
}
