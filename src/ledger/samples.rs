//! What is known of each sample of the pool.

use crate::prediction::Prediction;

/// The epoch of a sample that was never trained on, or never scored.
pub const NEVER: i32 = -1;
/// The class or cluster of a sample that has none.
pub const NONE: u32 = u32::MAX;

/// A table with one row a sample, column by column: entry `id` of each column belongs to sample `id`.
///
/// All columns have the same length. 46 bytes a sample: 10 million take 460 MB.
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
    /// The probability of the predicted class, or NaN.
    pub confidence: Vec<f32>,
    /// The label's probability less the highest of the others, or NaN.
    pub margin: Vec<f32>,
    /// The cross-entropy, or NaN.
    pub loss: Vec<f32>,
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
            confidence: vec![f32::NAN; len],
            margin: vec![f32::NAN; len],
            loss: vec![f32::NAN; len],
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

    /// Notes what the model of `epoch` said about a sample. A sample outside the table is passed over.
    pub fn record_score(&mut self, id: u32, epoch: u32, score: &Prediction) {
        let id = index(id);
        put(&mut self.last_scored, id, signed(epoch));
        put(&mut self.predicted, id, score.predicted);
        put(&mut self.p_label, id, score.p_label);
        put(&mut self.confidence, id, score.confidence);
        put(&mut self.margin, id, score.margin);
        put(&mut self.loss, id, score.loss);
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

    /// What was last said about a sample, if anything was.
    pub fn score(&self, id: u32) -> Option<Prediction> {
        let id = index(id);
        if *self.last_scored.get(id)? == NEVER {
            return None;
        }
        Some(Prediction {
            predicted: *self.predicted.get(id)?,
            p_label: *self.p_label.get(id)?,
            confidence: *self.confidence.get(id)?,
            margin: *self.margin.get(id)?,
            loss: *self.loss.get(id)?,
        })
    }
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
