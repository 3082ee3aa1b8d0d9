//! The learning rate over the whole run.

use gleaner::config::ScheduleConfig;
use std::f64::consts::PI;

/// One-cycle begins at this share of the highest learning rate, as PyTorch's `OneCycleLR` does.
const FIRST: f64 = 1.0 / 25.0;
/// ... and ends at this share of the first one.
const LAST: f64 = 1e-4;

/// The learning rate as a function of work done, so that it follows the run and not the length of an epoch.
///
/// - `cosine`: a linear rise over the warm-up's share of the planned work, then a cosine that ends at zero when the planned
///   work is done (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts).
/// - `constant`: the same rise, then the highest learning rate.
/// - `step`: the same rise, and at each milestone a fall by a factor (He et al., "Deep Residual Learning", 2015).
/// - `one-cycle`: a cosine up to the peak and another one down (Smith and Topin, "Super-Convergence", 2018, with the cosines
///   of PyTorch's `OneCycleLR`; momentum stays as it is).
///
/// Without a plan (0 images planned) it is constant; `step` and `one-cycle` are then refused.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The course that it takes.
    pub course: ScheduleConfig,
    /// Images visited before this step.
    pub done: f64,
    /// Images that the whole run visits.
    pub planned: f64,
}

impl Schedule {
    /// The learning rate for a move of the weights by `count` images, `visited` of this step's images lying before them.
    ///
    /// It is that of the images' middle: at the beginning of the first batch the warm-up is still at zero, and at the
    /// end of the last one the cosine is at zero again, so that either end would waste a batch.
    pub fn rate(&self, visited: usize, count: usize) -> f64 {
        if self.planned <= 0.0 {
            return self.learning_rate;
        }
        let share = (self.done + visited as f64 + count as f64 / 2.0) / self.planned;
        self.learning_rate * self.factor(share)
    }

    /// Whether the learning rate has come down to zero, so that nothing would be learnt.
    pub fn is_over(&self) -> bool {
        let ends = matches!(self.course, ScheduleConfig::Cosine { .. });
        ends && self.planned > 0.0 && self.done >= self.planned
    }

    /// The share of the highest learning rate where this share of the planned work is done.
    fn factor(&self, share: f64) -> f64 {
        match &self.course {
            ScheduleConfig::Cosine { warmup } if share < *warmup => share / warmup,
            ScheduleConfig::Cosine { warmup } => {
                let progress = ((share - warmup) / (1.0 - warmup)).clamp(0.0, 1.0);
                f64::midpoint(1.0, (PI * progress).cos())
            }
            ScheduleConfig::Constant { warmup } => rise(share, *warmup),
            ScheduleConfig::Step { warmup, milestones, factor } => {
                let passed = milestones.iter().filter(|milestone| **milestone <= share);
                passed.fold(rise(share, *warmup), |rate, _| rate * factor)
            }
            ScheduleConfig::OneCycle { peak } if share < *peak => between(FIRST, 1.0, share / peak),
            ScheduleConfig::OneCycle { peak } => {
                between(1.0, FIRST * LAST, ((share - peak) / (1.0 - peak)).clamp(0.0, 1.0))
            }
        }
    }
}

/// The warm-up's share of the learning rate.
fn rise(share: f64, warmup: f64) -> f64 {
    if share < warmup { share / warmup } else { 1.0 }
}

/// From `start` to `end` along half a cosine.
fn between(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) * f64::midpoint(1.0, (PI * progress).cos())
}
