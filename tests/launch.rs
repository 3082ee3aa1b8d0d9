//! The room `launch` with real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gleaner::launch::{
    Backoff, CommandError, Ending, Failure, Job, LaunchError, Outcome, Report, RunningJob, Values, check, expand,
    read_report,
};

const SOON: Duration = Duration::from_secs(10);

fn values() -> Values {
    Values {
        list: "lists/epoch 7.txt".into(),
        manifest: "lists/epoch-0007.csv".into(),
        checkpoint_in: Some("watch/epoch-0006.onnx".into()),
        checkpoint_out: "watch/epoch-0007.onnx".into(),
        scores_out: "watch/epoch-0007.scores.parquet".into(),
        report: "state/report.json".into(),
        progress: "state/progress.json".into(),
        epoch: 7,
        seed: u64::MAX,
        work_done: 42_000,
        work_planned: None,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A step that is a line of shell.
fn shell(script: &str) -> Job {
    Job::new(["sh", "-c", script].map(OsString::from).to_vec())
}

async fn end(job: Job) -> Outcome {
    RunningJob::start(job).unwrap().wait().await
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("expected a failure, not {other:?}"),
    }
}

/// Whether the process runs; one that has ended and waits to be reaped does not.
fn is_alive(process: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    let state = stat.rsplit_once(") ").unwrap().1.chars().next().unwrap();
    !matches!(state, 'Z' | 'X')
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The process numbers in a file, once there are as many as wanted.
fn processes(file: &Path, count: usize) -> Vec<u32> {
    let mut found = Vec::new();
    until("the processes have started", || {
        let text = fs::read_to_string(file).unwrap_or_default();
        found = text.lines().filter_map(|line| line.parse().ok()).collect();
        found.len() == count
    });
    found
}

#[test]
fn placeholders_are_replaced_within_their_argument() {
    let command = words(&[
        "python3",
        "--list={list}",
        "{manifest}",
        "{{literal}}",
        "e{epoch}s{seed}",
        "{work_done}/{work_planned}",
        "",
    ]);
    let expanded = expand(&command, &values()).unwrap();
    assert_eq!(
        expanded,
        [
            "python3",
            "--list=lists/epoch 7.txt",
            "lists/epoch-0007.csv",
            "{literal}",
            "e7s18446744073709551615",
            "42000/0",
            ""
        ]
    );
    let checkpoints = expand(&words(&["x", "{checkpoint_in}", "{checkpoint_out}", "{scores_out}"]), &values()).unwrap();
    let expected = ["x", "watch/epoch-0006.onnx", "watch/epoch-0007.onnx", "watch/epoch-0007.scores.parquet"];
    assert_eq!(checkpoints, expected);
}

#[test]
fn braces_without_a_name_in_them_stay() {
    let command = words(&["x", r#"{"lr": 0.1, "epoch": {epoch}}"#, "{", "a}b", "{}", "{not a name}"]);
    let expanded = expand(&command, &values()).unwrap();
    assert_eq!(expanded, ["x", r#"{"lr": 0.1, "epoch": 7}"#, "{", "a}b", "{}", "{not a name}"]);
}

#[test]
fn a_path_that_looks_like_a_placeholder_is_left_as_it_is() {
    let values = Values { list: "{epoch}.txt".into(), ..values() };
    assert_eq!(expand(&words(&["x", "{list}"]), &values).unwrap(), ["x", "{epoch}.txt"]);
}

#[test]
fn a_command_that_cannot_be_understood_is_refused_beforehand() {
    let empty = Err(CommandError::Empty { key: "trainer.command" });
    assert_eq!(check(&[]), empty);
    assert_eq!(check(&words(&["", "x"])), empty);
    let unknown = check(&words(&["x", "--out={chekpoint_out}"])).unwrap_err().to_string();
    assert!(unknown.contains("{chekpoint_out}") && unknown.contains("{checkpoint_out}"), "{unknown}");
    assert_eq!(check(&words(&["x", "{{", "}}", "{{list}}"])), Ok(()));
}

#[tokio::test]
async fn the_values_arrive_in_the_environment() {
    let mut job = shell(
        "echo \"$GLEANER_LIST|$GLEANER_MANIFEST|$GLEANER_CHECKPOINT_IN|$GLEANER_CHECKPOINT_OUT\"; \
         echo \"$GLEANER_EPOCH|$GLEANER_SEED|$GLEANER_WORK_DONE|$GLEANER_WORK_PLANNED|$GLEANER_REPORT|$GLEANER_PROGRESS|$GLEANER_SCORES_OUT\"",
    );
    job.environment = Values { work_planned: Some(300_000), ..values() }.environment();
    let mut running = RunningJob::start(job).unwrap();
    assert_eq!(running.wait().await, Outcome::Succeeded);
    assert_eq!(
        running.tail(),
        [
            "lists/epoch 7.txt|lists/epoch-0007.csv|watch/epoch-0006.onnx|watch/epoch-0007.onnx",
            "7|18446744073709551615|42000|300000|state/report.json|state/progress.json|watch/epoch-0007.scores.parquet",
        ]
    );
}

#[tokio::test]
async fn a_failure_tells_the_code_and_the_last_lines() {
    let failure = failure(end(shell("echo out; echo err >&2; read line || echo no input; exit 3")).await);
    assert_eq!((failure.ending, failure.tail.clone()), (Ending::Code(3), words(&["out", "err", "no input"])));
    assert_eq!(failure.remedy(), None);
    let text = failure.to_string();
    assert!(text.starts_with("the training step sh ended with exit code 3; its last lines:\n    out\n"), "{text}");
}

#[tokio::test]
async fn being_killed_and_missing_libraries_have_a_remedy() {
    let killed = failure(end(shell("kill -9 $$")).await);
    assert_eq!(killed.ending, Ending::Signal(9));
    assert!(killed.to_string().contains("memory"), "{killed}");
    let missing = failure(end(shell("gleaner-no-such-program")).await);
    assert_eq!(missing.ending, Ending::Code(127));
    assert!(missing.to_string().contains("run `make`"), "{missing}");
    let loader =
        "echo 'x: error while loading shared libraries: libtorch.so: cannot open shared object file' >&2; exit 1";
    assert!(failure(end(shell(loader)).await).to_string().contains("run `make`"));
}

#[tokio::test]
async fn endless_output_neither_blocks_nor_piles_up() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo \"line $i of a training step that likes to talk\"; i=$((i+1)); done; head -c 3000000 /dev/zero; exit 4";
    let failure = failure(end(shell(script)).await);
    assert_eq!((failure.ending, failure.tail.len()), (Ending::Code(4), 20));
    assert_eq!(failure.tail[18], "line 19999 of a training step that likes to talk");
    assert!(failure.tail[19].len() <= 4096);
}

#[tokio::test]
async fn a_program_that_is_not_there_or_is_none_is_named() {
    let start = |program: &Path| RunningJob::start(Job::new(vec![program.into()])).map(drop).unwrap_err();
    let missing = start(Path::new("gleaner-no-such-program"));
    assert!(matches!(missing, LaunchError::Missing { .. }), "{missing}");
    assert!(missing.to_string().starts_with("gleaner-no-such-program: there is no such program"));

    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let plain = start(&script("plain.py", "print(1)\n", 0o644));
    assert!(matches!(&plain, LaunchError::NotExecutable { program, .. } if program.ends_with("plain.py")), "{plain:?}");
    let interpreter = start(&script("odd.py", "#!/no/such/python\n", 0o755));
    assert!(matches!(interpreter, LaunchError::Interpreter { .. }), "{interpreter:?}");
    assert!(matches!(start(&folder.path().join("gone.py")), LaunchError::Missing { .. }));
    assert!(matches!(RunningJob::start(Job::new(Vec::new())), Err(LaunchError::Empty)));
}

/// A step that heeds no SIGTERM, with a child that does not either; both write their process numbers to `file`.
fn stubborn(file: &Path) -> Job {
    let file = file.display();
    shell(&format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> {file}; while :; do sleep 0.1; done' & echo $$ >> {file}; echo working; \
         while :; do sleep 0.1; done"
    ))
}

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
        .args(["--exact", "plays_the_service", "--ignored"])
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

#[test]
fn delays_double_up_to_ten_minutes() {
    let delays = |first: u64, attempts: u32| -> Vec<u64> {
        let mut backoff = Backoff::new(Duration::from_secs(first), attempts);
        std::iter::from_fn(|| backoff.next_delay()).map(|delay| delay.as_secs()).collect()
    };
    assert_eq!(delays(5, 4), [5, 10, 20]);
    assert_eq!(delays(200, 5), [200, 400, 600, 600]);
    assert_eq!(delays(3600, 2), [600]);
    assert!(delays(5, 1).is_empty() && delays(5, 0).is_empty());
}

#[test]
fn a_report_is_read_with_leniency() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("report.json");
    assert_eq!(read_report(&path), None);
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        read_report(&path)
    };
    let full = Report { images: Some(6000), skipped: Some(2), seconds: Some(12.5), loss: Some(0.25) };
    assert_eq!(read(r#"{"images": 6000, "skipped": 2, "seconds": 12.5, "loss": 0.25, "host": "gpu1"}"#), Some(full));
    assert_eq!(
        read(r#"{"images": 6000.0, "seconds": "long", "loss": null}"#),
        Some(Report { images: Some(6000), ..Report::default() })
    );
    assert_eq!(read(r#"{"images": -3, "seconds": -1}"#), Some(Report::default()));
    assert_eq!(read(r#"{"images": 0.5}"#), Some(Report::default()));
    for broken in ["", "[1, 2]", "{\"images\": 6000", "{\"loss\": NaN}"] {
        assert_eq!(read(broken), None, "{broken}");
    }
}
