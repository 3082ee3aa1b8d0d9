//! Ending what an earlier training step has left running.
//!
//! A service that is killed cannot end the group of its step. The kernel ends the step's first process then; what that one
//! had started, as the Python behind a shell script, goes on, and would write the same checkpoint as the step that is
//! started in its place. Every process of a step has the run's state folder in its environment, and is found by that.

use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that holds the state folder of the run that a step belongs to.
pub const STATE_VARIABLE: &str = "GLEANER_STATE";

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A process of an earlier step lives on.
#[derive(Debug, thiserror::Error)]
#[error(
    "process {process} is of an earlier training step of {state} and does not end; two steps at once would write the same \
     checkpoint: end it by hand, or restart the machine"
)]
pub struct OrphanError {
    /// Its number.
    pub process: i32,
    /// The state folder of its run.
    pub state: String,
}

/// Kills every process of this user that has `GLEANER_STATE=state` in its environment, but for this one, and waits until
/// there is none; returns how many there were. For when no step of this run is to be running, and nobody else can start
/// one: with the lock on the state folder in hand.
///
/// Not found are processes of another user, and those that have written over their environment.
///
/// # Errors
/// [`OrphanError`] if one is still there after `patience`, as a process that waits for a dead file server may be.
pub fn end_orphans(state: &Path, patience: Duration) -> Result<usize, OrphanError> {
    let mut entry = OsString::from(STATE_VARIABLE);
    entry.push("=");
    entry.push(state);
    let deadline = Instant::now() + patience;
    let mut killed: Vec<i32> = Vec::new();
    loop {
        let left: Vec<(i32, OwnedFd)> = processes().filter_map(|process| holder(process, entry.as_bytes())).collect();
        let Some(&(process, _)) = left.first() else { return Ok(killed.len()) };
        if Instant::now() > deadline {
            return Err(OrphanError { process, state: state.display().to_string() });
        }
        for (process, handle) in &left {
            // One that has ended meanwhile is as good as killed.
            let _ = pidfd_send_signal(handle, Signal::KILL);
            if !killed.contains(process) {
                killed.push(*process);
            }
        }
        thread::sleep(PAUSE);
    }
}

/// All processes but this one; none where the system does not tell.
fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let own = std::process::id().cast_signed();
    numbers.filter(move |&number| number != own)
}

/// The process, if the entry stands in its environment. The handle is taken before that is read, so that no process that
/// got the same number later can be meant.
fn holder(process: i32, entry: &[u8]) -> Option<(i32, OwnedFd)> {
    let handle = pidfd_open(Pid::from_raw(process)?, PidfdFlags::empty()).ok()?;
    let environment = fs::read(format!("/proc/{process}/environ")).ok()?;
    environment.split(|&byte| byte == 0).any(|found| found == entry).then_some((process, handle))
}
