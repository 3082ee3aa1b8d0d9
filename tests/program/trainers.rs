//! The built-in trainer at work, as the process table shows it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gleaner::files::TEMPORARY_PREFIX;
use gleaner::launch::STATE_VARIABLE;
use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

use super::workshop::Workshop;

/// How far a training step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// `gleaner-trainer` looks for libtorch.
    Doorstep,
    /// The engine loads libtorch and the graph.
    StartUp,
    Training,
    Writing,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] = [Self::Doorstep, Self::StartUp, Self::Training, Self::Writing];
}

/// The first process of a training step, which is also the leader of its group.
pub(crate) struct Step {
    process: Pid,
    report: PathBuf,
    checkpoints: PathBuf,
}

impl Step {
    /// That of a run, if one is at work.
    pub(crate) fn of(workshop: &Workshop) -> Option<Self> {
        let leads = |process: &Pid| getpgid(Some(*process)) == Ok(*process);
        let process = processes(workshop).into_iter().find(leads)?;
        let report = variable(process, "GLEANER_REPORT")?;
        Some(Self { process, report, checkpoints: workshop.path("watch") })
    }

    /// `None` when it has ended.
    pub(crate) fn stage(&self) -> Option<Stage> {
        let program = fs::read_link(entry(self.process, "exe")).ok()?;
        if program.file_name() != Some(OsStr::new("gleaner-trainer-engine")) {
            return Some(Stage::Doorstep);
        }
        let temporary = |name: &OsStr| name.as_bytes().starts_with(TEMPORARY_PREFIX.as_bytes());
        let files = fs::read_dir(&self.checkpoints).into_iter().flatten().flatten();
        if self.report.exists() || files.into_iter().any(|file| temporary(&file.file_name())) {
            return Some(Stage::Writing);
        }
        let mut open =
            fs::read_dir(entry(self.process, "fd")).ok()?.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        let has_images = open.any(|path| path.extension() == Some(OsStr::new("pixels")));
        Some(if has_images { Stage::Training } else { Stage::StartUp })
    }

    /// `kill -9` at the process, or at its whole group: where that was, unless it had ended before.
    pub(crate) fn kill(&self, whole_group: bool) -> Option<Stage> {
        let stage = self.stage()?;
        let kill = if whole_group { kill_process_group } else { kill_process };
        kill(self.process, Signal::KILL).ok().map(|()| stage)
    }
}

/// All processes of a run's training step, known as the service knows them: by the state folder in their environment.
pub(crate) fn processes(workshop: &Workshop) -> Vec<Pid> {
    let state = fs::canonicalize(workshop.path("state")).unwrap();
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|process| process.unwrap().file_name().to_str()?.parse().ok());
    let is_ours = |process: &Pid| variable(*process, STATE_VARIABLE).is_some_and(|found| found == state);
    numbers.filter_map(Pid::from_raw).filter(is_ours).collect()
}

/// A variable in a process's environment.
fn variable(process: Pid, name: &str) -> Option<PathBuf> {
    let environment = fs::read(entry(process, "environ")).ok()?;
    let mut variables = environment.split(|&byte| byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(OsStr::from_bytes(value).into())
}

fn entry(process: Pid, name: &str) -> PathBuf {
    Path::new("/proc").join(process.as_raw_pid().to_string()).join(name)
}
