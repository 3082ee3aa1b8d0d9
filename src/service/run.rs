//! What a run has open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::ServiceError;
use super::leftovers::clear;
use super::plan::Plan;
use super::subset::check_names;
use crate::cache::Cache;
use crate::config::{Config, TrainerProgram, Word, changed_keys};
use crate::digest::{self, DigestingWriter};
use crate::duplicates::Duplicates;
use crate::files;
use crate::ledger::{self, Access, EpochRecord, Ledger, RunStart, Samples};
use crate::lists;
use crate::onnx::{Classifier, Model};
use crate::pool::Pool;
use crate::score::Scorer;
use crate::settings;
use crate::suspects::Reviews;
use crate::watch::{Pattern, WatchError};

/// A run: its config, its images, its memory.
pub struct Run {
    pub(super) config: Config,
    pub(super) plan: Plan,
    pub(super) pool: Pool,
    pub(super) validation: Pool,
    pub(super) test: Option<Pool>,
    /// Classes that every checkpoint must tell apart: those of the starting graph.
    pub(super) classes: usize,
    pub(super) pattern: Pattern,
    pub(super) ledger: Ledger,
    /// What is known of each sample; empty if that must be read anew, see [`Run::recall_samples`].
    pub(super) samples: Samples,
    /// What a person has said of images, as the next list honours it.
    pub(super) reviews: Reviews,
    /// Images that are so alike that one stands for the other, as the ledger knows them.
    pub(super) duplicates: Duplicates,
    /// The labels that the pool's list has, of images that a person has given others.
    pub(super) listed_labels: BTreeMap<u32, u32>,
    /// The checkpoint that was loaded last, by digest: examined first, scanned with next.
    pub(super) loaded: Option<(String, Scorer)>,
    /// Images that were decoded before, by the scan or by the trainer.
    pub(super) cache: Arc<Cache>,
    /// The size of a batch that this machine likes best, once it is known.
    pub(super) batch: Option<usize>,
    /// Files in the watched folder that are no checkpoints, and that were told of.
    pub(super) strangers: BTreeSet<PathBuf>,
    /// The epoch whose checkpoints this process has refused in the scan, how many, and why the last.
    pub(super) refused_late: Option<(u32, u32, String)>,
}

impl Run {
    /// Opens everything that a run needs.
    ///
    /// Errors: lists or graphs that cannot be read or do not fit each other, a state folder in use or of another run.
    pub fn open(config: Config) -> Result<Self, ServiceError> {
        let start = Instant::now();
        let pool = settings::images(&config, &config.pool.train)?;
        let validation = settings::images(&config, &config.pool.validation)?;
        let test = config.pool.test.as_deref().map(|test| settings::images(&config, test)).transpose()?;
        let classes = classes(&config, &pool)?;
        for images in [Some(&pool), Some(&validation), test.as_ref()].into_iter().flatten() {
            images.check(u32::try_from(classes).unwrap_or(u32::MAX))?;
        }
        check_names(&config, &pool)?;
        let pattern = Pattern::parse(&config.checkpoint.pattern)?;
        let mut ledger = Ledger::open(&config.state.folder, Access::Write)?;
        let folder = &config.checkpoint.folder;
        fs::create_dir_all(folder).map_err(|source| WatchError::Create { folder: folder.clone(), source })?;
        // With the lock in hand, a step that runs can only be a dead service's, and a temporary file a dead process's. A
        // folder that cannot be listed will say so when something is written there.
        clear(&config)?;
        let _ = files::sweep(&config.lists.folder);
        begin(&mut ledger, &config, &pool)?;
        let plan = Plan::of(&config, pool.len());
        let mut duplicates = Duplicates::default();
        duplicates.extend(ledger.duplicates()?);
        let images =
            [Some(&pool), Some(&validation), test.as_ref()].into_iter().flatten().map(|set| u64::from(set.len()));
        let cache = Cache::open(&settings::cache(&config), &settings::preprocess(&config), Some(images.sum()));
        let cache = cache.unwrap_or_else(|error| {
            tracing::warn!(%error, "images are decoded each time");
            Cache::off()
        });
        let mut run = Self {
            plan,
            pool,
            validation,
            test,
            classes,
            pattern,
            ledger,
            samples: Samples::new(0),
            reviews: Reviews::default(),
            duplicates,
            listed_labels: BTreeMap::new(),
            loaded: None,
            cache: Arc::new(cache),
            batch: None,
            strangers: BTreeSet::new(),
            refused_late: None,
            config,
        };
        run.recall_samples()?;
        tracing::info!(
            pool = run.pool.len(),
            validation = run.validation.len(),
            classes,
            policy = run.config.policy.word(),
            seconds = format_args!("{:.2}", start.elapsed().as_secs_f64()),
            "the run is open"
        );
        Ok(run)
    }

    /// Reads what is known of each sample, unless it is in memory.
    pub(super) fn recall_samples(&mut self) -> Result<(), ServiceError> {
        let len = self.pool.len() as usize;
        if self.samples.len() != len {
            self.samples = self.ledger.read_samples(len)?.unwrap_or_else(|| Samples::new(len));
        }
        Ok(())
    }

    /// Takes what is in memory for untrue: [`Run::recall_samples`] will read it anew.
    ///
    /// The table is changed in place, because a pool of ten million has no memory for a second one.
    pub(super) fn forget_samples(&mut self) {
        self.samples = Samples::new(0);
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Says why the cache takes no more images in, once.
    pub(super) fn tell_of_cache(&self) {
        if let Some(reason) = self.cache.news() {
            tracing::warn!(%reason, "no more images go into the cache; the rest is decoded each time");
        }
    }

    /// Goes on with a config that differs only in what [`Config::reload`] takes over, and records it as a start would.
    pub(super) fn take_over(&mut self, config: Config) -> Result<(), ServiceError> {
        let run = described(&config, &self.pool)?;
        self.ledger.begin_run(&run)?;
        keep_config(&config, &run)?;
        self.config = config;
        Ok(())
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
    let run = described(config, pool)?;
    let other = |what| ServiceError::OtherRun { folder: config.state.folder.clone(), what };
    if let Some(before) = ledger.run()? {
        if before.run.pool_digest != run.pool_digest {
            return Err(other("pool (pool.train)"));
        }
        if before.run.seed != run.seed {
            return Err(other("seed"));
        }
    }
    ledger.clear_failure()?;
    if ledger.run()?.is_some_and(|before| before.run != run) {
        // The new rules decide anew whether the run is over; first, lest a crash in between keep the old verdict.
        ledger.clear_outcome()?;
    }
    if let RunStart::Changed(before) = ledger.begin_run(&run)? {
        let keys = changed_keys(&before.run.config_text, &run.config_text);
        tracing::warn!(keys = keys.join(", "), "the config has changed since the last start");
    }
    keep_config(config, &run)
}

/// A run in the words of the ledger.
fn described(config: &Config, pool: &Pool) -> Result<ledger::Run, ServiceError> {
    let text = config.canonical().map_err(|error| ServiceError::Record(error.to_string()))?;
    Ok(ledger::Run {
        seed: config.seed,
        policy: config.policy.word().to_owned(),
        config_digest: digest::of_bytes(text.as_bytes()),
        pool_digest: pool_digest(pool),
        config_text: text,
    })
}

/// Writes down the config for the trainer: as it was when the run was opened, whatever becomes of the person's file.
fn keep_config(config: &Config, run: &ledger::Run) -> Result<(), ServiceError> {
    Ok(files::publish(&config_path(config), |writer| writer.write_all(run.config_text.as_bytes()))?)
}

/// Where the effective config of the run stands, every default written out.
pub fn config_path(config: &Config) -> PathBuf {
    config.state.folder.join("config.json")
}

/// The classes of the starting graph, or, where there is none or it does not tell, those of the pool.
fn classes(config: &Config, pool: &Pool) -> Result<usize, ServiceError> {
    let of_start = match &config.model.start {
        Some(path) => Classifier::of(&Model::read(path)?)?.classes,
        None => None,
    };
    Ok(of_start.unwrap_or(pool.classes() as usize))
}

/// What tells one pool from another: its paths and labels, in order.
pub fn pool_digest(pool: &Pool) -> String {
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

/// A number for the log, `-` where there is none.
pub(super) fn shown(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.4}"))
}
