//! Is this checkpoint fit, and how well does it do on the validation images?

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::run::short;
use super::{Run, ServiceError};
use crate::ledger::{Checkpoint, CheckpointStatus, Validation};
use crate::onnx::{Model, Problem};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::score::{self, ScoreError, Scorer, Visit};
use crate::settings;
use crate::systemd;
use crate::watch::{Candidate, Verdict};

/// How long ONNX Runtime may take to load a model: TensorRT compiles one for many minutes.
const LOADING: Duration = Duration::from_secs(1800);
const BEFORE: &str = "it was rejected before: ";

/// What examining a checkpoint came to.
#[derive(Debug)]
pub(super) enum Examined {
    /// It is accepted and recorded.
    Accepted,
    /// It is not fit, for this reason; its digest, if it could be read at all.
    Refused { reason: String, digest: Option<String> },
    /// A signal came in between.
    Cancelled,
}

/// How a model does on a set of images.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Report {
    pub(super) right: u64,
    pub(super) images: u64,
    pub(super) loss: f64,
    pub(super) seconds: f64,
}

impl Report {
    /// The share of right predictions, 0 to 1.
    pub(super) fn accuracy(&self) -> f64 {
        self.right as f64 / self.images.max(1) as f64
    }

    /// The mean cross-entropy, in nats.
    fn mean_loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }
}

/// Whether a file reads to its end as an ONNX model.
pub(super) fn judge(candidate: &Candidate) -> Verdict {
    match Model::read(&candidate.path) {
        Ok(_) => Verdict::Whole,
        Err(error) => match *error.problem {
            Problem::NotOnnx(_) | Problem::Io(_) | Problem::External { .. } => Verdict::Unfinished(error.to_string()),
            _ => Verdict::Bad(error.to_string()),
        },
    }
}

impl Run {
    /// Loads a checkpoint, runs it over the validation images and, if it is fit, accepts it in the ledger.
    ///
    /// Errors: those that are not the checkpoint's fault.
    pub(super) fn examine(&mut self, path: &Path, epoch: u32, cancel: &AtomicBool) -> Result<Examined, ServiceError> {
        let model = match Model::read(path) {
            Ok(model) => model,
            Err(error) => return Ok(Examined::Refused { reason: error.to_string(), digest: None }),
        };
        let digest = model.digest().to_owned();
        let refused = |reason: String| Ok(Examined::Refused { reason, digest: Some(digest.clone()) });
        if let Some(reason) = self.ledger.rejected_late(&digest)? {
            // Said once, however often it comes.
            return refused(format!("{BEFORE}{}", reason.trim_start_matches(BEFORE)));
        }
        if let Err(error) = self.load(model, path) {
            return if blames_checkpoint(&error) { refused(error.to_string()) } else { Err(error) };
        }
        let report = match self.measure(&self.validation, cancel) {
            Ok(Some(report)) => report,
            Ok(None) => return Ok(Examined::Cancelled),
            Err(error) if blames_checkpoint(&error) => return refused(error.to_string()),
            Err(error) => return Err(error),
        };
        self.ledger.record_checkpoint(&Checkpoint {
            epoch,
            path: path.to_owned(),
            digest,
            status: CheckpointStatus::Accepted,
            reason: None,
        })?;
        self.record_validation(epoch, &report)?;
        Ok(Examined::Accepted)
    }

    /// Validates the loaded checkpoint of an epoch and records it.
    pub(super) fn record_validation(&mut self, epoch: u32, report: &Report) -> Result<(), ServiceError> {
        let (accuracy, loss) = (report.accuracy(), report.mean_loss());
        tracing::info!(
            epoch,
            accuracy = format_args!("{accuracy:.4}"),
            loss = format_args!("{loss:.4}"),
            images = report.images,
            seconds = format_args!("{:.2}", report.seconds),
            "validated"
        );
        let (images, seconds) = (report.images, report.seconds);
        Ok(self.ledger.record_validation(&Validation { epoch, accuracy, loss, images, seconds })?)
    }

    /// Loads a checkpoint into ONNX Runtime, unless it is the one that is loaded.
    pub(super) fn load(&mut self, model: Model, path: &Path) -> Result<(), ServiceError> {
        let digest = model.digest().to_owned();
        if self.loaded.as_ref().is_some_and(|(loaded, _)| *loaded == digest) {
            return Ok(());
        }
        // The old session goes before the new one comes, so that there is never memory for two.
        self.loaded = None;
        let mut options = settings::scoring(self.config());
        if let (score::Batch::Auto, Some(found)) = (options.batch, self.batch) {
            // Measured once: what this machine likes does not change from checkpoint to checkpoint.
            options.batch = score::Batch::Of(found);
        }
        options.cache = Arc::clone(&self.cache);
        systemd::status(&format!("loading {}", short(path)));
        let silence = systemd::silence(LOADING);
        let scorer = Scorer::start(model, path, options)?;
        drop(silence);
        scorer.expect_classes(self.classes)?;
        let facts = scorer.facts();
        tracing::info!(provider = %facts.provider, batch = facts.batch, workers = facts.workers, "loaded");
        self.batch = Some(facts.batch);
        self.loaded = Some((digest, scorer));
        Ok(())
    }

    /// Runs the loaded checkpoint over all of `images`; nothing if it was cancelled.
    pub(super) fn measure(&self, images: &Pool, cancel: &AtomicBool) -> Result<Option<Report>, ServiceError> {
        let Some((_, scorer)) = &self.loaded else { return Ok(None) };
        let ids: Vec<u32> = (0..images.len()).collect();
        let mut report = Report::default();
        let mut first_failure = None;
        let mut progress = Progress::begin("validating", u64::from(images.len()));
        let tally = scorer.scan(images, &ids, None, |visit| {
            progress.step();
            match visit {
                Visit::Scored { sample, prediction, .. } => {
                    report.images += 1;
                    report.right += u64::from(prediction.is_right(images.label(sample)));
                    report.loss += f64::from(prediction.loss);
                }
                Visit::Skipped { reason, .. } => {
                    tracing::warn!(%reason, "an image is left out");
                    first_failure.get_or_insert_with(|| reason.to_string());
                }
            }
            if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.tell_of_cache();
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if report.images == 0 {
            let (list, first) = (images.source().to_owned(), first_failure.unwrap_or_default());
            return Err(ServiceError::NothingReadable { list, images: ids.len(), first });
        }
        report.seconds = tally.elapsed.as_secs_f64();
        Ok(Some(report))
    }
}

fn blames_checkpoint(error: &ServiceError) -> bool {
    match error {
        ServiceError::Score(error) => ScoreError::blames_checkpoint(error),
        ServiceError::Onnx(_) => true,
        _ => false,
    }
}
