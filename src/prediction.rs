//! What a model says of one image, held against its label.

use crate::onnx::OutputKind;

/// A model's answer for one labelled image. All probabilities are the softmax of the logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The class with the highest score; the lowest index among equals.
    pub predicted: u32,
    /// Probability of the predicted class, in (0, 1].
    pub confidence: f32,
    /// Probability of the label's class, in \[0, 1\].
    pub p_label: f32,
    /// Probability of the label minus the highest probability of any other class, in \[-1, 1\]; negative means wrong.
    pub margin: f32,
    /// Cross-entropy of the image, `-ln p(label)`, in nats.
    pub loss: f32,
}

impl Prediction {
    /// Judges one row of model output against a label.
    ///
    /// `None` if the row is not finite or the label is no class of the row.
    pub fn of(scores: &[f32], kind: OutputKind, label: u32) -> Option<Self> {
        let label_index = usize::try_from(label).ok()?;
        let label_score = *scores.get(label_index)?;
        if scores.iter().any(|score| !score.is_finite()) {
            return None;
        }
        let predicted = argmax(scores.iter().copied().enumerate())?;
        let other = argmax(scores.iter().copied().enumerate().filter(|&(class, _)| class != label_index));
        let log_probability = match kind {
            OutputKind::Logits => {
                // log softmax with the largest logit taken out, so that exp cannot overflow.
                let largest = scores.get(predicted).copied()?;
                let sum: f64 = scores.iter().map(|&score| f64::from(score - largest).exp()).sum();
                Scale::Logits { offset: f64::from(largest) + sum.ln() }
            }
            OutputKind::Probabilities => Scale::Probabilities,
        };
        let probability = |class: usize| scores.get(class).map_or(0.0, |&score| log_probability.of(score).exp());
        let p_label = probability(label_index);
        Some(Self {
            predicted: u32::try_from(predicted).ok()?,
            confidence: probability(predicted) as f32,
            p_label: p_label as f32,
            margin: (p_label - other.map_or(0.0, probability)) as f32,
            loss: -log_probability.of(label_score) as f32,
        })
    }

    /// Whether the predicted class is the label.
    pub fn is_right(&self, label: u32) -> bool {
        self.predicted == label
    }
}

/// How a score becomes the logarithm of a probability.
enum Scale {
    Logits { offset: f64 },
    Probabilities,
}

impl Scale {
    fn of(&self, score: f32) -> f64 {
        match self {
            Self::Logits { offset } => f64::from(score) - offset,
            // The smallest positive number keeps the loss finite where a model says zero.
            Self::Probabilities => f64::from(score.max(f32::MIN_POSITIVE)).ln(),
        }
    }
}

fn argmax(scores: impl Iterator<Item = (usize, f32)>) -> Option<usize> {
    scores
        .fold(None, |best: Option<(usize, f32)>, (class, score)| match best {
            Some((_, highest)) if highest >= score => best,
            _ => Some((class, score)),
        })
        .map(|(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f32, right: f64) {
        assert!((f64::from(left) - right).abs() < 1e-6, "{left} is not {right}");
    }

    #[test]
    fn logits_by_hand() {
        // Softmax of (ln 1, ln 2, ln 5) is (1, 2, 5) / 8.
        let logits = [0.0, 2f32.ln(), 5f32.ln()];
        let found = Prediction::of(&logits, OutputKind::Logits, 1).unwrap();
        assert_eq!(found.predicted, 2);
        close(found.confidence, 0.625);
        close(found.p_label, 0.25);
        close(found.margin, 0.25 - 0.625);
        close(found.loss, 4f64.ln());
        assert!(!found.is_right(1));
        close(Prediction::of(&logits, OutputKind::Logits, 2).unwrap().margin, 0.625 - 0.25);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let found = Prediction::of(&[1e30, -1e30], OutputKind::Logits, 0).unwrap();
        close(found.p_label, 1.0);
        close(found.loss, 0.0);
    }

    #[test]
    fn probabilities_are_taken_as_they_are() {
        let found = Prediction::of(&[0.1, 0.7, 0.2], OutputKind::Probabilities, 2).unwrap();
        assert_eq!(found.predicted, 1);
        close(found.p_label, f64::from(0.2f32));
        close(found.margin, -0.5);
        close(found.loss, -(0.2f64.ln()));
        assert!(Prediction::of(&[1.0, 0.0], OutputKind::Probabilities, 1).unwrap().loss.is_finite());
    }

    #[test]
    fn equal_scores_go_to_the_lowest_class() {
        assert_eq!(Prediction::of(&[3.0, 3.0], OutputKind::Logits, 1).unwrap().predicted, 0);
    }

    #[test]
    fn what_cannot_be_judged_is_none() {
        assert_eq!(Prediction::of(&[f32::NAN, 1.0], OutputKind::Logits, 1), None);
        assert_eq!(Prediction::of(&[f32::INFINITY, 1.0], OutputKind::Logits, 1), None);
        assert_eq!(Prediction::of(&[0.0, 1.0], OutputKind::Logits, 2), None);
    }
}
