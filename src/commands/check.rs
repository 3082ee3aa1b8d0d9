//! `gleaner check`: every problem of a config, at once.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::Configured;
use crate::config::{Config, HooksConfig, TrainerProgram};
use crate::launch;
use crate::libraries::{self, LIBTORCH};
use crate::onnx::training::TrainingReport;
use crate::onnx::{Classifier, Model};
use crate::pixels::Normaliser;
use crate::score::{self, Scorer};
use crate::service::{check_names, trainer_program};
use crate::settings;
use crate::watch::Pattern;

/// What was found: lines for a person, and how many of them are problems.
#[derive(Debug, Default)]
struct Findings {
    problems: usize,
}

impl Findings {
    fn good(&self, text: &str) {
        println!("ok       {text}");
    }

    /// What is no problem, but may not be meant.
    fn note(&self, text: &str) {
        println!("note     {text}");
    }

    fn bad(&mut self, error: impl std::fmt::Display) {
        self.problems += 1;
        println!("problem  {error}");
    }

    /// The value, or nothing after having said why not.
    fn take<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.bad(error)).ok()
    }
}

/// Runs `gleaner check`; exit code 1 if there is a problem.
pub fn main(arguments: &Configured) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    match arguments.load() {
        // The config's own message already names every problem in it.
        Err(error) => findings.bad(error),
        Ok(config) => {
            findings.good(&format!("{}: the config is sound", arguments.config.display()));
            let runtime = libraries(&mut findings, &config);
            let start = model(&mut findings, &config, runtime, arguments);
            pools(&mut findings, &config, start.as_ref());
            trainer(&mut findings, &config);
            hooks(&mut findings, &config);
            folders(&mut findings, &config);
        }
    }
    Ok(if findings.problems == 0 {
        println!("no problem found");
        ExitCode::SUCCESS
    } else {
        println!("{} problem(s) found", findings.problems);
        ExitCode::FAILURE
    })
}

/// Whether ONNX Runtime is there, without which a model cannot be tried.
fn libraries(findings: &mut Findings, config: &Config) -> bool {
    let runtime = findings.take(score::describe());
    if let Some((path, build)) = &runtime {
        findings.good(&format!("{}: {build}", path.display()));
    }
    if config.trainer.program == TrainerProgram::BuiltIn
        && let Some(path) = findings.take(libraries::find(LIBTORCH))
    {
        findings.good(&format!("{}: libtorch", path.display()));
    }
    runtime.is_some()
}

/// The starting graph, if there is one: readable, a classifier, and one that ONNX Runtime runs with this preprocessing.
fn model(findings: &mut Findings, config: &Config, runtime: bool, arguments: &Configured) -> Option<Classifier> {
    findings.take(Normaliser::new(&settings::preprocess(config)))?;
    let path = config.model.start.as_deref()?;
    let model = findings.take(Model::read(path))?;
    let classifier = findings.take(Classifier::of(&model))?;
    if config.trainer.program == TrainerProgram::BuiltIn {
        training(findings, config, &model, arguments);
    }
    if !runtime {
        return Some(classifier);
    }
    let scorer = findings.take(Scorer::start(model, path, settings::scoring(config)))?;
    let facts = scorer.facts();
    findings.good(&format!(
        "{}: {} classes, {:?}, embedding of {}; runs on {}, in batches of {} by {} worker(s)",
        path.display(),
        facts.classes,
        facts.kind,
        facts.embedding.map_or_else(|| "no width".to_owned(), |width| format!("{width} numbers")),
        facts.provider,
        facts.batch,
        facts.workers
    ));
    Some(Classifier { classes: Some(facts.classes), ..classifier })
}

/// Whether the built-in trainer can train the graph: as far as the graph alone tells it, and then by a trial.
fn training(findings: &mut Findings, config: &Config, model: &Model, arguments: &Configured) {
    let report = TrainingReport::of(model.clone(), &settings::selection(config));
    let Some(report) = findings.take(report) else { return };
    match (report.refusal(), report.trained()) {
        (Some(refusal), _) => findings.bad(format!("{}: the built-in trainer {refusal}", model.file())),
        (None, 0) => {
            findings.bad(format!("{}: no weight of it can be trained; see `gleaner model inspect`", model.file()))
        }
        (None, trained) => {
            findings.good(&format!("{}: {trained} parameters are trained", model.file()));
            for doubt in report.doubts() {
                findings.note(&format!("{}: {doubt}", model.file()));
            }
            trial(findings, config, arguments);
        }
    }
}

/// Has the built-in trainer try the starting graph: what it does with an operator depends on attributes and extents, and
/// whether memory suffices for a batch shows only then.
fn trial(findings: &mut Findings, config: &Config, arguments: &Configured) {
    let Some(start) = &config.model.start else { return };
    let program = trainer_program();
    let mut command = Command::new(&program);
    command.arg("check").arg("--config").arg(&arguments.config).arg(start);
    command.args(arguments.set.iter().flat_map(|set| ["--set", set]));
    let output = match command.output() {
        Ok(output) => output,
        // That is said where the programs are.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return findings.bad(format!("{}: cannot be started: {error}", program.display())),
    };
    let [said, complaint] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).trim().to_owned());
    if output.status.success() {
        return findings.good(&said);
    }
    let complaint = complaint.split_once("error: ").map_or(complaint.as_str(), |(_, error)| error);
    match output.status.signal() {
        None => findings.bad(format!("the built-in trainer: {complaint}")),
        Some(signal) => findings.bad(format!(
            "{}: the built-in trainer was ended by signal {signal} when it tried a batch of {} images; if memory is short, \
             lower `train.batch`",
            start.display(),
            config.train.batch
        )),
    }
}

fn pools(findings: &mut Findings, config: &Config, start: Option<&Classifier>) {
    let sets = [Some(&config.pool.train), Some(&config.pool.validation), config.pool.test.as_ref()];
    for source in sets.into_iter().flatten() {
        let Some(pool) = findings.take(settings::images(config, source)) else { continue };
        let classes = start.and_then(|start| start.classes).and_then(|classes| u32::try_from(classes).ok());
        if classes.is_some_and(|classes| findings.take(pool.check(classes)).is_none()) {
            continue;
        }
        if *source == config.pool.train {
            findings.take(check_names(config, &pool));
        }
        let missing: Vec<u32> = (0..pool.len()).filter(|&id| !pool.path(id).is_file()).collect();
        match missing.first() {
            None => findings.good(&format!(
                "{}: {} images, {} classes, {:.1} MiB in memory",
                source.display(),
                pool.len(),
                pool.classes(),
                pool.memory_bytes() as f64 / f64::from(1 << 20)
            )),
            Some(&first) => findings.bad(format!(
                "{}: {} of {} images are not there, the first is {}; restore them or take their lines out (a scan leaves \
                 them out, but a random list may hold them)",
                source.display(),
                missing.len(),
                pool.len(),
                pool.path(first).display()
            )),
        }
    }
}

fn trainer(findings: &mut Findings, config: &Config) {
    findings.take(Pattern::parse(&config.checkpoint.pattern));
    match &config.trainer.program {
        TrainerProgram::None => findings.good("trainer: none; checkpoints are awaited in the watched folder"),
        TrainerProgram::BuiltIn => built_in(findings),
        TrainerProgram::Command(command) => {
            if findings.take(launch::check(command)).is_none() {
                return;
            }
            let program = command.first().map_or("", String::as_str);
            if on_path(program) {
                findings.good(&format!("trainer: {program}"));
            } else {
                findings.bad(format!("trainer.command: there is no program {program}; install it or name its path"));
            }
        }
    }
}

fn hooks(findings: &mut Findings, config: &Config) {
    let HooksConfig { on_publish, on_stop, on_failure, .. } = &config.hooks;
    for (key, command) in [("on_publish", on_publish), ("on_stop", on_stop), ("on_failure", on_failure)] {
        let Some(program) = command.as_ref().and_then(|command| command.first()) else { continue };
        if on_path(program) {
            findings.good(&format!("hooks.{key}: {program}"));
        } else {
            findings.bad(format!("hooks.{key}: there is no program {program}; install it or name its path"));
        }
    }
}

fn built_in(findings: &mut Findings) {
    let program = trainer_program();
    let engine = program.with_file_name("gleaner-trainer-engine");
    for part in [&program, &engine] {
        if on_path(&part.to_string_lossy()) {
            findings.good(&format!("trainer: {}", part.display()));
        } else {
            findings.bad(format!("trainer: {} is not there; run `make` in gleaner's source folder", part.display()));
        }
    }
}

fn on_path(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The folders that a run writes in, tried with a file.
fn folders(findings: &mut Findings, config: &Config) {
    for (key, folder) in [
        ("checkpoint.folder", &config.checkpoint.folder),
        ("lists.folder", &config.lists.folder),
        ("state.folder", &config.state.folder),
        ("cache.folder", &config.cache.folder),
    ] {
        let existing = folder.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists());
        let place = existing.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match tempfile::Builder::new().prefix(crate::files::TEMPORARY_PREFIX).tempfile_in(place) {
            Ok(_) => findings.good(&format!("{key}: {} can be written", folder.display())),
            Err(error) => findings.bad(format!(
                "{key}: nothing can be written in {}: {error}; give this user the right, or name another folder",
                place.display()
            )),
        }
    }
}
