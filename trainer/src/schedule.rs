//! The learning rate over the whole run.

use std::f64::consts::PI;

/// The learning rate as a function of work done, so that it follows the run and not the length of an epoch: a linear
/// rise over the warm-up's share of the planned work, then a cosine that ends at zero when the planned work is done
/// (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts).
///
/// Without a plan (0 images planned) it is constant.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Share of the planned work in which the learning rate rises, in [0, 1).
    pub warmup: f64,
    /// Images visited before this step.
    pub done: f64,
    /// Images that the whole run visits.
    pub planned: f64,
}

impl Schedule {
    /// The learning rate for a batch of `count` images, `visited` of this step's images lying before it.
    ///
    /// It is that of the batch's middle: at the beginning of the first batch the warm-up is still at zero, and at the
    /// end of the last one the cosine is at zero again, so that either end would waste a batch.
    pub fn rate(&self, visited: usize, count: usize) -> f64 {
        if self.planned <= 0.0 {
            return self.learning_rate;
        }
        let share = (self.done + visited as f64 + count as f64 / 2.0) / self.planned;
        self.learning_rate * self.factor(share)
    }

    /// Whether the planned work is done already, so that nothing would be learnt.
    pub fn is_over(&self) -> bool {
        self.planned > 0.0 && self.done >= self.planned
    }

    fn factor(&self, share: f64) -> f64 {
        if share < self.warmup {
            return share / self.warmup;
        }
        let progress = ((share - self.warmup) / (1.0 - self.warmup)).clamp(0.0, 1.0);
        f64::midpoint(1.0, (PI * progress).cos())
    }
}
