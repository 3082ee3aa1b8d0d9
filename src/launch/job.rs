//! A training step, before it starts and while it runs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::outcome::{Ending, Failure, LaunchError, Outcome};
use super::output::Tail;
use super::owner::{self, Finished, Group};

/// How long a step that has timed out may take to end by itself.
const GRACE_AFTER_TIMEOUT: Duration = Duration::from_secs(10);

/// A training step to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The program and its arguments, as [`expand`](super::expand) gives them. No shell is involved.
    pub command: Vec<OsString>,
    /// Added to this process's own environment, as [`Values::environment`](super::Values::environment) gives it.
    pub environment: Vec<(String, OsString)>,
    /// How long it may run; for ever if `None`.
    pub timeout: Option<Duration>,
}

impl Job {
    /// A step without a time limit and with nothing added to the environment.
    pub fn new(command: Vec<OsString>) -> Self {
        Self { command, environment: Vec::new(), timeout: None }
    }
}

/// A training step that runs, in a process group of its own.
///
/// When this is dropped the whole group is killed. When this very process dies without a chance to do that (`kill -9`),
/// the kernel kills the step's first process; its children, as the workers of a data loader, are then on their own until
/// the next start finds them ([`end_orphans`](super::end_orphans)).
#[derive(Debug)]
pub struct RunningJob {
    program: PathBuf,
    group: Group,
    finished: Finished,
    tail: Tail,
    timeout: Option<Duration>,
    started: Instant,
    ending: Option<BeingEnded>,
}

/// The group has been asked to end.
#[derive(Debug, Clone, Copy)]
struct BeingEnded {
    timed_out: bool,
    /// When it will be killed; `None` when it has been.
    kill_at: Option<Instant>,
}

impl RunningJob {
    /// Starts the step. Blocks for the few milliseconds until the program runs.
    ///
    /// # Errors
    /// [`LaunchError`], when the program is missing or cannot be executed.
    pub fn start(job: Job) -> Result<Self, LaunchError> {
        let (program, arguments) = job.command.split_first().ok_or(LaunchError::Empty)?;
        let mut command = Command::new(program);
        command.args(arguments).envs(job.environment);
        // Only this process speaks for the service.
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] {
            command.env_remove(variable);
        }
        let program = PathBuf::from(program);
        let tail = Tail::default();
        let (group, finished) =
            owner::start(command, tail.clone()).map_err(|source| LaunchError::of(program.clone(), source))?;
        Ok(Self { program, group, finished, tail, timeout: job.timeout, started: Instant::now(), ending: None })
    }

    /// Waits until the step has ended, and ends it when its time is up; by then every process of the group is dead or
    /// dying and its output has been read.
    ///
    /// May be dropped at any time, as `tokio::select!` does, and called again, also after the end. The time limit is
    /// kept only while somebody waits. Needs a runtime with its timer on.
    pub async fn wait(&mut self) -> Outcome {
        loop {
            let due = self.due();
            tokio::select! {
                biased;
                status = status(&mut self.finished) => return self.outcome(Ending::of(status)),
                () = at(due) => self.escalate(),
            }
        }
    }

    /// Ends the step: SIGTERM to the whole group, and SIGKILL to what is left of it after `grace`. A step that had
    /// already ended, or ends with exit code 0 now, keeps its outcome. May be dropped and called again like
    /// [`wait`](Self::wait).
    pub async fn stop(&mut self, grace: Duration) -> Outcome {
        let running = self.finished.borrow().is_none();
        match &mut self.ending {
            None if running => self.end(false, grace),
            // It is being ended already, perhaps because its time was up: the shorter grace counts.
            Some(BeingEnded { kill_at: Some(kill_at), .. }) => {
                *kill_at = Instant::now().checked_add(grace).map_or(*kill_at, |sooner| sooner.min(*kill_at));
            }
            _ => {}
        }
        self.wait().await
    }

    /// The newest lines of its output so far, about 20 at most.
    pub fn tail(&self) -> Vec<String> {
        self.tail.lines()
    }

    /// When something has to be done about the step; `None` when there is only waiting.
    fn due(&self) -> Option<Instant> {
        match self.ending {
            Some(ending) => ending.kill_at,
            None => self.timeout.and_then(|timeout| self.started.checked_add(timeout)),
        }
    }

    fn escalate(&mut self) {
        match &mut self.ending {
            None => self.end(true, GRACE_AFTER_TIMEOUT),
            Some(ending) => {
                ending.kill_at = None;
                tracing::warn!(program = %self.program.display(), "the program did not end when asked; killing it");
                self.group.signal(Signal::KILL);
            }
        }
    }

    fn end(&mut self, timed_out: bool, grace: Duration) {
        // A grace beyond the range of the clock is for ever.
        self.ending = Some(BeingEnded { timed_out, kill_at: Instant::now().checked_add(grace) });
        self.group.signal(Signal::TERM);
    }

    fn outcome(&self, ending: Ending) -> Outcome {
        match (self.ending, self.timeout) {
            (Some(BeingEnded { timed_out: true, .. }), Some(after)) => {
                Outcome::TimedOut { after, tail: self.tail.lines() }
            }
            _ if ending == Ending::Code(0) => Outcome::Succeeded,
            (Some(_), _) => Outcome::Stopped,
            (None, _) => Outcome::Failed(Failure { program: self.program.clone(), ending, tail: self.tail.lines() }),
        }
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        self.group.signal(Signal::KILL);
    }
}

/// The exit status once there is one; `None` if it was lost.
async fn status(finished: &mut Finished) -> Option<ExitStatus> {
    // Only a panic of the owner's thread could close the channel without a word.
    finished.wait_for(Option::is_some).await.ok().and_then(|status| *status).flatten()
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
