//! What a run has open.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ServiceError;
use super::plan::Plan;
use crate::config::{Config, TrainerProgram, Word};
use crate::digest::{self, DigestingWriter};
use crate::files;
use crate::ledger::{self, Access, EpochRecord, Ledger, RunStart, Samples};
use crate::lists;
use crate::onnx::{Classifier, Model};
use crate::pool::Pool;
use crate::score::Scorer;
use crate::settings;
use crate::watch::Pattern;

/// What the program was asked to run.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The config as it was read.
    pub config: Config,
    /// Its file, for the trainer that reads it too.
    pub file: PathBuf,
    /// The settings given beside the file, likewise.
    pub overrides: Vec<String>,
}

/// A run: its config, its images, its memory.
pub struct Run {
    pub(super) invocation: Invocation,
    pub(super) plan: Plan,
    pub(super) pool: Pool,
    pub(super) validation: Pool,
    pub(super) test: Option<Pool>,
    /// Classes that every checkpoint must tell apart: those of the starting graph.
    pub(super) classes: usize,
    pub(super) pattern: Pattern,
    pub(super) ledger: Ledger,
    pub(super) samples: Samples,
    /// The checkpoint that was loaded last, by digest: examined first, scanned with next.
    pub(super) loaded: Option<(String, Scorer)>,
}

impl Run {
    /// Opens everything that a run needs.
    ///
    /// Errors: lists or graphs that cannot be read or do not fit each other, a state folder in use or of another run.
    pub fn open(invocation: Invocation) -> Result<Self, ServiceError> {
        let config = &invocation.config;
        let pool = Pool::load(&config.pool.train)?;
        let validation = Pool::load(&config.pool.validation)?;
        let test = config.pool.test.as_deref().map(Pool::load).transpose()?;
        let classes = classes(config, &pool)?;
        for images in [Some(&pool), Some(&validation), test.as_ref()].into_iter().flatten() {
            images.check(u32::try_from(classes).unwrap_or(u32::MAX))?;
        }
        let pattern = Pattern::parse(&config.checkpoint.pattern)?;
        for folder in [&config.lists.folder, &config.state.folder, &config.checkpoint.folder] {
            // Best effort: a folder that cannot be listed will say so when something is written there.
            let _ = files::sweep(folder);
        }
        let mut ledger = Ledger::open(&config.state.folder, Access::Write)?;
        begin(&mut ledger, config, &pool)?;
        let samples = ledger.read_samples(pool.len() as usize)?.unwrap_or_else(|| Samples::new(pool.len() as usize));
        let plan = Plan::of(config, pool.len());
        tracing::info!(
            pool = pool.len(),
            validation = validation.len(),
            classes,
            policy = config.policy.word(),
            "the run is open"
        );
        Ok(Self { plan, pool, validation, test, classes, pattern, ledger, samples, loaded: None, invocation })
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.invocation.config
    }

    /// Where the checkpoint of an epoch is expected.
    pub(super) fn checkpoint_path(&self, epoch: u32) -> PathBuf {
        self.config().checkpoint.folder.join(self.pattern.name(epoch))
    }

    /// Points the stable names at the list of a committed epoch.
    pub(super) fn point_next(&self, epoch: &EpochRecord) -> Result<(), ServiceError> {
        let config = self.config();
        Ok(lists::point_next(&config.lists.folder, epoch.commit.epoch, &settings::list_formats(config))?)
    }

    /// Refuses to begin where checkpoints of an earlier run would be taken for this one's.
    pub(super) fn refuse_old_checkpoints(&self) -> Result<(), ServiceError> {
        let config = self.config();
        if config.trainer.program == TrainerProgram::None {
            // A script that runs by itself may well have begun before us.
            return Ok(());
        }
        let Ok(entries) = fs::read_dir(&config.checkpoint.folder) else { return Ok(()) };
        let old = entries.flatten().find(|entry| self.pattern.epoch_of(&entry.file_name()).is_some());
        old.map_or(Ok(()), |entry| Err(ServiceError::OldCheckpoint { path: entry.path() }))
    }
}

/// Notes the start in the ledger, and refuses a ledger of something else.
fn begin(ledger: &mut Ledger, config: &Config, pool: &Pool) -> Result<(), ServiceError> {
    let text = config.canonical().map_err(|error| ServiceError::Record(error.to_string()))?;
    let run = ledger::Run {
        seed: config.seed,
        policy: config.policy.word().to_owned(),
        config_digest: digest::of_bytes(text.as_bytes()),
        pool_digest: pool_digest(pool),
        config_text: text,
    };
    let other = |what| ServiceError::OtherRun { folder: config.state.folder.clone(), what };
    if let Some(before) = ledger.run()? {
        if before.run.pool_digest != run.pool_digest {
            return Err(other("pool (pool.train)"));
        }
        if before.run.seed != run.seed {
            return Err(other("seed"));
        }
    }
    if let RunStart::Changed(before) = ledger.begin_run(&run)? {
        tracing::warn!(before = %before.run.policy, now = %run.policy, "the config has changed since the last start");
        // The new rules decide anew whether the run is over.
        ledger.clear_outcome()?;
    }
    Ok(())
}

/// The classes of the starting graph, or, where it does not tell, those of the pool.
fn classes(config: &Config, pool: &Pool) -> Result<usize, ServiceError> {
    let start = Model::read(&config.model.start)?;
    let classifier = Classifier::of(&start)?;
    Ok(classifier.classes.unwrap_or(pool.classes() as usize))
}

/// What tells one pool from another: its paths and labels, in order.
fn pool_digest(pool: &Pool) -> String {
    let mut writer = DigestingWriter::new(io::sink());
    for id in 0..pool.len() {
        // Nothing can go wrong with a sink.
        let _ = writer.write_all(pool.listed(id));
        let _ = writer.write_all(&[0]);
        let _ = writer.write_all(&pool.label(id).to_le_bytes());
    }
    writer.finish()
}

/// A path without the folder that everybody knows, for the log.
pub(super) fn short(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
