//! The course of the built-in trainer's learning rate, with the settings that each has.

use super::problem::Fault;
use super::reader::Section;
use super::tree::Node;
use super::values::{BELOW_ONE, FRACTION, INSIDE, Read};
use super::words::ScheduleKind;

/// The course of the learning rate over the planned work. In a config: the key `schedule`, and its settings beside it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "schedule")]
pub enum ScheduleConfig {
    /// Rises over the warm-up, then falls to zero along a cosine.
    #[serde(rename = "cosine")]
    Cosine {
        /// Share of the planned work in which the learning rate rises, in [0, 1).
        warmup: f64,
    },
    /// Rises over the warm-up, then stays.
    #[serde(rename = "constant")]
    Constant {
        /// Share of the planned work in which the learning rate rises, in [0, 1).
        warmup: f64,
    },
    /// Rises over the warm-up, then falls at each milestone.
    #[serde(rename = "step")]
    Step {
        /// Share of the planned work in which the learning rate rises, in [0, 1).
        warmup: f64,
        /// Shares of the planned work, ascending, in (0, 1).
        milestones: Vec<f64>,
        /// The learning rate is multiplied by this at each milestone, in (0, 1].
        factor: f64,
    },
    /// Rises along a cosine from a 25th, then falls along another to almost nothing.
    #[serde(rename = "one-cycle")]
    OneCycle {
        /// Share of the planned work after which the learning rate is highest, in (0, 1).
        peak: f64,
    },
}

impl ScheduleConfig {
    /// The word for it, if it means nothing where no end of the work is planned.
    pub fn needs_plan(&self) -> Option<&'static str> {
        match self {
            Self::Cosine { .. } | Self::Constant { .. } => None,
            Self::Step { .. } => Some("step"),
            Self::OneCycle { .. } => Some("one-cycle"),
        }
    }
}

pub(super) fn schedule(s: &Section<'_>) -> ScheduleConfig {
    let kind = s.word("schedule", ScheduleKind::Cosine);
    let chosen = format!("schedule: {kind}");
    if kind != ScheduleKind::Step {
        s.refuse(&["milestones", "factor"], &chosen, "schedule: step");
    }
    if kind != ScheduleKind::OneCycle {
        s.refuse(&["peak"], &chosen, "schedule: one-cycle");
    }
    let warmup = || s.number("warmup", 0.05, BELOW_ONE);
    match kind {
        ScheduleKind::Cosine => ScheduleConfig::Cosine { warmup: warmup() },
        ScheduleKind::Constant => ScheduleConfig::Constant { warmup: warmup() },
        ScheduleKind::Step => ScheduleConfig::Step {
            warmup: warmup(),
            // Half and three quarters, as He et al., "Deep Residual Learning", 2015, on CIFAR-10.
            milestones: s.or("milestones", vec![0.5, 0.75], "[0.5, 0.75]", milestones),
            factor: s.number("factor", 0.1, FRACTION),
        },
        ScheduleKind::OneCycle => {
            s.refuse(&["warmup"], &chosen, "train.peak");
            ScheduleConfig::OneCycle { peak: s.number("peak", 0.3, INSIDE) }
        }
    }
}

fn milestones(node: &Node) -> Read<Vec<f64>> {
    let milestones = node.numbers("a list of shares of the planned work", INSIDE)?;
    if milestones.is_empty() {
        return Err(Fault::new("is an empty list", "name a milestone, or write `schedule: constant`"));
    }
    match milestones.is_sorted_by(|earlier, later| earlier < later) {
        true => Ok(milestones),
        false => Err(Fault::new("does not ascend", "write each milestone once, the earliest first")),
    }
}
