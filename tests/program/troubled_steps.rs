//! Training steps that fail, hang, or are interrupted.

use std::fs;
use std::time::{Duration, Instant};

use super::graphs::skilled;
use super::workshop::{Workshop, until};

const CONFIG: &str = "
trainer: {command: [sh, train.sh, \"{checkpoint_out}\"], attempts: 2, backoff: 100ms}
policy: uniform
stop: {epochs: 2}
";
const GOOD: &str = "cp start.onnx \"$1.part\"; mv \"$1.part\" \"$1\"\n";

fn workshop(script: &str) -> Workshop {
    let workshop = Workshop::new(100, CONFIG);
    workshop.write("train.sh", script);
    workshop
}

/// What the ledger tells of failed steps.
fn events(workshop: &Workshop) -> Vec<String> {
    let status = workshop.status();
    let events = status["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "trainer");
    events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_step_that_fails_once_is_tried_again() {
    let workshop = workshop(&format!("if ! [ -e tried ]; then touch tried; echo no luck >&2; exit 3; fi\n{GOOD}"));
    let said = workshop.serve().end();
    assert!(said.log.contains("no luck"), "what the trainer says is in the log:\n{}", said.log);
    assert!(said.well().contains("ended by stop.epochs: 2 epochs are done"));
    let events = events(&workshop);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("epoch 0: ") && events[0].contains("exit code 3"), "{events:?}");
    assert_eq!(workshop.status()["epochs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_step_that_fails_for_good_ends_the_run_and_loses_nothing() {
    let failing =
        "echo step >> steps; for line in $(seq 30); do echo \"line $line\"; done; echo no memory >&2; exit 9\n";
    let workshop = workshop(failing);
    let said = workshop.serve().end().badly();
    let message = &said[said.rfind("gleaner: ").unwrap()..];
    assert!(message.contains("the training step of epoch 0 failed 2 times"), "{message}");
    assert!(message.contains("exit code 9"), "{message}");
    assert!(message.contains("line 30\n") && message.contains("no memory"), "its last lines: {message}");
    assert!(!message.contains("line 2\n"), "and only those: {message}");
    assert_eq!(workshop.read("steps").lines().count(), 2);
    assert!(workshop.next_is(0));
    let before = workshop.bytes("lists/epoch-0000.csv");
    workshop.write("train.sh", GOOD);
    assert!(workshop.serve().end().well().contains("ended by stop.epochs"));
    assert_eq!(workshop.bytes("lists/epoch-0000.csv"), before);
}

#[test]
fn a_step_that_leaves_nothing_or_rubbish_has_failed() {
    let nothing = workshop("exit 0\n");
    let said = nothing.serve().end().badly();
    let out = nothing.path("watch/epoch-0000.onnx");
    assert!(said.contains(&format!("it ended well but left no {}", out.display())), "{said}");

    let rubbish = workshop(&format!("if [ -e tried ]; then {GOOD} else touch tried; echo rubbish > \"$1\"; fi\n"));
    rubbish.serve().end().well();
    let events = events(&rubbish);
    assert!(events.len() == 1 && events[0].contains("not an ONNX file or truncated"), "{events:?}");
    assert_eq!(fs::read_dir(rubbish.path("watch/rejected")).unwrap().count(), 1, "put aside, not lost");

    let other = workshop(&format!("if [ -e tried ]; then {GOOD} else touch tried; cp seven.onnx \"$1\"; fi\n"));
    other.new_graph(7, "seven.onnx");
    other.serve().end().well();
    assert!(other.status()["rejected"][0]["reason"].as_str().unwrap().contains("it tells 7 classes apart"));
}

#[test]
fn a_step_that_hangs_is_ended_with_all_its_processes() {
    let hanging = format!(
        "if [ -e tried ]; then {GOOD} else echo $$ > first; touch tried; sleep 600 & echo $! > second; wait; fi\n"
    );
    let workshop = workshop(&hanging);
    let run = ["run", "-c", "config.yaml", "--set", "trainer.timeout=1s"];
    workshop.run(&run).well();
    assert!(!is_alive(&workshop, "first") && !is_alive(&workshop, "second"));
    let events = events(&workshop);
    assert!(events.len() == 1 && events[0].contains("did not end within 1s"), "{events:?}");
}

#[test]
fn a_signal_ends_the_service_and_its_trainer_and_the_next_start_continues() {
    // Both the shell and its child are deaf to SIGTERM.
    let deaf = "trap '' TERM\necho $$ > first; sleep 600 & echo $! > part; mv part second\nwait; sleep 600\n";
    let workshop = workshop(deaf);
    let mut service = workshop.serve();
    service.until("the trainer", || workshop.path("second").exists().then_some(()));
    let asked = Instant::now();
    let said = service.stop();
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    assert!(said.well().contains("interrupted; the same command continues the run"));
    until("the trainer's end", || (!is_alive(&workshop, "first") && !is_alive(&workshop, "second")).then_some(()));
    assert!(workshop.next_is(0));
    workshop.write("train.sh", GOOD);
    assert!(workshop.serve().end().well().contains("ended by stop.epochs: 2 epochs are done"));
    assert!(events(&workshop).is_empty(), "an interruption is no failure");
}

#[test]
fn a_killed_service_takes_its_trainer_along() {
    let workshop = workshop("echo $$ > first.part; mv first.part first; exec sleep 600\n");
    let mut service = workshop.serve();
    service.until("the trainer", || workshop.path("first").exists().then_some(()));
    assert!(is_alive(&workshop, "first"));
    service.kill();
    until("the trainer's end", || (!is_alive(&workshop, "first")).then_some(()));
    workshop.write("train.sh", GOOD);
    assert!(workshop.serve().end().well().contains("ended by stop.epochs: 2 epochs are done"));
}

#[test]
fn a_checkpoint_that_stands_before_its_epoch_was_trained_is_put_aside() {
    // Trains one epoch and leaves the checkpoint of the next one as well.
    let ahead = "echo $GLEANER_EPOCH >> runs; cp start.onnx \"$1.part\"; mv \"$1.part\" \"$1\"\n\
                 if [ $GLEANER_EPOCH = 0 ]; then cp ahead.onnx watch/epoch-0001.onnx; fi\n";
    let workshop = workshop(ahead);
    workshop.write("ahead.onnx", skilled());
    assert!(workshop.serve().end().well().contains("ended by stop.epochs: 2 epochs are done"));
    assert_eq!(workshop.read("runs"), "0\n1\n", "each list is trained on");
    let reasons = workshop.rejections();
    assert!(reasons.len() == 1 && reasons[0].contains("before epoch 1 was trained"), "{reasons:?}");
    assert_eq!(fs::read_dir(workshop.path("watch/rejected")).unwrap().count(), 1, "put aside, not lost");
}

#[test]
fn what_a_killed_step_has_saved_so_far_is_not_taken_for_its_work() {
    // Saves in place, as soon as it can, and would go on training.
    let early =
        "echo run >> runs; cp start.onnx \"$1\"; [ $(wc -l < runs) -gt 1 ] || { touch saved; exec sleep 600; }\n";
    let workshop = workshop(early);
    let mut service = workshop.serve();
    service.until("the early checkpoint", || workshop.path("saved").exists().then_some(()));
    service.kill();
    assert!(workshop.path("watch/epoch-0000.onnx").exists());
    assert!(workshop.serve().end().well().contains("ended by stop.epochs: 2 epochs are done"));
    assert_eq!(workshop.read("runs").lines().count(), 3, "epoch 0 anew, and epoch 1");
}

#[test]
fn what_a_killed_service_leaves_running_is_ended_by_the_next_start() {
    // The kernel ends the shell with the service, but not what the shell has started; a daemon has left the group as well.
    let script = "setsid sleep 600 & echo $! > daemon\nsleep 600 & echo $! > part; mv part child; wait\n";
    let workshop = workshop(script);
    let mut service = workshop.serve();
    service.until("the trainer", || workshop.path("child").exists().then_some(()));
    service.kill();
    assert!(is_alive(&workshop, "child") && is_alive(&workshop, "daemon"), "or else there is nothing to show");
    // A command that only reads leaves them alone, for the service might be running.
    workshop.status();
    assert!(is_alive(&workshop, "child"));
    // A process that has ended and waits to be reaped still has a number.
    let look = "for p in child daemon; do case $(sed 's/.*) //' /proc/$(cat $p)/stat) in ''|[ZX]*) ;; *) echo $p >> alive; esac; done";
    workshop.write("train.sh", format!("{look}\n{GOOD}"));
    let said = workshop.serve().end();
    assert!(said.log.contains("they were left by a training step"), "{}", said.log);
    said.well();
    assert!(!workshop.path("alive").exists(), "{}", workshop.read("alive"));
}

#[test]
fn a_step_that_fails_leaves_no_process_and_no_temporary_file() {
    let script = format!(
        "if [ -e tried ]; then {GOOD} else touch tried; setsid sleep 600 & echo $! > daemon\n\
         touch watch/.gleaner-tmp-1-epoch-0000.onnx state/.gleaner-tmp-1-x; exit 1; fi\n\
         [ -z \"$(ls watch/.gleaner-tmp-* state/.gleaner-tmp-*)\" ] || echo leftovers > leftovers\n"
    );
    let workshop = workshop(&script);
    workshop.serve().end().well();
    assert!(!is_alive(&workshop, "daemon"));
    assert!(
        !workshop.path("leftovers").exists(),
        "{:?}",
        fs::read_dir(workshop.path("watch")).unwrap().collect::<Vec<_>>()
    );
    assert_eq!(events(&workshop).len(), 1);
}

/// Whether the process whose number stands in this file runs; one that has ended and waits to be reaped does not.
pub(crate) fn is_alive(workshop: &Workshop, file: &str) -> bool {
    let process = workshop.read(file);
    let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", process.trim())) else { return false };
    let state = stat.rsplit_once(") ").unwrap().1.chars().next().unwrap();
    !matches!(state, 'Z' | 'X')
}
