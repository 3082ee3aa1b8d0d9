//! Products of matrices.

use super::super::reader::{Reader, Refusal};
use super::{Compute, one};
use tch::Tensor;

pub(super) fn gemm(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    let beta = node.float("beta")?.unwrap_or(1.0);
    let transpose_left = node.integer("transA")?.unwrap_or(0) != 0;
    let transpose_right = node.integer("transB")?.unwrap_or(0) != 0;
    Ok(one(move |inputs, _| {
        let (mut left, mut right) = (inputs.get(0)?.shallow_clone(), inputs.get(1)?.shallow_clone());
        if transpose_left {
            left = left.f_transpose(0, 1)?;
        }
        if transpose_right {
            right = right.f_transpose(0, 1)?;
        }
        let Some(bias) = inputs.maybe(2) else {
            let product = left.f_mm(&right)?;
            return Ok(if alpha == 1.0 { product } else { product.f_mul_scalar(alpha)? });
        };
        if alpha == 1.0 && beta == 1.0 {
            return Ok(bias.f_addmm(&left, &right)?);
        }
        Ok(left.f_mm(&right)?.f_mul_scalar(alpha)?.f_add(&bias.f_mul_scalar(beta)?)?)
    }))
}

pub(super) fn einsum(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let Some(equation) = node.text("equation")? else { return Err(Refusal::new("attribute \"equation\" is missing")) };
    Ok(one(move |inputs, _| Ok(Tensor::f_einsum(&equation, &inputs.all()?, None::<&[i64]>)?)))
}
