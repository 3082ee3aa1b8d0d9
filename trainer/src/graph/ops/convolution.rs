//! Convolution.

use super::super::reader::{Reader, Refusal};
use super::window::{Window, positive};
use super::{Compute, Inputs, one};
use crate::graph::Fault;
use tch::{Device, Tensor};

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
    let none = vec![0; kernel.len()];
    let by_strides = |image: &Tensor, strides: &[i64], padding: &[i64]| {
        image.f_convolution(weight, inputs.maybe(2), strides, padding, &fitted.dilations, false, &none, groups)
    };
    // On a processor libtorch 2.11 writes past the end of its memory where a kernel of one pixel strides over few channels that
    // lie side by side (2 to 12 were seen to). Without the pixels that it passes over it need not stride.
    let single = kernel.iter().all(|&extent| extent == 1) && fitted.pads.iter().all(|&pads| pads == (0, 0));
    if single && fitted.strides.iter().any(|&stride| stride > 1) && image.device() == Device::Cpu {
        let mut met = image.shallow_clone();
        for (axis, &stride) in (2..).zip(&fitted.strides) {
            met = met.f_slice(axis, None, None, stride)?;
        }
        return Ok(by_strides(&met, &vec![1; kernel.len()], &none)?);
    }
    let convolve = |image: &Tensor, padding: &[i64]| by_strides(image, &fitted.strides, padding);
    Ok(match fitted.symmetric() {
        Some(padding) => convolve(image, &padding)?,
        None => convolve(&image.f_constant_pad_nd(fitted.for_pad())?, &none)?,
    })
}
