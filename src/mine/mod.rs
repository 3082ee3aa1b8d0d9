//! Mining: which images the scan visits, in which order, and which of them it keeps.
//!
//! The scan walks the images that the last epoch did not train on (step S3 of CN112733932A) until it has found its quota
//! or spent its budget. What counts as a find is the policy's: a wrong answer, or any answer that is not confidently
//! right.

mod allot;
mod harvest;
mod history;
mod likely;
mod order;
mod tiers;

pub use harvest::{Ended, Harvest, Limits, Scan, ScanError, Seen};
pub use order::{Order, Plan, Precedence};

use crate::prediction::Prediction;

/// What makes a scanned image a find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// The predicted class is not the label (S3 to the letter).
    Wrong,
    /// The predicted class is not the label, or p(label) is below this threshold.
    NotConfident(f32),
}

impl Rule {
    /// Whether this answer makes the image a find.
    pub fn finds(self, prediction: &Prediction, label: u32) -> bool {
        match self {
            Self::Wrong => !prediction.is_right(label),
            Self::NotConfident(threshold) => !prediction.is_right(label) || prediction.p_label < threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_by_hand() {
        let answer = |predicted, p_label| Prediction { predicted, confidence: 0.95, p_label, margin: 0.0, loss: 0.0 };
        assert!(!Rule::Wrong.finds(&answer(3, 0.4), 3));
        assert!(Rule::Wrong.finds(&answer(2, 0.4), 3));
        assert!(Rule::NotConfident(0.9).finds(&answer(3, 0.89), 3));
        assert!(!Rule::NotConfident(0.9).finds(&answer(3, 0.9), 3));
        // Two classes at one half each: the lower index is predicted, so the other label is wrong at any threshold.
        assert!(Rule::NotConfident(0.5).finds(&answer(2, 0.5), 3));
    }
}
