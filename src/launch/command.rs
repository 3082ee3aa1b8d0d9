//! What a training step is told: the placeholders of `trainer.command` and the `GLEANER_*` environment.

use std::ffi::OsString;
use std::path::PathBuf;

/// The placeholders of `trainer.command`.
pub const PLACEHOLDERS: [&str; 9] =
    ["list", "manifest", "checkpoint_in", "checkpoint_out", "scores_out", "epoch", "seed", "work_done", "work_planned"];

/// `trainer.command` cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is nothing to run.
    #[error("trainer.command is empty; name a program, or leave the key out for the built-in trainer")]
    Empty,
    /// A placeholder that does not exist.
    #[error("trainer.command: \"{argument}\": there is no placeholder {{{name}}}; there are {}", all())]
    Unknown {
        /// The argument it stands in.
        argument: String,
        /// What stands between the braces.
        name: String,
    },
}

fn all() -> String {
    PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(" ")
}

/// What one training step is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The list to train on, in the first of `lists.formats` that is not the manifest.
    pub list: PathBuf,
    /// The manifest of the same list, with weights and strata.
    pub manifest: PathBuf,
    /// The checkpoint, or the starting graph, to go on from.
    pub checkpoint_in: PathBuf,
    /// Where the new checkpoint is expected.
    pub checkpoint_out: PathBuf,
    /// Where the step may leave what it saw of each image, before the checkpoint appears.
    pub scores_out: PathBuf,
    /// Where the step may leave a [`Report`](super::Report); only in the environment, as `GLEANER_REPORT`.
    pub report: PathBuf,
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
    /// `GLEANER_REPORT`.
    pub fn environment(&self) -> Vec<(String, OsString)> {
        let placeholders = PLACEHOLDERS.iter().filter_map(|name| Some((name.to_uppercase(), self.get(name)?)));
        placeholders
            .chain([("REPORT".to_owned(), self.report.clone().into_os_string())])
            .map(|(name, value)| (format!("GLEANER_{name}"), value))
            .collect()
    }

    fn get(&self, name: &str) -> Option<OsString> {
        Some(match name {
            "list" => self.list.clone().into(),
            "manifest" => self.manifest.clone().into(),
            "checkpoint_in" => self.checkpoint_in.clone().into(),
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

/// The arguments with every placeholder replaced, the program first. Only a name in braces is a placeholder; other braces
/// stay, and `{{` and `}}` stand for single ones. A value is put in as it is and always stays within its argument, whatever blanks or quotes it has.
pub fn expand(command: &[String], values: &Values) -> Result<Vec<OsString>, CommandError> {
    if command.first().is_none_or(String::is_empty) {
        return Err(CommandError::Empty);
    }
    command.iter().map(|argument| expand_argument(argument, values)).collect()
}

/// Whether [`expand`] will succeed, so that a misspelt placeholder is found at the start and not after the first scan.
pub fn check(command: &[String]) -> Result<(), CommandError> {
    let nothing = Values {
        list: PathBuf::new(),
        manifest: PathBuf::new(),
        checkpoint_in: PathBuf::new(),
        checkpoint_out: PathBuf::new(),
        scores_out: PathBuf::new(),
        report: PathBuf::new(),
        epoch: 0,
        seed: 0,
        work_done: 0,
        work_planned: None,
    };
    expand(command, &nothing).map(drop)
}

/// The name in the braces that `text` begins with, and what follows them.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, after))
}

fn expand_argument(argument: &str, values: &Values) -> Result<OsString, CommandError> {
    let mut expanded = OsString::new();
    let mut rest = argument;
    while let Some(at) = rest.find(['{', '}']) {
        let (plain, braces) = rest.split_at(at);
        expanded.push(plain);
        if let Some(after) = braces.strip_prefix("{{") {
            expanded.push("{");
            rest = after;
        } else if let Some(after) = braces.strip_prefix("}}") {
            expanded.push("}");
            rest = after;
        } else if let Some((name, after)) = placeholder(braces) {
            let unknown = || CommandError::Unknown { argument: argument.to_owned(), name: name.to_owned() };
            expanded.push(values.get(name).ok_or_else(unknown)?);
            rest = after;
        } else {
            // Any other brace, as in a JSON argument, is meant as it stands.
            let (brace, after) = braces.split_at(1);
            expanded.push(brace);
            rest = after;
        }
    }
    expanded.push(rest);
    Ok(expanded)
}
