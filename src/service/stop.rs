//! When the loop ends, and how it says so.

use std::fmt;

use crate::config::StopConfig;

/// The rule that ended a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// `stop.accuracy`: validation accuracy is good enough.
    Accuracy {
        /// What was reached, in 0 to 1.
        reached: f64,
        /// What was asked for.
        wanted: f64,
    },
    /// `stop.patience`: validation accuracy no longer rises.
    Patience {
        /// Epochs without a better one.
        epochs: u32,
        /// The best so far.
        best: f64,
    },
    /// `stop.epochs`: that many epochs are done.
    Epochs(u32),
    /// `plan.cost`: the planned work is done.
    Plan(f64),
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accuracy { reached, wanted } => {
                write!(out, "stop.accuracy: validation accuracy {reached:.4} has reached {wanted}")
            }
            Self::Patience { epochs, best } => {
                write!(out, "stop.patience: no better validation accuracy than {best:.4} for {epochs} epochs")
            }
            Self::Epochs(epochs) => write!(out, "stop.epochs: {epochs} epochs are done"),
            Self::Plan(visits) => write!(out, "plan.cost: the planned work of {visits:.0} visits is done"),
        }
    }
}

/// The first rule that applies after an epoch, if any.
///
/// `accuracies` are the validation accuracies of all epochs so far, in order; `epochs_done` counts them with those
/// that were skipped; `visits_left` is what the plan still pays for.
pub fn rule(
    stop: &StopConfig,
    accuracies: &[f64],
    epochs_done: u32,
    visits_left: usize,
    planned: Option<f64>,
) -> Option<Stop> {
    let reached = accuracies.last().copied()?;
    if let Some(wanted) = stop.accuracy.filter(|&wanted| reached >= wanted) {
        return Some(Stop::Accuracy { reached, wanted });
    }
    if let Some((epochs, best)) = stop.patience.and_then(|patience| stalled(accuracies, patience)) {
        return Some(Stop::Patience { epochs, best });
    }
    if let Some(epochs) = stop.epochs.filter(|&epochs| epochs_done >= epochs) {
        return Some(Stop::Epochs(epochs));
    }
    planned.filter(|_| visits_left == 0).map(Stop::Plan)
}

fn stalled(accuracies: &[f64], patience: u32) -> Option<(u32, f64)> {
    let (at, best) = best(accuracies)?;
    let since = u32::try_from(accuracies.len() - 1 - at).unwrap_or(u32::MAX);
    (since >= patience).then_some((since, best))
}

/// The position and value of the highest accuracy, the earliest among equals.
pub fn best(accuracies: &[f64]) -> Option<(usize, f64)> {
    accuracies.iter().copied().enumerate().fold(None, |best, (at, value)| match best {
        Some((_, highest)) if highest >= value => best,
        _ => Some((at, value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(accuracy: Option<f64>, patience: Option<u32>, epochs: Option<u32>) -> StopConfig {
        StopConfig { accuracy, patience, epochs }
    }

    #[test]
    fn each_rule_by_hand() {
        let none = stop(None, None, None);
        assert_eq!(rule(&none, &[0.9], 1, 5, Some(10.0)), None);
        assert_eq!(rule(&none, &[0.9], 1, 0, Some(10.0)), Some(Stop::Plan(10.0)));
        assert_eq!(
            rule(&stop(Some(0.9), None, None), &[0.8, 0.9], 2, 5, None),
            Some(Stop::Accuracy { reached: 0.9, wanted: 0.9 })
        );
        assert_eq!(rule(&stop(None, None, Some(3)), &[0.1, 0.2], 2, 5, None), None);
        assert_eq!(rule(&stop(None, None, Some(3)), &[0.1, 0.2, 0.3], 3, 5, None), Some(Stop::Epochs(3)));
    }

    #[test]
    fn patience_counts_from_the_best() {
        let patient = stop(None, Some(2), None);
        assert_eq!(rule(&patient, &[0.5, 0.8, 0.7], 3, 5, None), None);
        assert_eq!(rule(&patient, &[0.5, 0.8, 0.7, 0.8], 4, 5, None), Some(Stop::Patience { epochs: 2, best: 0.8 }));
        assert_eq!(rule(&patient, &[0.5, 0.8, 0.7, 0.81], 4, 5, None), None);
    }
}
