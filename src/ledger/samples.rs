//! What is known of each sample of the pool.

use crate::prediction::Prediction;

/// The epoch of a sample that was never trained on, or never scored.
pub const NEVER: i32 = -1;
/// What the newest answer counts in the mean of p(label); those before it share the rest, the same way.
///
/// Later models know better: with a fifth of Fashion-MNIST's labels wrong, the mean in which all count alike found 0.88 of
/// them at a precision of 0.95, this one 0.91 (10 models; one run). Liu et al. ("Early-Learning Regularization Prevents
/// Memorization of Noisy Labels", 2020) average predictions in such a way, too.
const NEWEST: f32 = 0.5;
/// The class or cluster of a sample that has none.
pub const NONE: u32 = u32::MAX;

/// A table with one row a sample, column by column: entry `id` of each column belongs to sample `id`.
///
/// All columns have the same length. 47 bytes a sample: 10 million take 470 MB.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// The epoch that last trained on it, or [`NEVER`].
    pub last_trained: Vec<i32>,
    /// How often it was trained on.
    pub visits: Vec<u32>,
    /// The epoch whose model last scored it, or [`NEVER`]; then the scores below mean nothing.
    pub last_scored: Vec<i32>,
    /// The class of the highest probability, or [`NONE`].
    pub predicted: Vec<u32>,
    /// The probability of the label, or NaN.
    pub p_label: Vec<f32>,
    /// The label's probability less the highest of the others, or NaN.
    pub margin: Vec<f32>,
    /// The cross-entropy, or NaN.
    pub loss: Vec<f32>,
    /// The mean of p(label) over the models that have scored it so far, or NaN. The newest answer counts for half,
    /// the mean before it for the other half.
    pub mean_p_label: Vec<f32>,
    /// How many models that were, 255 for more.
    pub times_scored: Vec<u8>,
    /// The group of similar images that it was last seen in, or [`NONE`].
    pub cluster: Vec<u32>,
    /// How many scans in a row found the model's answer wrong; a right one starts the count anew.
    pub streak: Vec<u16>,
    /// The probability with which the last scan that it was a candidate of came to it, whether it did or not, or NaN.
    pub inclusion: Vec<f32>,
    /// The probability with which it came into the last list that has it, or NaN.
    pub chosen: Vec<f32>,
}

impl Samples {
    /// A table of `len` samples of which nothing is known.
    pub fn new(len: usize) -> Self {
        Self {
            last_trained: vec![NEVER; len],
            visits: vec![0; len],
            last_scored: vec![NEVER; len],
            predicted: vec![NONE; len],
            p_label: vec![f32::NAN; len],
            margin: vec![f32::NAN; len],
            loss: vec![f32::NAN; len],
            mean_p_label: vec![f32::NAN; len],
            times_scored: vec![0; len],
            cluster: vec![NONE; len],
            streak: vec![0; len],
            inclusion: vec![f32::NAN; len],
            chosen: vec![f32::NAN; len],
        }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.visits.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.visits.is_empty()
    }

    /// Notes that `epoch` trained on a sample once. A sample outside the table is passed over.
    pub fn record_visit(&mut self, id: u32, epoch: u32) {
        let id = index(id);
        put(&mut self.last_trained, id, signed(epoch));
        if let Some(visits) = self.visits.get_mut(id) {
            *visits = visits.saturating_add(1);
        }
    }

    /// Notes what the model of `epoch` said about a sample, in a scan or while it was trained on it. Of one epoch the last
    /// answer stands, and the first one counts in the mean. A sample outside the table is passed over.
    pub fn record_score(&mut self, id: u32, epoch: u32, score: &Prediction) {
        let id = index(id);
        if self.last_scored.get(id).is_some_and(|&last| last != signed(epoch)) && !score.p_label.is_nan() {
            self.record_in_mean(id, score.p_label);
        }
        put(&mut self.last_scored, id, signed(epoch));
        put(&mut self.predicted, id, score.predicted);
        put(&mut self.p_label, id, score.p_label);
        put(&mut self.margin, id, score.margin);
        put(&mut self.loss, id, score.loss);
    }

    fn record_in_mean(&mut self, id: usize, p_label: f32) {
        let (mean, times) = self.mean_with(id, p_label);
        put(&mut self.mean_p_label, id, mean);
        put(&mut self.times_scored, id, times);
    }

    /// What the mean and the count would be if one more model said `p_label`.
    fn mean_with(&self, id: usize, p_label: f32) -> (f32, u8) {
        let mean = self.mean_p_label.get(id).copied().unwrap_or(f32::NAN);
        let times = self.times_scored.get(id).copied().unwrap_or_default().saturating_add(1);
        (if times == 1 { p_label } else { mean + NEWEST * (p_label - mean) }, times)
    }

    /// The mean of p(label) of a sample and the number of models behind it, as they would be if one more said `p_label`;
    /// without one, as they are.
    pub fn evidence(&self, id: u32, p_label: Option<f32>) -> (f32, u8) {
        let id = index(id);
        match p_label.filter(|p_label| !p_label.is_nan()) {
            Some(p_label) => self.mean_with(id, p_label),
            None => (
                self.mean_p_label.get(id).copied().unwrap_or(f32::NAN),
                self.times_scored.get(id).copied().unwrap_or_default(),
            ),
        }
    }

    /// Forgets what models said about a sample, since its label is another now: how often it was trained on, and what it
    /// looks like, stay. A sample outside the table is passed over.
    pub fn forget_answers(&mut self, id: u32) {
        let id = index(id);
        put(&mut self.last_scored, id, NEVER);
        put(&mut self.predicted, id, NONE);
        for column in [&mut self.p_label, &mut self.margin, &mut self.loss, &mut self.mean_p_label] {
            put(column, id, f32::NAN);
        }
        put(&mut self.times_scored, id, 0);
        put(&mut self.streak, id, 0);
    }

    /// Notes that the model of `epoch` was to score a sample whose image cannot be read: it has been seen, and nothing is
    /// known of it. A sample outside the table is passed over.
    pub fn record_unreadable(&mut self, id: u32, epoch: u32) {
        let nothing =
            Prediction { predicted: NONE, p_label: f32::NAN, confidence: f32::NAN, margin: f32::NAN, loss: f32::NAN };
        self.record_score(id, epoch, &nothing);
    }

    /// Notes whether a scan found the model's answer right. A sample outside the table is passed over.
    pub fn record_answer(&mut self, id: u32, right: bool) {
        if let Some(streak) = self.streak.get_mut(index(id)) {
            *streak = if right { 0 } else { streak.saturating_add(1) };
        }
    }

    /// Notes with which probability a scan came to a sample. A sample outside the table is passed over.
    pub fn record_inclusion(&mut self, id: u32, probability: f32) {
        put(&mut self.inclusion, index(id), probability);
    }

    /// Notes with which probability a sample came into a list. A sample outside the table is passed over.
    pub fn record_chosen(&mut self, id: u32, probability: f32) {
        put(&mut self.chosen, index(id), probability);
    }

    /// Notes the group that a sample was seen in. A sample outside the table is passed over.
    pub fn record_cluster(&mut self, id: u32, cluster: u32) {
        put(&mut self.cluster, index(id), cluster);
    }

    /// Whether the last model that was to score a sample could not read its image.
    pub fn is_unreadable(&self, id: u32) -> bool {
        let id = index(id);
        self.last_scored.get(id).is_some_and(|&scored| scored != NEVER)
            && self.p_label.get(id).is_some_and(|p_label| p_label.is_nan())
    }

    /// What was last said about a sample, if anything was.
    pub fn score(&self, id: u32) -> Option<Prediction> {
        let id = index(id);
        if *self.last_scored.get(id)? == NEVER {
            return None;
        }
        let (p_label, margin) = (*self.p_label.get(id)?, *self.margin.get(id)?);
        Some(Prediction {
            predicted: *self.predicted.get(id)?,
            p_label,
            confidence: confidence(p_label, margin),
            margin,
            loss: *self.loss.get(id)?,
        })
    }

    /// Whether the last answer still holds when the model of `epoch` has come: the image could be read, it was not trained
    /// on after that answer (a trainer that hands its own answers back has answered later), and the answer is fewer than
    /// `stale` epochs old.
    pub fn is_fresh(&self, id: u32, epoch: u32, stale: u32) -> bool {
        let of = |column: &[i32]| column.get(index(id)).copied().unwrap_or(NEVER);
        let (scored, trained) = (of(&self.last_scored), of(&self.last_trained));
        let readable = self.p_label.get(index(id)).is_some_and(|p_label| !p_label.is_nan());
        readable && scored >= trained && signed(epoch).saturating_sub(scored) < signed(stale)
    }
}

/// The probability of the predicted class: the label's, or that of the class which the label is behind by the margin.
pub(super) fn confidence(p_label: f32, margin: f32) -> f32 {
    if margin < 0.0 { (p_label - margin).min(1.0) } else { p_label }
}

fn index(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

fn signed(epoch: u32) -> i32 {
    i32::try_from(epoch).unwrap_or(i32::MAX)
}

fn put<T>(column: &mut [T], id: usize, value: T) {
    if let Some(place) = column.get_mut(id) {
        *place = value;
    }
}
