//! Adam with decoupled weight decay.

use tch::{TchError, Tensor};

/// AdamW as PyTorch has it (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019): the weight shrinks
/// by `learning_rate * decay` of itself and moves by `-learning_rate * m / (sqrt(s) + epsilon)`, where `m` and `s` are the
/// running means of the gradient and of its square. Both begin at zero, for which dividing by `1 - beta^moves` makes up.
pub(super) struct AdamW {
    pub betas: [f64; 2],
    pub epsilon: f64,
    pub decay: f64,
    pub learning_rate: f64,
    /// Moves so far, this one among them.
    pub moves: u64,
}

impl AdamW {
    pub(super) fn advance(
        &self,
        weight: &mut Tensor,
        mean: &mut Tensor,
        square: &mut Tensor,
        gradient: &Tensor,
    ) -> Result<(), TchError> {
        let [first, second] = self.betas;
        if self.decay != 0.0 {
            let _ = weight.f_mul_scalar_(1.0 - self.learning_rate * self.decay)?;
        }
        let _ = mean.f_lerp_(gradient, 1.0 - first)?;
        let _ = square.f_lerp_(&gradient.f_square()?, 1.0 - second)?;
        // What is missing in the means after so few moves.
        let moves = self.moves as f64;
        let (missing, missing_square) = (1.0 - first.powf(moves), 1.0 - second.powf(moves));
        let mut root = square.f_sqrt()?;
        let _ = root.f_div_scalar_(missing_square.sqrt())?.f_add_scalar_(self.epsilon)?;
        let mut change = mean.f_div(&root)?;
        let _ = weight.f_sub_(&change.f_mul_scalar_(self.learning_rate / missing)?)?;
        Ok(())
    }
}
