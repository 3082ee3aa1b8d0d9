//! Telling others what has happened: programs of the user's, started when a list is published and when the run ends.
//!
//! The loop waits for a hook, so that hooks come one after the other, but never longer than `hooks.timeout`; and whatever
//! becomes of it, the run goes on.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::Signals;
use crate::config::{Config, HOOK_PLACEHOLDERS};
use crate::launch::{self, Failure, Job, Outcome, Placeholders, RunningJob};
use crate::lists::Format;
use crate::settings;
use crate::systemd;

/// How long a hook may take to end after SIGTERM when the service ends.
const GRACE: Duration = Duration::from_secs(1);

/// Longer reasons are cut for hooks: the system takes no argument of more than 128 KiB.
const LONGEST_REASON: usize = 8192;

/// Something that a hook is told of.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A list is published.
    Published,
    /// A stop rule has ended the run, for this reason.
    Stopped(String),
    /// The run cannot go on, for this reason.
    Failed(String),
}

/// What a hook is told.
struct Values {
    event: Event,
    epoch: Option<u32>,
    list: PathBuf,
    manifest: PathBuf,
}

impl Placeholders for Values {
    fn key(&self) -> &'static str {
        match self.event {
            Event::Published => "hooks.on_publish",
            Event::Stopped(_) => "hooks.on_stop",
            Event::Failed(_) => "hooks.on_failure",
        }
    }

    fn names(&self) -> &'static [&'static str] {
        &HOOK_PLACEHOLDERS
    }

    fn get(&self, name: &str) -> Option<OsString> {
        let (word, reason) = match &self.event {
            Event::Published => ("published", ""),
            Event::Stopped(reason) => ("stopped", reason.as_str()),
            Event::Failed(reason) => ("failed", reason.as_str()),
        };
        Some(match name {
            "event" => word.into(),
            "epoch" => self.epoch.map(|epoch| epoch.to_string()).unwrap_or_default().into(),
            "list" => self.list.clone().into(),
            "manifest" => self.manifest.clone().into(),
            // Nor one with a zero byte, as the last words of a training step may have.
            "reason" => reason.chars().filter(|&letter| letter != '\0').take(LONGEST_REASON).collect::<String>().into(),
            _ => return None,
        })
    }
}

/// Runs the hook for an event, if the config has one; `epoch` is that of the newest list. What is wrong with the hook is
/// logged, and returned in words.
pub(super) async fn run(config: &Config, event: Event, epoch: Option<u32>, signals: &mut Signals) -> Option<String> {
    let hooks = &config.hooks;
    let command = match event {
        Event::Published => &hooks.on_publish,
        Event::Stopped(_) => &hooks.on_stop,
        Event::Failed(_) => &hooks.on_failure,
    };
    let command = command.as_ref()?;
    let path = |format: Format| epoch.map(|epoch| config.lists.folder.join(format.epoch_name(epoch)));
    let list = path(settings::list_format(config)).unwrap_or_default();
    let values = Values { event, epoch, list, manifest: path(Format::Csv).unwrap_or_default() };
    let fault = attempt(command, &values, hooks.timeout, signals).await.err()?;
    let fault = format!("{}: {fault}", values.key());
    tracing::warn!(fault, "a hook failed; the run is none the worse for it");
    Some(fault)
}

async fn attempt(command: &[String], values: &Values, timeout: Duration, signals: &mut Signals) -> Result<(), String> {
    let mut job = Job::new(launch::expand(command, values).map_err(|error| error.to_string())?);
    job.environment = values.variables();
    job.timeout = Some(timeout);
    let mut running = RunningJob::start(job).map_err(|error| error.to_string())?;
    let ended = systemd::waiting(async {
        tokio::select! {
            outcome = running.wait() => Some(outcome),
            () = signals.shutdown.wait() => None,
        }
    });
    match ended.await {
        None => {
            running.stop(GRACE).await;
            Ok(())
        }
        Some(Outcome::Succeeded | Outcome::Stopped) => Ok(()),
        Some(Outcome::Failed(Failure { program, ending, tail })) => {
            Err(format!("{} {ending}{}", program.display(), last_lines(&tail)))
        }
        Some(Outcome::TimedOut { after, tail }) => Err(format!(
            "did not end within {after:?} and was ended; raise hooks.timeout if it only needed longer{}",
            last_lines(&tail)
        )),
    }
}

fn last_lines(tail: &[String]) -> String {
    if tail.is_empty() { String::new() } else { format!("; its last lines:\n    {}", tail.join("\n    ")) }
}
