//! Operations that stand for several nodes; see `fuse` for which.

use super::super::reader::{Reader, Refusal};
use super::{Compute, Inputs, Operator, one};
use crate::graph::Fault;
use Operator::{Built, Unary};
use tch::{Kind, Tensor};

const OPERATORS: &[(&str, Operator)] = &[
    ("Attend", Built(attend)),
    ("Gelu", Unary(|input| input.f_gelu("none"))),
    ("Linear", Built(linear)),
    ("Silu", Unary(Tensor::f_silu)),
];

/// How the operation of this name is made.
pub(super) fn find(name: &str) -> Option<Operator> {
    OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator)
}

/// Input `[..., rows, in]`, weight `[in, out]`, bias `[out]`.
fn linear(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(one(|inputs, _| {
        let (input, weight, bias) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        Ok(input.f_linear(&weight.f_transpose(0, 1)?, Some(bias))?)
    }))
}

/// Query `[..., length, size]`, transposed key `[..., size, length]`, value, and what may be missing: an added mask, and the
/// factors of query and key.
fn attend(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(one(|inputs, _| {
        let mut scale = 1.0;
        let mut scaled = |index: usize, factor: usize| -> Result<Tensor, Fault> {
            let tensor = inputs.get(index)?;
            match inputs.maybe(factor) {
                None => Ok(tensor.shallow_clone()),
                Some(factor) if is_number(factor) => {
                    scale *= factor.f_reshape(1)?.f_double_value(&[0])?;
                    Ok(tensor.shallow_clone())
                }
                Some(factor) => Ok(tensor.f_mul(&factor.f_to_device(tensor.device())?)?),
            }
        };
        let (query, key) = (scaled(0, 4)?, scaled(1, 5)?);
        attended(inputs, &query, &key, scale)
    }))
}

fn attended(inputs: Inputs<'_>, query: &Tensor, key: &Tensor, scale: f64) -> Result<Tensor, Fault> {
    let (value, mask) = (inputs.get(2)?, inputs.maybe(3));
    let all = [query, key, value];
    // Where products are computed in fewer bits, what was normalised on its way here has all of them.
    let fewest = all.iter().map(|tensor| tensor.kind()).find(|&kind| kind == Kind::BFloat16).unwrap_or(query.kind());
    let [query, key, value] = [query.f_to_kind(fewest)?, key.f_to_kind(fewest)?, value.f_to_kind(fewest)?];
    if all.iter().all(|tensor| tensor.dim() == 4) {
        let key = key.f_transpose(-2, -1)?;
        let mask = mask.map(|mask| mask.f_to_kind(fewest)).transpose()?;
        return Ok(Tensor::f_scaled_dot_product_attention(&query, &key, &value, mask, 0.0, false, scale, false)?);
    }
    let mut scores = query.f_matmul(&key)?;
    if scale != 1.0 {
        scores = scores.f_mul_scalar(scale)?;
    }
    if let Some(mask) = mask {
        scores = scores.f_add(mask)?;
    }
    Ok(scores.f_softmax(-1, None::<Kind>)?.f_matmul(&value.f_to_kind(scores.kind())?)?)
}

fn is_number(factor: &Tensor) -> bool {
    factor.numel() == 1 && factor.dim() <= 1 && !factor.requires_grad()
}
