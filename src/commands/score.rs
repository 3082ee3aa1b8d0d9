//! `gleaner score`: just the scan of a list, without any state.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::Configured;
use crate::cache::Cache;
use crate::config::Embedding;
use crate::ledger::{LedgerError, ScoreRow, ScoresWriter};
use crate::onnx::Model;
use crate::progress::Progress;
use crate::score::{Scorer, Visit};
use crate::settings;

/// Arguments of `gleaner score`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    configured: Configured,
    /// The checkpoint (ONNX)
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// The images: a list of `path label` lines, or a folder with a sub-folder for each class
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Write each image's embedding, too
    #[arg(long)]
    embedding: bool,
    /// Where the scores are written (Parquet)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs `gleaner score`: one row an image, in the order of the list; images that cannot be read have no scores.
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.configured.load()?;
    let images = settings::images(&config, &arguments.list)?;
    let mut options = settings::scoring(&config);
    if !arguments.embedding {
        options.embedding = crate::onnx::Embedding::None;
    } else if config.model.embedding == Embedding::None {
        anyhow::bail!("--embedding was given, but the config's model.embedding is none; set it to auto or to a name");
    }
    // What a run has decoded is of use here; a list of just any images is not what its cache is for.
    options.cache = Arc::new(Cache::open(&settings::cache(&config), &settings::preprocess(&config), None)?);
    let scorer = Scorer::start(Model::read(&arguments.checkpoint)?, &arguments.checkpoint, options)?;
    images.check(u32::try_from(scorer.facts().classes).unwrap_or(u32::MAX))?;
    let ids: Vec<u32> = (0..images.len()).collect();
    let utf8 = ids.iter().all(|&id| std::str::from_utf8(images.listed(id)).is_ok());
    let mut writer = ScoresWriter::create(&arguments.output, scorer.facts().embedding, utf8)?;
    let mut failed: Option<LedgerError> = None;
    let mut right = 0u64;
    let mut progress = Progress::begin("scoring", u64::from(images.len()));
    let tally = scorer.scan(&images, &ids, None, |visit| {
        progress.step();
        let (sample, score, embedding) = match visit {
            Visit::Scored { sample, prediction, embedding } => {
                right += u64::from(prediction.is_right(images.label(sample)));
                (sample, Some(prediction), scorer.facts().embedding.map(|_| embedding))
            }
            Visit::Skipped { sample, reason } => {
                tracing::warn!(%reason, "an image is left out");
                (sample, None, None)
            }
        };
        let path = images.path(sample);
        let row = ScoreRow { path: path.as_os_str(), label: images.label(sample), score, embedding };
        match writer.push(&row) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    writer.finish()?;
    drop(progress);
    let (seconds, facts) = (tally.elapsed.as_secs_f64(), scorer.facts());
    println!(
        "{}: {} images scored, {} skipped, accuracy {:.4}, {:.1} s, {:.0} images/s on {} in batches of {}",
        arguments.output.display(),
        tally.scored,
        tally.skipped,
        right as f64 / tally.scored.max(1) as f64,
        seconds,
        tally.forwards as f64 / seconds.max(1e-9),
        facts.provider,
        facts.batch,
    );
    Ok(ExitCode::SUCCESS)
}
