//! Convolution.

use super::super::reader::{Reader, Refusal};
use super::kernel::Kernel;
use super::window::{Window, positive};
use super::{Compute, Inputs, one};
use crate::graph::Fault;
use tch::Tensor;

pub(super) fn convolution(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let declared = positive(node, "kernel_shape")?;
    let groups = node.integer("group")?.unwrap_or(1);
    if groups < 1 {
        return Err(Refusal::new(format!("attribute \"group\" is {groups}; it must be 1 or more")));
    }
    let window = Window::read(node)?;
    Ok(one(move |inputs, _| compute(inputs, &window, &declared, groups)))
}

fn compute(inputs: Inputs<'_>, window: &Window, declared: &[i64], groups: i64) -> Result<Tensor, Fault> {
    let (image, weight) = (inputs.get(0)?, inputs.get(1)?);
    let (extents, kernel) = (image.size(), weight.size());
    let (extents, kernel) = (extents.get(2..).unwrap_or_default(), kernel.get(2..).unwrap_or_default());
    if !declared.is_empty() && declared != kernel {
        return Err(Fault::Other(format!("attribute \"kernel_shape\" is {declared:?}, but the weight has {kernel:?}")));
    }
    let fitted = window.fit(extents, kernel)?;
    // libtorch pads both sides alike.
    let padded = match fitted.symmetric() {
        Some(_) => image.shallow_clone(),
        None => image.f_constant_pad_nd(fitted.for_pad())?,
    };
    let kernel = Kernel {
        weight,
        bias: inputs.maybe(2),
        strides: &fitted.strides,
        padding: &fitted.symmetric().unwrap_or_else(|| vec![0; kernel.len()]),
        dilations: &fitted.dilations,
        groups,
    };
    Ok(kernel.over(&padded)?)
}
