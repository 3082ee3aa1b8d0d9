//! Steps that are lines of shell, and what has become of their processes.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gleaner::launch::{Failure, Job, Outcome, RunningJob};

pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A step that is a line of shell.
pub(crate) fn shell(script: &str) -> Job {
    Job::new(["sh", "-c", script].map(OsString::from).to_vec())
}

/// A step that heeds no SIGTERM, with a child that does not either; both write their process numbers to `file`.
pub(crate) fn stubborn(file: &Path) -> Job {
    let file = file.display();
    shell(&format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> {file}; while :; do sleep 0.1; done' & echo $$ >> {file}; echo working; \
         while :; do sleep 0.1; done"
    ))
}

pub(crate) async fn end(job: Job) -> Outcome {
    RunningJob::start(job).unwrap().wait().await
}

pub(crate) fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("expected a failure, not {other:?}"),
    }
}

/// Whether the process runs; one that has ended and waits to be reaped does not.
pub(crate) fn is_alive(process: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    let state = stat.rsplit_once(") ").unwrap().1.chars().next().unwrap();
    !matches!(state, 'Z' | 'X')
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The process numbers in a file, once there are as many as wanted.
pub(crate) fn processes(file: &Path, count: usize) -> Vec<u32> {
    let mut found = Vec::new();
    until("the processes have started", || {
        let text = fs::read_to_string(file).unwrap_or_default();
        found = text.lines().filter_map(|line| line.parse().ok()).collect();
        found.len() == count
    });
    found
}
