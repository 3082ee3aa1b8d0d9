//! What can be wrong with a model, in words that name the file, the value and the remedy.

use std::io;

use crate::files::PublishError;

/// The result of everything in this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A problem, and the file it was found in.
#[derive(Debug, thiserror::Error)]
#[error("{}", told(file, problem))]
pub struct Error {
    /// The model's file, or "model in memory".
    pub file: String,
    /// What is wrong.
    pub problem: Box<Problem>,
}

impl Error {
    pub(super) fn new(file: impl Into<String>, problem: Problem) -> Self {
        Self { file: file.into(), problem: Box::new(problem) }
    }
}

fn told(file: &str, problem: &Problem) -> String {
    match problem {
        // It names the file itself.
        Problem::Publish(error) => error.to_string(),
        _ => format!("{file}: {problem}"),
    }
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// The bytes are no protobuf message of ONNX's kind, or they end too early.
    #[error("not an ONNX file or truncated ({0}); export or copy the model again")]
    NotOnnx(String),
    /// Protobuf messages end at 2 GiB.
    #[error(
        "{bytes} bytes do not fit the 2 GiB that one ONNX file can hold; export the model with its weights in a file beside it \
         (external data)"
    )]
    TooLarge {
        /// The size in bytes.
        bytes: u64,
    },
    /// The weights beside a model claim more memory than there is.
    #[error(
        "the weights beside it claim {bytes} bytes, and of the memory that is free {free} may be taken for them; use a smaller \
         model, or a machine with more memory"
    )]
    Memory {
        /// What they claim, in bytes, or the highest number that can be counted.
        bytes: u64,
        /// How many bytes there are for them.
        free: u64,
    },
    /// The graph has nothing to run or nothing to give.
    #[error("the graph has no {0}; export the model again")]
    Empty(&'static str),
    /// Two values carry one name.
    #[error("the name {name:?} is given to two values ({kind}); every value needs a name of its own")]
    Duplicate {
        /// The name.
        name: String,
        /// Where the second one was found.
        kind: &'static str,
    },
    /// A value is used that nothing makes.
    #[error("{user} uses {value:?}, which no input, weight or node provides; export the model again")]
    Undefined {
        /// The node or the output that uses it.
        user: String,
        /// The value's name.
        value: String,
    },
    /// A node stands before a node that it needs.
    #[error("{user} uses {value:?} before it is made: the graph is cyclic or its nodes are not in order")]
    Cyclic {
        /// The node that uses the value.
        user: String,
        /// The value's name.
        value: String,
    },
    /// A function that the model defines calls itself, directly or by way of others.
    #[error("the function {name:?} calls itself, so that the graph has no end; export the model again")]
    Recursive {
        /// The function's name.
        name: String,
    },
    /// The functions that the model defines call each other so often that the graph is beyond measure.
    #[error(
        "with its functions written out the graph has {nodes} nodes, more than the {limit} that are run at most; export the \
         model without functions"
    )]
    TooManyNodes {
        /// How many there are, or the highest number that can be counted.
        nodes: u64,
        /// How many there may be.
        limit: u64,
    },
    /// Sparse tensors stand for dense ones that are too big.
    #[error(
        "the sparse tensor {name:?} of shape {dims:?} stands, with those before it, for more than 2 GiB; use a smaller model"
    )]
    Sparse {
        /// The name of its values.
        name: String,
        /// Its claimed shape.
        dims: Vec<i64>,
    },
    /// Nodes make more numbers than there is memory for, out of shapes that stand in the file.
    #[error(
        "{node} makes {numbers} numbers out of a constant shape, and with those before it {all}, more than the {limit} that \
         are made so at most; use a smaller model"
    )]
    Claims {
        /// The node.
        node: String,
        /// How many numbers it makes, or the highest number that can be counted.
        numbers: u64,
        /// The same for all such nodes up to this one.
        all: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A tensor's claimed shape and its bytes disagree.
    #[error("tensor {name:?} of shape {dims:?} needs {expected} {unit} but holds {found}; the file is damaged")]
    WrongSize {
        /// The tensor's name.
        name: String,
        /// Its claimed shape.
        dims: Vec<i64>,
        /// What the shape asks for.
        expected: u64,
        /// What is there.
        found: u64,
        /// "bytes" or "values".
        unit: &'static str,
    },
    /// A tensor's shape is negative or too big to count.
    #[error("tensor {name:?} has the impossible shape {dims:?}; the file is damaged")]
    BadShape {
        /// The tensor's name.
        name: String,
        /// Its claimed shape.
        dims: Vec<i64>,
    },
    /// A tensor is of a type that is unknown, or not usable for this purpose.
    #[error("tensor {name:?} is of type {element}; {wanted}")]
    ElementType {
        /// The tensor's name.
        name: String,
        /// Its type.
        element: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// Weights in a file beside the model cannot be used.
    #[error("tensor {name:?}: external data {location:?} {reason}")]
    External {
        /// The tensor's name.
        name: String,
        /// The file that holds its data, as the model names it.
        location: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// There is no such tensor.
    #[error("there is no {what} named {name:?}{}", nearest(near))]
    Missing {
        /// "initializer", "value", ...
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The most similar names there are.
        near: Vec<String>,
    },
    /// New values do not have the shape of the old ones.
    #[error("initializer {name:?} has the shape {expected:?}, not {found:?} with {values} values")]
    Replace {
        /// The initializer's name.
        name: String,
        /// Its shape.
        expected: Vec<i64>,
        /// The shape of the new values.
        found: Vec<usize>,
        /// How many new values there are.
        values: usize,
    },
    /// The model is sound, but no image classifier.
    #[error("not an image classifier: {0}")]
    NotClassifier(String),
    /// The embedding cannot be found by itself.
    #[error(
        "no embedding found: {output:?} does not come from a Gemm or MatMul with fixed weights; \
         name a value under `model.embedding`, or say `none`"
    )]
    NoEmbedding {
        /// The classifier's output.
        output: String,
    },
    /// The pixels do not fit the model, so that their normalisation cannot become part of it.
    #[error("the pixels cannot become part of the graph: {0}")]
    Fold(String),
    /// The graph cannot be turned into one of 16-bit floats.
    #[error("cannot be computed in half precision: {0}; score in single precision")]
    Half(String),
    /// The model cannot be trained by the built-in trainer.
    #[error("{0}")]
    Untrainable(String),
    /// A pattern of the config matches no weight.
    #[error("{key}: no initializer matches {pattern:?}{}; `gleaner model inspect` lists them", nearest(near))]
    Pattern {
        /// The key of the config.
        key: &'static str,
        /// The pattern.
        pattern: String,
        /// The most similar names there are.
        near: Vec<String>,
    },
    /// What a pattern of `train.also` matches cannot train.
    #[error("train.also: what matches {pattern:?} cannot train: {reason}; take the pattern out")]
    Also {
        /// The pattern.
        pattern: String,
        /// Why not.
        reason: String,
    },
    /// Of all weights none is left to train.
    #[error("`train.freeze` and `train.only` leave no weight to train; take patterns away, or add one to `train.only`")]
    AllFrozen,
    /// The last layer cannot be replaced.
    #[error("the last layer cannot be replaced: {0}")]
    Head(String),
    /// A starting graph cannot have this form.
    #[error("a starting graph cannot have {0}")]
    Start(String),
    /// The file could not be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

fn nearest(near: &[String]) -> String {
    match near {
        [] => String::new(),
        names => format!("; the nearest are {}", names.join(", ")),
    }
}
