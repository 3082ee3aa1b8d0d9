//! The thread that owns a child process from its start to its end.
//!
//! One thread for each step, and not a task of the runtime, for two reasons. The kernel sends the parent-death signal
//! when the *thread* that started the child ends, and threads of a runtime come and go. And the group can only be
//! signalled safely while its leader is still to be reaped, because until then no stranger can get its number; so
//! whoever signals and whoever reaps have to agree.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getppid, kill_process_group, set_parent_process_death_signal, waitid,
};
use tokio::sync::watch;

use super::output::{Tail, forward};

/// How long the end of a step waits for the rest of its output. Only a process that left the group can still hold the
/// pipe by then.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A process group that can be signalled as long as it is ours.
#[derive(Debug, Clone)]
pub(super) struct Group(Arc<Mutex<Option<Pid>>>);

impl Group {
    /// Signals every process in the group; nothing happens once its leader has been reaped.
    pub(super) fn signal(&self, signal: Signal) {
        let leader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leader) = *leader {
            kill(leader, signal);
        }
    }

    /// Ends what is left of the group and reaps the leader.
    fn close(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut leader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leader) = leader.take() {
            kill(leader, Signal::KILL);
        }
        child.wait()
    }
}

fn kill(leader: Pid, signal: Signal) {
    // "No such process" is the usual answer when all have ended, and then there is nothing to do.
    if let Err(error) = kill_process_group(leader, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, ?signal, "the process group of the program cannot be signalled");
    }
}

/// What the owner tells of its child: `None` while it runs, then its exit status if that could be had.
pub(super) type Finished = watch::Receiver<Option<Option<ExitStatus>>>;

/// Starts the command in a group of its own, on a thread of its own.
pub(super) fn start(command: Command, tail: Tail) -> io::Result<(Group, Finished)> {
    let (started, wait_for_start) = mpsc::channel();
    let (finish, finished) = watch::channel(None);
    thread::Builder::new().name("child".to_owned()).spawn(move || {
        match spawn(command, &tail) {
            Ok((mut child, output)) => {
                let group = Group(Arc::new(Mutex::new(Some(Pid::from_child(&child)))));
                // Whoever asked may be gone; the child is still to be waited for.
                let _ = started.send(Ok(group.clone()));
                wait_without_reaping(&child);
                let status = group.close(&mut child);
                if let Err(error) = &status {
                    tracing::warn!(%error, "the exit status of the program is lost");
                }
                let _ = output.recv_timeout(LAST_WORDS);
                let _ = finish.send(Some(status.ok()));
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    })?;
    let group = wait_for_start.recv().map_err(|_| io::Error::other("the thread that starts the program ended"))??;
    Ok((group, finished))
}

/// The child, and a channel that closes when its output has been read to the end.
fn spawn(mut command: Command, tail: &Tail) -> io::Result<(Child, mpsc::Receiver<()>)> {
    // One pipe for both streams keeps their lines in the order in which they were written.
    let (output, input) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input).process_group(0);
    let parent = Pid::from_raw(i32::try_from(std::process::id()).unwrap_or_default());
    // The one thing the safe interface lacks: a word to the kernel between fork and exec.
    // SAFETY: between fork and exec only two system calls are made, and nothing is allocated.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the line above.
            if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
    }
    // Before the child, which would be left alone if there were no thread to be had.
    let (reading, read) = mpsc::channel();
    let tail = tail.clone();
    thread::Builder::new().name("child-output".to_owned()).spawn(move || {
        forward(output, &tail);
        drop(reading);
    })?;
    // Our ends of the pipe for writing go with the command, at the end of this function; the output ends with the
    // last process that holds one.
    let child = command.spawn()?;
    Ok((child, read))
}

fn wait_without_reaping(child: &Child) {
    let leader = WaitId::Pid(Pid::from_child(child));
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(error) = waitid(leader.clone(), options) {
        if error != rustix::io::Errno::INTR {
            return;
        }
    }
}
