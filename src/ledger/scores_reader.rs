//! Reading a file of scores back: gleaner's own, or one that somebody else's trainer wrote.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::errors::{ParquetError, Result};

use super::LedgerError;
use super::scores_table::{Batch, Table};
use crate::prediction::Prediction;

/// The columns that a file of scores must have. A column `confidence` is read where there is one; others are passed over.
pub const SCORES_COLUMNS: [&str; 5] = ["path", "predicted", "p_label", "margin", "loss"];
/// The column that may be missing: it follows from `p_label` and `margin`.
pub(super) const CONFIDENCE: &str = "confidence";

/// By how much a probability may be outside 0 to 1: a softmax of 32-bit floats adds up to 1 only nearly.
const SLACK: f64 = 1e-3;

/// What a file of scores held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScoresRead {
    /// All rows.
    pub rows: u64,
    /// Rows of images that were seen; the others have a null where a score should be.
    pub seen: u64,
}

/// Reads a file of scores, in bounded memory, and hands on the path (as it stands there, raw bytes) and the score of
/// every image that was seen, in the order of the rows. An image that was visited several times may come several times.
///
/// Accepted is what usual tools write: the path as text or bytes, numbers as 32- or 64-bit integers or floats, columns
/// with or without nulls, in any order. Where there is no confidence, it is p(label) for a right answer and
/// p(label) - margin, the probability of the other class, for a wrong one. A loss that is infinite because p(label) was
/// rounded to 0 becomes that of the smallest positive float, as in [`Prediction::of`].
///
/// Not checked, because only the pool knows: whether a path is one of its images, and a class one of its classes.
///
/// # Errors
/// The file cannot be read, is no such file or was cut short, or holds a value that no model can have given; rows
/// before the one that is at fault have been handed on by then.
pub fn read_scores(
    path: &Path,
    visit: &mut dyn FnMut(&[u8], Prediction),
) -> std::result::Result<ScoresRead, LedgerError> {
    let file = File::open(path).map_err(LedgerError::io(path, "cannot be read"))?;
    let mut table = guarded(path, || Table::open(file))?;
    let mut batch = Batch::default();
    let mut read = ScoresRead::default();
    while guarded(path, || table.next_batch(&mut batch))? {
        for row in 0..batch.len() {
            read.rows += 1;
            let score = score_of(&batch, row).map_err(|Fault { column, value, wanted }| LedgerError::Score {
                path: path.to_owned(),
                row: read.rows,
                column,
                value,
                wanted,
            })?;
            if let (Some(name), Some(score)) = (batch.path(row), score) {
                read.seen += 1;
                visit(name, score);
            }
        }
    }
    Ok(read)
}

/// The Parquet reader checks much, but not everything: it may panic on bytes that were flipped at the wrong place.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> std::result::Result<T, LedgerError> {
    let problem = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(ParquetError::General(problem) | ParquetError::EOF(problem))) => problem,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its content makes no sense".to_owned(),
    };
    Err(LedgerError::Scores { path: path.to_owned(), problem })
}

/// A value that no model can have given.
struct Fault {
    column: &'static str,
    value: f64,
    wanted: &'static str,
}

/// The score in a row of a batch; none where the image was not seen.
fn score_of(batch: &Batch, row: usize) -> std::result::Result<Option<Prediction>, Fault> {
    let [predicted, p_label, margin, loss, confidence] = batch.numbers(row);
    let (Some(predicted), Some(p_label), Some(margin), Some(loss)) = (predicted, p_label, margin, loss) else {
        return Ok(None);
    };
    // The highest number of 32 bits stands for no class at all.
    let is_class = predicted.fract() == 0.0 && (0.0..f64::from(u32::MAX)).contains(&predicted);
    if !is_class {
        return Err(Fault { column: "predicted", value: predicted, wanted: "the number of a class, from 0 on" });
    }
    let p_label = within("p_label", p_label, 0.0, 1.0, "a probability, from 0 to 1")?;
    let margin = within("margin", margin, -1.0, 1.0, "a difference of probabilities, from -1 to 1")?;
    let loss = within("loss", loss, 0.0, f64::INFINITY, "a number from 0 on")?;
    let confidence = match confidence {
        Some(confidence) => within(CONFIDENCE, confidence, 0.0, 1.0, "a probability, from 0 to 1")?,
        None if margin < 0.0 => (p_label - margin).min(1.0),
        None => p_label,
    };
    let loss = if loss.is_finite() { loss } else { -f32::MIN_POSITIVE.ln() };
    Ok(Some(Prediction { predicted: predicted as u32, confidence, p_label, margin, loss }))
}

fn within(
    column: &'static str,
    value: f64,
    lowest: f64,
    highest: f64,
    wanted: &'static str,
) -> std::result::Result<f32, Fault> {
    // NaN is in no range.
    if (lowest - SLACK..=highest + SLACK).contains(&value) {
        Ok(value.clamp(lowest, highest) as f32)
    } else {
        Err(Fault { column, value, wanted })
    }
}
