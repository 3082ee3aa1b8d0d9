//! What each operator computes.
//!
//! Sources: ONNX's operator documents (`docs/Operators.md` and `docs/Changelog.md` of onnx/onnx) for the meaning in
//! every version of the operator set; what they leave open is settled by what ONNX Runtime computes, because it scores
//! the same graph.

mod activation;
mod arithmetic;
mod attention;
mod blocks;
mod convolution;
mod fill;
mod fused;
mod index;
mod kernel;
mod linear;
mod list;
mod logic;
mod normalisation;
mod pad;
mod pooling;
mod reduce;
mod resize;
mod response;
mod shape;
mod slice;
mod softmax;
mod transposed;
mod triangle;
mod window;

use super::reader::{Reader, Refusal};
use super::{Fault, Mode};
use Operator::{Binary, Built, Unary};
use tch::{TchError, Tensor};

type One = Box<dyn Fn(Inputs<'_>, Mode) -> Result<Tensor, Fault>>;
type Several = Box<dyn Fn(Inputs<'_>, Mode) -> Result<Vec<Tensor>, Fault>>;

/// A node's computation, from its inputs to its outputs.
pub(super) enum Compute {
    /// To the first output, which is the only one.
    One(One),
    /// To all outputs, in the order of the node.
    Several(Several),
}

impl Compute {
    pub(super) fn run(&self, inputs: Inputs<'_>, mode: Mode) -> Result<Vec<Tensor>, Fault> {
        match self {
            Self::One(compute) => Ok(vec![compute(inputs, mode)?]),
            Self::Several(compute) => compute(inputs, mode),
        }
    }
}

fn one(compute: impl Fn(Inputs<'_>, Mode) -> Result<Tensor, Fault> + 'static) -> Compute {
    Compute::One(Box::new(compute))
}

fn several(compute: impl Fn(Inputs<'_>, Mode) -> Result<Vec<Tensor>, Fault> + 'static) -> Compute {
    Compute::Several(Box::new(compute))
}

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

    /// All inputs of an operator that takes any number of them.
    fn all(self) -> Result<Vec<&'a Tensor>, Fault> {
        (0..self.0.len()).map(|index| self.get(index)).collect()
    }
}

/// How an operator is made from a node.
#[derive(Clone, Copy)]
pub(super) enum Operator {
    /// It has no attributes and one input.
    Unary(fn(&Tensor) -> Result<Tensor, TchError>),
    /// It has no attributes and two inputs.
    Binary(fn(&Tensor, &Tensor) -> Result<Tensor, TchError>),
    /// Whatever else.
    Built(fn(&mut Reader<'_>) -> Result<Compute, Refusal>),
}

impl Operator {
    pub(super) fn compute(self, node: &mut Reader<'_>) -> Result<Compute, Refusal> {
        match self {
            Unary(apply) => Ok(one(move |inputs, _| Ok(apply(inputs.get(0)?)?))),
            Binary(apply) => Ok(one(move |inputs, _| Ok(apply(inputs.get(0)?, inputs.get(1)?)?))),
            Built(build) => build(node),
        }
    }
}

/// Every operator that can be trained, by name. `Constant` is not among them: it is a value, not a computation.
const OPERATORS: &[(&str, Operator)] = &[
    ("Abs", Unary(Tensor::f_abs)),
    ("Add", Binary(Tensor::f_add)),
    ("And", Binary(Tensor::f_logical_and)),
    ("Attention", Built(attention::attention)),
    ("AveragePool", Built(pooling::average)),
    ("BatchNormalization", Built(normalisation::batch)),
    ("Cast", Built(logic::cast)),
    ("CastLike", Built(logic::cast_like)),
    ("Ceil", Unary(Tensor::f_ceil)),
    ("Celu", Built(activation::celu)),
    ("Clip", Built(activation::clip)),
    ("Concat", Built(slice::concat)),
    ("ConstantOfShape", Built(fill::constant_of_shape)),
    ("Conv", Built(convolution::convolution)),
    ("ConvTranspose", Built(transposed::transposed)),
    ("Cos", Unary(Tensor::f_cos)),
    ("CumSum", Built(triangle::running_sum)),
    ("DepthToSpace", Built(blocks::depth_to_space)),
    ("Div", Binary(arithmetic::div)),
    ("Dropout", Built(activation::dropout)),
    ("Einsum", Built(linear::einsum)),
    ("Elu", Built(activation::elu)),
    ("Equal", Binary(Tensor::f_eq_tensor)),
    ("Erf", Unary(Tensor::f_erf)),
    ("Exp", Unary(Tensor::f_exp)),
    ("Expand", Built(shape::expand)),
    ("Flatten", Built(shape::flatten)),
    ("Floor", Unary(Tensor::f_floor)),
    ("Gather", Built(index::gather)),
    ("GatherElements", Built(index::gather_elements)),
    ("GatherND", Built(index::gather_nd)),
    ("Gelu", Built(activation::gelu)),
    ("Gemm", Built(linear::gemm)),
    ("GlobalAveragePool", Built(pooling::global_average)),
    ("GlobalMaxPool", Built(pooling::global_max)),
    ("Greater", Binary(Tensor::f_gt_tensor)),
    ("GreaterOrEqual", Binary(Tensor::f_ge_tensor)),
    ("GroupNormalization", Built(normalisation::group)),
    ("HardSigmoid", Built(activation::hard_sigmoid)),
    ("HardSwish", Unary(Tensor::f_hardswish)),
    ("Identity", Unary(|input| Ok(input.shallow_clone()))),
    ("InstanceNormalization", Built(normalisation::instance)),
    ("IsNaN", Unary(Tensor::f_isnan)),
    ("LRN", Built(response::local)),
    ("LayerNormalization", Built(normalisation::layer)),
    ("LeakyRelu", Built(activation::leaky_relu)),
    ("Less", Binary(Tensor::f_lt_tensor)),
    ("LessOrEqual", Binary(Tensor::f_le_tensor)),
    ("Log", Unary(Tensor::f_log)),
    ("LogSoftmax", Built(softmax::log_softmax)),
    ("LpNormalization", Built(response::length)),
    ("MatMul", Binary(Tensor::f_matmul)),
    ("Max", Built(arithmetic::max)),
    ("MaxPool", Built(pooling::maximum)),
    ("Mean", Built(arithmetic::mean)),
    ("Min", Built(arithmetic::min)),
    ("Mish", Unary(Tensor::f_mish)),
    ("Mod", Built(arithmetic::modulo)),
    ("Mul", Binary(Tensor::f_mul)),
    ("Neg", Unary(Tensor::f_neg)),
    ("Not", Unary(Tensor::f_logical_not)),
    ("OneHot", Built(fill::one_hot)),
    ("Or", Binary(Tensor::f_logical_or)),
    ("PRelu", Binary(activation::prelu)),
    ("Pad", Built(pad::pad)),
    ("Pow", Built(arithmetic::pow)),
    ("RMSNormalization", Built(normalisation::root_mean_square)),
    ("Range", Built(fill::range)),
    ("Reciprocal", Unary(Tensor::f_reciprocal)),
    ("ReduceL1", Built(reduce::l1)),
    ("ReduceL2", Built(reduce::l2)),
    ("ReduceLogSum", Built(reduce::log_sum)),
    ("ReduceLogSumExp", Built(reduce::log_sum_exp)),
    ("ReduceMax", Built(reduce::max)),
    ("ReduceMean", Built(reduce::mean)),
    ("ReduceMin", Built(reduce::min)),
    ("ReduceProd", Built(reduce::prod)),
    ("ReduceSum", Built(reduce::sum)),
    ("ReduceSumSquare", Built(reduce::sum_square)),
    ("Relu", Unary(Tensor::f_relu)),
    ("Reshape", Built(shape::reshape)),
    ("Resize", Built(resize::resize)),
    ("Round", Unary(Tensor::f_round)),
    ("ScatterND", Built(index::scatter_nd)),
    ("Selu", Built(activation::selu)),
    ("Shape", Built(shape::shape)),
    ("Sigmoid", Unary(Tensor::f_sigmoid)),
    ("Sign", Unary(Tensor::f_sign)),
    ("Sin", Unary(Tensor::f_sin)),
    ("Size", Unary(|input| Tensor::f_from_slice(&[input.numel() as i64])?.f_squeeze())),
    ("Slice", Built(slice::slice)),
    ("Softmax", Built(softmax::softmax)),
    ("Softplus", Unary(Tensor::f_softplus)),
    ("Softsign", Unary(|input| input.f_div(&input.f_abs()?.f_add_scalar(1.0)?))),
    ("SpaceToDepth", Built(blocks::space_to_depth)),
    ("Split", Built(slice::split)),
    ("Sqrt", Unary(Tensor::f_sqrt)),
    ("Squeeze", Built(shape::squeeze)),
    ("Sub", Binary(Tensor::f_sub)),
    ("Sum", Built(arithmetic::sum)),
    ("Tanh", Unary(Tensor::f_tanh)),
    ("ThresholdedRelu", Built(activation::thresholded_relu)),
    ("Tile", Built(fill::tile)),
    ("Transpose", Built(shape::transpose)),
    ("Trilu", Built(triangle::triangle)),
    ("Unsqueeze", Built(shape::unsqueeze)),
    ("Upsample", Built(resize::upsample)),
    ("Where", Built(logic::choose)),
    ("Xor", Binary(Tensor::f_logical_xor)),
];

/// How the operator of this domain and name is made, if it is known.
pub(super) fn find(domain: &str, name: &str) -> Option<Operator> {
    if domain == super::fuse::DOMAIN {
        return fused::find(name);
    }
    if !matches!(domain, "" | "ai.onnx") {
        return None;
    }
    OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator)
}

/// The names of all known operators.
pub(super) fn known() -> Vec<&'static str> {
    OPERATORS.iter().map(|(name, _)| *name).collect()
}

/// How many of the operator's first inputs are data, to be brought to one device. What follows is lists of integers, an index, or
/// a factor; `OneHot` brings its indices to where its values are.
pub(super) fn data_inputs(name: &str) -> usize {
    match name {
        "Attend" => 4,
        "OneHot" => 0,
        "ConstantOfShape" | "CumSum" | "Expand" | "Gather" | "Pad" | "Range" | "Reshape" | "Resize" | "Slice"
        | "Split" | "Squeeze" | "Tile" | "Trilu" | "Unsqueeze" | "Upsample" => 1,
        _ if name.starts_with("Reduce") => 1,
        _ => usize::MAX,
    }
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

/// The same for several axes, which must differ.
fn axes_of(axes: &[i64], rank: usize) -> Result<Vec<i64>, Fault> {
    let counted: Vec<i64> = axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Result<_, _>>()?;
    let several =
        counted.iter().enumerate().any(|(place, axis)| counted.iter().skip(place + 1).any(|also| also == axis));
    if several { Err(Fault::Other(format!("axes {axes:?} name one of {rank} dimensions twice"))) } else { Ok(counted) }
}

fn place_of(axis: i64, rank: usize) -> Result<usize, Fault> {
    Ok(usize::try_from(axis_of(axis, rank)?).unwrap_or(0))
}

fn extent_of(size: &[i64], axis: i64) -> i64 {
    usize::try_from(axis).ok().and_then(|place| size.get(place)).copied().unwrap_or(0)
}
