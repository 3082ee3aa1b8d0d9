//! Sums, means and the like over axes.

use super::super::reader::{Reader, Refusal};
use super::list::Integers;
use super::{Compute, axes_of, one};
use tch::{Kind, TchError, Tensor};

/// What becomes of the elements along some axes, which are named and counted from the front; whether the axes stay with
/// the extent 1.
type Reduce = fn(&Tensor, &[i64], bool) -> Result<Tensor, TchError>;

pub(super) fn sum(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 13, add)
}

pub(super) fn mean(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| input.f_mean_dim(axes, keep, None::<Kind>))
}

pub(super) fn max(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| {
        if input.numel() == 0 { nothing(input, axes, keep, f64::NEG_INFINITY) } else { input.f_amax(axes, keep) }
    })
}

pub(super) fn min(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| {
        if input.numel() == 0 { nothing(input, axes, keep, f64::INFINITY) } else { input.f_amin(axes, keep) }
    })
}

pub(super) fn prod(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| {
        let mut axes = axes.to_vec();
        // From the last on, so that those before it keep their numbers.
        axes.sort_unstable_by(|one, other| other.cmp(one));
        axes.into_iter()
            .try_fold(input.shallow_clone(), |product, axis| product.f_prod_dim_int(axis, keep, input.kind()))
    })
}

pub(super) fn l1(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| add(&input.f_abs()?, axes, keep))
}

pub(super) fn l2(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| input.f_norm_scalaropt_dim(2, axes, keep))
}

pub(super) fn sum_square(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| add(&input.f_square()?, axes, keep))
}

pub(super) fn log_sum(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| add(input, axes, keep)?.f_log())
}

pub(super) fn log_sum_exp(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    over_axes(node, 18, |input, axes, keep| input.f_logsumexp(axes, keep))
}

fn add(input: &Tensor, axes: &[i64], keep: bool) -> Result<Tensor, TchError> {
    input.f_sum_dim_intlist(axes, keep, input.kind())
}

/// The greatest or the smallest of no elements.
fn nothing(input: &Tensor, axes: &[i64], keep: bool, value: f64) -> Result<Tensor, TchError> {
    add(input, axes, keep)?.f_fill_(value)
}

/// Before version `since` of the operator set the axes are an attribute, afterwards an input. No axes are all axes, unless
/// the node says that they are none.
fn over_axes(node: &mut Reader<'_>, since: i64, reduce: Reduce) -> Result<Compute, Refusal> {
    let keep = node.integer("keepdims")?.unwrap_or(1) != 0;
    let nothing_means_all = node.integer("noop_with_empty_axes")?.unwrap_or(0) == 0;
    let axes = Integers::read(node, "axes", since, 1)?;
    Ok(one(move |inputs, _| {
        let input = inputs.get(0)?;
        let mut axes = axes_of(&axes.of(inputs)?.unwrap_or_default(), input.dim())?;
        if axes.is_empty() {
            if !nothing_means_all {
                // Each number by itself.
                let last = i64::try_from(input.dim()).unwrap_or(0);
                return Ok(reduce(&input.f_unsqueeze(-1)?, &[last], false)?);
            }
            axes = (0..i64::try_from(input.dim()).unwrap_or(0)).collect();
        }
        Ok(reduce(input, &axes, keep)?)
    }))
}
