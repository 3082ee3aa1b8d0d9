//! How a step is ended, and all that it has started with it.

use std::process::Command;
use std::time::{Duration, Instant};

use gleaner::launch::{Ending, Outcome, RunningJob};

use super::steps::{SOON, end, failure, is_alive, processes, shell, stubborn, until, words};

#[tokio::test]
async fn a_step_that_hangs_is_ended_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    let mut running = RunningJob::start(stubborn(&file)).unwrap();
    let all = processes(&file, 2);
    let begun = Instant::now();
    // A dropped wait loses nothing.
    assert!(tokio::time::timeout(Duration::from_millis(50), running.wait()).await.is_err());
    assert_eq!(running.stop(Duration::from_millis(300)).await, Outcome::Stopped);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(350) && took < SOON, "{took:?}");
    until("all have ended", || !all.iter().any(|process| is_alive(*process)));
    assert_eq!(running.wait().await, Outcome::Stopped, "the outcome can be asked for again");
}

#[tokio::test]
async fn a_step_ends_when_its_time_is_up() {
    let mut job = shell("echo begun; sleep 1000");
    job.timeout = Some(Duration::from_millis(300));
    let mut running = RunningJob::start(job).unwrap();
    // Woken again and again, as in a busy loop of the service: the limit still counts from the start.
    let outcome = loop {
        if let Ok(outcome) = tokio::time::timeout(Duration::from_millis(20), running.wait()).await {
            break outcome;
        }
    };
    assert_eq!(outcome, Outcome::TimedOut { after: Duration::from_millis(300), tail: words(&["begun"]) });
    assert!(outcome.to_string().contains("trainer.timeout"));
}

#[tokio::test]
async fn a_stop_shortens_the_grace_of_a_step_that_timed_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    let mut job = stubborn(&file);
    job.timeout = Some(Duration::from_millis(100));
    let mut running = RunningJob::start(job).unwrap();
    processes(&file, 2);
    assert!(tokio::time::timeout(Duration::from_millis(300), running.wait()).await.is_err());
    let begun = Instant::now();
    assert!(matches!(running.stop(Duration::ZERO).await, Outcome::TimedOut { .. }));
    assert!(begun.elapsed() < Duration::from_secs(5), "not the ten seconds a time-out gives");
}

#[tokio::test]
async fn a_step_that_saves_its_work_when_asked_to_stop_has_succeeded() {
    let mut running = RunningJob::start(shell("trap 'exit 0' TERM; echo set; while :; do sleep 0.05; done")).unwrap();
    until("the trap is set", || running.tail() == ["set"]);
    assert_eq!(running.stop(SOON).await, Outcome::Succeeded);

    let mut ended = RunningJob::start(shell("exit 3")).unwrap();
    assert_eq!(failure(ended.wait().await).ending, Ending::Code(3));
    assert_eq!(failure(ended.stop(SOON).await).ending, Ending::Code(3), "what had ended by itself was not stopped");
}

#[tokio::test]
async fn what_a_step_leaves_running_is_ended_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    // The daemon holds the pipe as well, which must not keep the step from ending.
    let script = format!(
        "(trap '' TERM HUP; sleep 1000 & echo $! >> {0}; wait) & while ! [ -s {0} ]; do sleep 0.01; done",
        file.display()
    );
    assert_eq!(end(shell(&script)).await, Outcome::Succeeded);
    let left = processes(&file, 1);
    until("the daemon has ended", || !is_alive(left[0]));
}

#[tokio::test]
async fn a_process_outside_the_group_does_not_hold_the_end_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    let script = format!("setsid sleep 30 & echo $! > {}; sleep 0.2", file.display());
    let begun = Instant::now();
    assert_eq!(end(shell(&script)).await, Outcome::Succeeded);
    assert!(begun.elapsed() < SOON, "the pipe it holds is not waited for");
    for process in processes(&file, 1) {
        Command::new("kill").arg(process.to_string()).status().unwrap();
    }
}

#[tokio::test]
async fn dropping_a_step_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    let running = RunningJob::start(stubborn(&file)).unwrap();
    let all = processes(&file, 2);
    assert!(all.iter().all(|process| is_alive(*process)));
    drop(running);
    until("all have ended", || !all.iter().any(|process| is_alive(*process)));
}
