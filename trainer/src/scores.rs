//! What a step saw of each image: the answers of the very forward passes that it trained on.

use crate::loader::Batch;
use crate::manifest::Sample;
use gleaner::ledger::{LedgerError, ScoreRow, ScoresWriter};
use gleaner::onnx::OutputKind;
use gleaner::prediction::Prediction;
use std::path::Path;

/// The answers of a step so far, by the manifest's rows.
///
/// They are those of training mode, for the images as augmented and the weights as they were before the batch moved
/// them: what a scan would say may differ, but these cost nothing. Of a mixed image there is no such answer, for the pass saw
/// two images in one: it counts as not seen, and a scan that wants to know pays for a look.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    seen: Vec<Option<Prediction>>,
}

impl Scores {
    /// For a manifest of so many images, none of them seen yet.
    pub fn new(images: usize) -> Self {
        Self { seen: vec![None; images] }
    }

    /// Takes down the answers for a batch: `logits` are `[images, classes]`, in row-major order. An image whose logits
    /// are not all finite counts as not seen.
    pub fn note(&mut self, batch: &Batch, logits: &[f32]) {
        let classes = logits.len() / batch.len().max(1);
        let images = batch.rows.iter().zip(&batch.labels).zip(logits.chunks_exact(classes.max(1)));
        for ((&row, &label), logits) in images {
            let answer = u32::try_from(label).ok().and_then(|label| Prediction::of(logits, OutputKind::Logits, label));
            if let Some(seen) = usize::try_from(row).ok().and_then(|row| self.seen.get_mut(row)) {
                *seen = answer;
            }
        }
    }

    /// Publishes them as a file of scores: a row for each of the manifest's, in its order and under its paths, with
    /// nulls where an image was not seen.
    ///
    /// # Errors
    /// The file cannot be written; what stood there before is untouched.
    pub fn write(&self, path: &Path, samples: &[Sample]) -> Result<(), LedgerError> {
        let utf8 = samples.iter().all(|sample| sample.path.to_str().is_some());
        let mut writer = ScoresWriter::create(path, None, utf8)?;
        for (sample, score) in samples.iter().zip(&self.seen) {
            let path = sample.path.as_os_str();
            writer.push(&ScoreRow { path, label: sample.label, score: *score, embedding: None })?;
        }
        writer.finish().map(drop)
    }
}
