//! Who is a suspect.

use crate::ledger::Samples;

/// What makes an image a suspect: the mean of p(label) over all models that have scored it so far, in scans and in
/// training visits, is low; the newest answers count most.
///
/// The mean is the *confidence* of Swayamdipta et al. ("Dataset Cartography", EMNLP 2020), who found wrong labels where it
/// is lowest. `make bench-suspects` measures what a threshold finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The mean is below this.
    pub p_label: f32,
    /// So many models, at least, have scored the image: one alone may be mistaken.
    pub scores: u8,
}

impl Evidence {
    /// Whether a sample is a suspect.
    pub fn suspects(self, samples: &Samples, id: u32) -> bool {
        self.holds(samples.evidence(id, None))
    }

    /// Whether it would be one if one more model said `p_label`.
    pub fn would_suspect(self, samples: &Samples, id: u32, p_label: f32) -> bool {
        self.holds(samples.evidence(id, Some(p_label)))
    }

    fn holds(self, (mean, scores): (f32, u8)) -> bool {
        scores >= self.scores && mean < self.p_label
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::Prediction;

    #[test]
    fn by_hand() {
        let evidence = Evidence { p_label: 0.05, scores: 2 };
        let mut samples = Samples::new(2);
        let mut say = |epoch, p_label| {
            let answer = Prediction { predicted: 1, confidence: 0.9, p_label, margin: p_label - 0.9, loss: 3.0 };
            samples.record_score(0, epoch, &answer);
            samples.clone()
        };
        let once = say(1, 0.01);
        assert!(!evidence.suspects(&once, 0), "one model is not enough");
        assert!(evidence.would_suspect(&once, 0, 0.06), "0.3 x 0.01 + 0.7 x 0.06 = 0.045");
        assert!(!evidence.would_suspect(&once, 0, 0.08), "0.3 x 0.01 + 0.7 x 0.08 = 0.059");
        let twice = say(2, 0.06);
        assert!(evidence.suspects(&twice, 0) && !evidence.suspects(&twice, 1) && !evidence.suspects(&twice, 2));
        assert!(evidence.would_suspect(&twice, 0, f32::NAN), "an image that cannot be read says nothing");
        // 0.3 x 0.045 + 0.7 x 0.5 = 0.36: the prediction has turned.
        assert!(!evidence.suspects(&say(3, 0.5), 0));
    }
}
