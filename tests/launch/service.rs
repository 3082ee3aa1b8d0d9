//! A service that is killed in the middle of a step.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gleaner::launch::RunningJob;

use super::steps::{is_alive, processes, stubborn, until};

const FILE_OF_SERVICE: &str = "GLEANER_TEST_FILE_OF_SERVICE";

/// Not a test: what `a_killed_service_takes_its_step_with_it` starts as the service.
#[tokio::test]
#[ignore = "a part of another test"]
async fn plays_the_service() {
    let Some(file) = std::env::var_os(FILE_OF_SERVICE) else { return };
    // The thread that asks for the start ends at once; the step must not end with it.
    let start = move || RunningJob::start(stubborn(Path::new(&file))).unwrap();
    let mut running = std::thread::spawn(start).join().unwrap();
    running.wait().await;
}

#[test]
fn a_killed_service_takes_its_step_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    let mut service = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "service::plays_the_service", "--ignored"])
        .env(FILE_OF_SERVICE, &file)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let all = processes(&file, 2);
    let parent_of = |process: u32| -> u32 {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let step =
        *all.iter().find(|process| parent_of(**process) == service.id()).expect("the step is the service's child");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(fs::read_link(format!("/proc/{step}/fd/0")).unwrap(), Path::new("/dev/null"));
    assert!(is_alive(step), "it outlives the thread that asked for it");
    service.kill().unwrap();
    service.wait().unwrap();
    until("the step has ended", || !is_alive(step));
    // Its child is beyond the reach of the kernel's signal, as documented; end it here.
    for process in all.into_iter().filter(|process| *process != step) {
        Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    }
}
