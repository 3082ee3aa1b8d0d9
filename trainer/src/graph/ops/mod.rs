//! What each operator computes.
//!
//! Sources: ONNX's operator documents (`docs/Operators.md` and `docs/Changelog.md` of onnx/onnx) for the meaning in
//! every version of the operator set; what they leave open is settled by what ONNX Runtime computes, because it scores
//! the same graph.

mod convolution;
mod elementwise;
mod linear;
mod normalisation;
mod pooling;
mod shape;
mod softmax;
mod window;

use super::reader::{Reader, Refusal};
use super::{Fault, Mode};
use tch::Tensor;

/// A node's computation: from its inputs to its first output.
pub(super) type Compute = Box<dyn Fn(Inputs<'_>, Mode) -> Result<Tensor, Fault>>;

/// How an operator is made from a node.
type Build = fn(&mut Reader<'_>) -> Result<Compute, Refusal>;

/// The values that a node reads; inputs that the node leaves out are absent.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a>(&'a [Option<&'a Tensor>]);

impl<'a> Inputs<'a> {
    pub(super) fn new(values: &'a [Option<&'a Tensor>]) -> Self {
        Self(values)
    }

    fn maybe(self, index: usize) -> Option<&'a Tensor> {
        self.0.get(index).copied().flatten()
    }

    fn get(self, index: usize) -> Result<&'a Tensor, Fault> {
        self.maybe(index).ok_or(Fault::Missing(index))
    }
}

/// Every operator that can be trained, by name. `Constant` is not among them: it is a value, not a computation.
const OPERATORS: [(&str, Build); 29] = [
    ("Add", elementwise::add),
    ("AveragePool", pooling::average),
    ("BatchNormalization", normalisation::batch),
    ("Clip", elementwise::clip),
    ("Concat", shape::concat),
    ("Conv", convolution::convolution),
    ("Div", elementwise::div),
    ("Dropout", elementwise::dropout),
    ("Flatten", shape::flatten),
    ("Gemm", linear::gemm),
    ("GlobalAveragePool", pooling::global_average),
    ("GlobalMaxPool", pooling::global_max),
    ("HardSigmoid", elementwise::hard_sigmoid),
    ("HardSwish", elementwise::hard_swish),
    ("Identity", elementwise::identity),
    ("LeakyRelu", elementwise::leaky_relu),
    ("LogSoftmax", softmax::log_softmax),
    ("MatMul", linear::matmul),
    ("MaxPool", pooling::maximum),
    ("Mul", elementwise::mul),
    ("ReduceMean", shape::reduce_mean),
    ("Relu", elementwise::relu),
    ("Reshape", shape::reshape),
    ("Sigmoid", elementwise::sigmoid),
    ("Softmax", softmax::softmax),
    ("Squeeze", shape::squeeze),
    ("Sub", elementwise::sub),
    ("Tanh", elementwise::tanh),
    ("Transpose", shape::transpose),
];

/// How the operator of this name is made, if it is known.
pub(super) fn find(name: &str) -> Option<Build> {
    OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, build)| *build)
}

/// The names of all known operators, for a message.
pub(super) fn known() -> String {
    OPERATORS.map(|(name, _)| name).join(", ")
}

/// Brings an axis that may count from the end into `0..rank`.
fn axis_of(axis: i64, rank: usize) -> Result<i64, Fault> {
    let rank = i64::try_from(rank).unwrap_or(i64::MAX);
    let counted = if axis < 0 { axis.saturating_add(rank) } else { axis };
    if (0..rank).contains(&counted) {
        Ok(counted)
    } else {
        Err(Fault::Other(format!("axis {axis} is outside a tensor of {rank} dimensions")))
    }
}
