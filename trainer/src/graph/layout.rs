//! How the weights of convolutions lie in memory.

use super::{Graph, Role};
use tch::{Device, TchError, Tensor};

impl Graph {
    /// Lays the weights of convolutions out with the channels of a pixel side by side (`last`), or with each channel by
    /// itself. libtorch keeps to the layout of a convolution's weight, and so do the layers behind it. The numbers are the
    /// same, and so is what is computed from them, but for rounding.
    pub fn lay_out(&mut self, last: bool) -> Result<(), TchError> {
        // On a processor a graph is built with its channels last.
        if last == (self.program.device == Device::Cpu) {
            return Ok(());
        }
        let _no_gradients = tch::no_grad_guard();
        // Weights of four dimensions that decay are those of convolutions; for any other the layout makes no difference.
        let kernel = |role: Role, tensor: &Tensor| role == Role::Trained { decays: true } && tensor.dim() == 4;
        for parameter in self.parameters.iter_mut().filter(|parameter| kernel(parameter.role, &parameter.tensor)) {
            let weight = parameter.tensor.f_detach()?;
            let laid_out = if last { channels_last(&weight)? } else { channels_first(&weight)? };
            parameter.tensor.f_set_data(&laid_out)?;
        }
        Ok(())
    }
}

/// The same weight with its channels last.
pub(super) fn channels_last(weight: &Tensor) -> Result<Tensor, TchError> {
    channels_first(&weight.f_permute([0, 2, 3, 1])?)?.f_permute([0, 3, 1, 2])
}

/// The same weight in the order of its dimensions.
fn channels_first(weight: &Tensor) -> Result<Tensor, TchError> {
    // With a single channel `contiguous` would leave the strides as they are, and they are what libtorch goes by.
    let mut laid_out = Tensor::f_empty(weight.size(), (weight.kind(), weight.device()))?;
    laid_out.f_copy_(weight)?;
    Ok(laid_out)
}
