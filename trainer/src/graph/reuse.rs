//! Results that are written over an input that nobody needs any more.
//!
//! A rectifier behind a normalisation, and the sum at the end of a residual block, would otherwise ask for memory of the size
//! of their result, and wait for it to be filled for the first time. The numbers are the same.

use super::program::{Slot, Step};
use std::collections::BTreeMap;
use tch::{TchError, Tensor};

/// Operators whose gradient does not look at their result, and whose result is memory of its own.
const MAKERS: [&str; 7] = ["Add", "BatchNormalization", "Conv", "Gemm", "LayerNormalization", "Linear", "MatMul"];

/// The input over which a step may write, by its place.
pub(super) type Reuse = Option<usize>;

/// For each of the chosen steps, in order, the input over which it may write: one that only this step reads.
pub(super) fn reuses(steps: &[Step], chosen: &[usize], targets: &[Slot]) -> Vec<Reuse> {
    let chosen = || chosen.iter().filter_map(|&index| steps.get(index));
    let mut readers: BTreeMap<Slot, usize> = BTreeMap::new();
    for &slot in chosen().flat_map(|step| step.inputs.iter().flatten()).chain(targets) {
        *readers.entry(slot).or_default() += 1;
    }
    let made: BTreeMap<Slot, &str> = chosen()
        .flat_map(|step| step.outputs.iter().flatten().map(|&slot| (slot, step.operator.as_str())))
        .filter(|(_, operator)| MAKERS.contains(operator))
        .collect();
    let free = |slot: &Slot| readers.get(slot) == Some(&1) && made.contains_key(slot);
    let reuse = |step: &Step| match step.operator.as_str() {
        "Add" | "Relu" => step.inputs.iter().position(|input| input.as_ref().is_some_and(free)),
        _ => None,
    };
    chosen().map(reuse).collect()
}

/// Computes a step over the input at `place`, if the result has the form of that input.
pub(super) fn over(step: &Step, place: usize, inputs: &[Option<&Tensor>]) -> Result<Option<Tensor>, TchError> {
    let Some(mut target) = inputs.get(place).copied().flatten().map(Tensor::shallow_clone) else { return Ok(None) };
    match (step.operator.as_str(), inputs) {
        ("Relu", [_]) => target.f_relu_().map(Some),
        ("Add", [Some(left), Some(right)]) if left.size() == right.size() && left.kind() == right.kind() => {
            target.f_add_(if place == 0 { right } else { left }).map(Some)
        }
        _ => Ok(None),
    }
}
