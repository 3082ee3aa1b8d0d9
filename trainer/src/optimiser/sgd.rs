//! Stochastic gradient descent with momentum.

use tch::{TchError, Tensor};

/// Gradient descent as PyTorch's `SGD` does it: with `g = gradient + decay * weight`, the velocity becomes
/// `momentum * velocity + g` and the weight moves by `-learning_rate * velocity`, or with Nesterov's momentum
/// by `-learning_rate * (g + momentum * velocity)` (Sutskever et al., "On the importance of initialization and momentum in
/// deep learning", ICML 2013). A velocity begins at zero.
pub(super) struct Sgd {
    pub momentum: f64,
    pub nesterov: bool,
    pub decay: f64,
    pub learning_rate: f64,
}

impl Sgd {
    pub(super) fn advance(
        &self,
        weight: &mut Tensor,
        velocity: &mut Tensor,
        gradient: &Tensor,
    ) -> Result<(), TchError> {
        let _ = velocity.f_mul_scalar_(self.momentum)?.f_add_(gradient)?;
        let decay = (self.decay != 0.0).then(|| weight.f_mul_scalar(self.decay)).transpose()?;
        if let Some(decay) = &decay {
            let _ = velocity.f_add_(decay)?;
        }
        let change = if self.nesterov {
            let mut ahead = velocity.f_mul_scalar(self.momentum)?;
            let _ = ahead.f_add_(gradient)?;
            if let Some(decay) = &decay {
                let _ = ahead.f_add_(decay)?;
            }
            ahead.f_mul_scalar_(self.learning_rate)?
        } else {
            velocity.f_mul_scalar(self.learning_rate)?
        };
        let _ = weight.f_sub_(&change)?;
        Ok(())
    }
}
