//! What the built-in trainer knows.

use crate::onnx::Model;
use crate::onnx::lookup::Lookup;
use crate::onnx::proto::NodeProto;
use std::collections::BTreeSet;

/// The oldest operator set whose graphs can be trained. Before it, BatchNormalization and broadcasting meant other things.
pub const OLDEST_OPSET: i64 = 9;

/// The operators that the built-in trainer knows, besides `Constant`. A test of the trainer holds this against what it
/// computes.
pub const OPERATORS: [&str; 109] = [
    "Abs",
    "Add",
    "And",
    "Attention",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "Cos",
    "CumSum",
    "DepthToSpace",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "IsNaN",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "OneHot",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "RMSNormalization",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "ScatterND",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "ThresholdedRelu",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Upsample",
    "Where",
    "Xor",
];

/// The operators of a graph that the trainer does not know, with their domain if it is not ONNX's own.
///
/// One that is not among them may still be used in a way that the trainer refuses.
pub(super) fn unknown(model: &Model) -> BTreeSet<String> {
    let lookup = Lookup::of(model.graph());
    let nodes = model.graph().node.iter().filter(|node| node.op_type() != "Constant");
    nodes.filter(|node| !is_known(&lookup, node)).map(name).collect()
}

fn is_known(lookup: &Lookup<'_>, node: &NodeProto) -> bool {
    let fixed = |place: usize| node.input.get(place).is_some_and(|value| lookup.fixed(value).is_some());
    match node.op_type() {
        _ if !is_standard(node) => false,
        // The trainer makes a Slice of every piece whose place is told.
        "SplitToSequence" | "SequenceAt" => fixed(1),
        operator => OPERATORS.contains(&operator),
    }
}

fn is_standard(node: &NodeProto) -> bool {
    matches!(node.domain(), "" | "ai.onnx")
}

fn name(node: &NodeProto) -> String {
    if is_standard(node) { node.op_type().to_owned() } else { format!("{}.{}", node.domain(), node.op_type()) }
}
