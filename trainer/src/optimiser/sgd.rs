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
        let number = |number: f64| Tensor::f_full([0i64; 0], number, (weight.kind(), weight.device()));
        let (momentum, decay, back) = (number(self.momentum)?, number(self.decay)?, number(-self.learning_rate)?);
        // A product and a sum at a time: more passes over the weights would take longer than the arithmetic.
        let _ = gradient.f_addcmul_out(velocity, velocity, &momentum)?;
        if self.decay != 0.0 {
            let _ = velocity.f_addcmul_(weight, &decay)?;
        }
        if !self.nesterov {
            let _ = weight.f_addcmul_(velocity, &back)?;
            return Ok(());
        }
        let mut ahead = gradient.f_addcmul(velocity, &momentum)?;
        if self.decay != 0.0 {
            let _ = ahead.f_addcmul_(weight, &decay)?;
        }
        let _ = weight.f_addcmul_(&ahead, &back)?;
        Ok(())
    }
}
