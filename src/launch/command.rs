//! What a training step is told: the placeholders of `trainer.command` and the `GLEANER_*` environment.

use std::ffi::OsString;
use std::path::PathBuf;

use super::template::{CommandError, Placeholders, expand};

/// The placeholders of `trainer.command`.
pub const PLACEHOLDERS: [&str; 9] =
    ["list", "manifest", "checkpoint_in", "checkpoint_out", "scores_out", "epoch", "seed", "work_done", "work_planned"];

/// What one training step is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The list to train on, in the first of `lists.formats` that is not the manifest.
    pub list: PathBuf,
    /// The manifest of the same list, with weights and strata.
    pub manifest: PathBuf,
    /// The checkpoint, or the starting graph, to go on from; `None`, passed on as an empty word, before the first
    /// checkpoint of a run that has no starting graph.
    pub checkpoint_in: Option<PathBuf>,
    /// Where the new checkpoint is expected.
    pub checkpoint_out: PathBuf,
    /// Where the step may leave what it saw of each image, before the checkpoint appears.
    pub scores_out: PathBuf,
    /// Where the step may leave a [`Report`](super::Report); only in the environment, as `GLEANER_REPORT`.
    pub report: PathBuf,
    /// Where the step may tell how far it is ([`Progress`](super::Progress)); only in the environment, as
    /// `GLEANER_PROGRESS`.
    pub progress: PathBuf,
    /// The epoch that is trained.
    pub epoch: u32,
    /// `seed` of the configuration.
    pub seed: u64,
    /// Work done before this step, in image visits: those of training, and scoring forwards at their price.
    pub work_done: u64,
    /// Work that will be done when the plan is fulfilled, likewise; without a plan `None`, passed on as 0.
    pub work_planned: Option<u64>,
}

impl Values {
    /// The values as `GLEANER_LIST`, `GLEANER_MANIFEST` and so on, the names of the placeholders in capitals, and
    /// `GLEANER_REPORT` and `GLEANER_PROGRESS`.
    pub fn environment(&self) -> Vec<(String, OsString)> {
        let more = [("GLEANER_REPORT", &self.report), ("GLEANER_PROGRESS", &self.progress)];
        let more = more.map(|(name, path)| (name.to_owned(), path.clone().into_os_string()));
        self.variables().into_iter().chain(more).collect()
    }
}

impl Placeholders for Values {
    fn key(&self) -> &'static str {
        "trainer.command"
    }

    fn names(&self) -> &'static [&'static str] {
        &PLACEHOLDERS
    }

    fn get(&self, name: &str) -> Option<OsString> {
        Some(match name {
            "list" => self.list.clone().into(),
            "manifest" => self.manifest.clone().into(),
            "checkpoint_in" => self.checkpoint_in.clone().unwrap_or_default().into(),
            "checkpoint_out" => self.checkpoint_out.clone().into(),
            "scores_out" => self.scores_out.clone().into(),
            "epoch" => self.epoch.to_string().into(),
            "seed" => self.seed.to_string().into(),
            "work_done" => self.work_done.to_string().into(),
            "work_planned" => self.work_planned.unwrap_or(0).to_string().into(),
            _ => return None,
        })
    }
}

/// Whether [`expand`] will succeed, so that a misspelt placeholder is found at the start and not after the first scan.
pub fn check(command: &[String]) -> Result<(), CommandError> {
    let nothing = Values {
        list: PathBuf::new(),
        manifest: PathBuf::new(),
        checkpoint_in: None,
        checkpoint_out: PathBuf::new(),
        scores_out: PathBuf::new(),
        report: PathBuf::new(),
        progress: PathBuf::new(),
        epoch: 0,
        seed: 0,
        work_done: 0,
        work_planned: None,
    };
    expand(command, &nothing).map(drop)
}
