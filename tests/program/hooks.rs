//! Hooks, and what is said of a run that cannot go on.

use super::troubled_steps::is_alive;
use super::workshop::{Workshop, until};

const GOOD: &str = "cp start.onnx \"$1.part\"; mv \"$1.part\" \"$1\"\n";
const TRAINER: &str = "trainer: {command: [sh, train.sh, \"{checkpoint_out}\"], attempts: 1}\npolicy: uniform\n";

fn workshop(config: &str, trainer: &str) -> Workshop {
    let workshop = Workshop::new(60, &format!("{TRAINER}{config}"));
    workshop.write("train.sh", trainer);
    workshop
}

/// What the ledger tells of hooks.
fn complaints(workshop: &Workshop) -> Vec<String> {
    let status = workshop.status();
    let events = status["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "hook");
    events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn hooks_are_told_of_every_list_and_of_the_end_once() {
    let config = r#"
stop: {epochs: 2}
hooks:
  on_publish: [sh, note.sh, "{event} {epoch} {{x}}", "{list}", "{manifest}", "[{reason}]"]
  on_stop: [sh, note.sh, "{event} {epoch}", "{list}", "{manifest}", "{reason}"]
  on_failure: [touch, failed]
"#;
    let workshop = workshop(config, GOOD);
    let note = "printf '%s\\n' \"$@\" >> told\n\
                echo \"$GLEANER_EVENT|$GLEANER_EPOCH|$GLEANER_LIST|$GLEANER_MANIFEST|$GLEANER_REASON\" >> environment\n\
                [ \"$GLEANER_EVENT\" != published ] || cmp \"$GLEANER_LIST\" lists/next.txt >&2\n";
    workshop.write("note.sh", note);
    workshop.serve().end().well();
    let list = |epoch: u32, end: &str| workshop.path(&format!("lists/epoch-000{epoch}.{end}")).display().to_string();
    let (mut told, mut environment) = (String::new(), String::new());
    for epoch in 0..2 {
        let (txt, csv) = (list(epoch, "txt"), list(epoch, "csv"));
        told += &format!("published {epoch} {{x}}\n{txt}\n{csv}\n[]\n");
        environment += &format!("published|{epoch}|{txt}|{csv}|\n");
    }
    let (txt, csv, reason) = (list(1, "txt"), list(1, "csv"), "stop.epochs: 2 epochs are done");
    told += &format!("stopped 1\n{txt}\n{csv}\n{reason}\n");
    environment += &format!("stopped|1|{txt}|{csv}|{reason}\n");
    assert_eq!(workshop.read("told"), told);
    assert_eq!(workshop.read("environment"), environment);
    assert_eq!(complaints(&workshop), [""; 0]);
    // It is over already: nothing happens any more.
    workshop.serve().end().well();
    assert_eq!(workshop.read("told"), told);
    assert!(!workshop.path("failed").exists());
}

#[test]
fn a_hook_that_fails_or_is_missing_is_told_of_and_the_run_goes_on() {
    let workshop = workshop(
        "stop: {epochs: 1}\nhooks: {on_publish: [sh, -c, echo no mail >&2; exit 7], on_stop: [no-such]}\n",
        GOOD,
    );
    let said = workshop.serve().end();
    assert!(said.log.contains("a hook failed"), "{}", said.log);
    assert!(said.well().contains("ended by stop.epochs: 1 epochs are done"));
    let told = complaints(&workshop);
    assert!(
        told[0].starts_with("hooks.on_publish: sh ended with exit code 7") && told[0].contains("no mail"),
        "{told:?}"
    );
    assert!(told[1].starts_with("hooks.on_stop: no-such: there is no such program"), "{told:?}");
    assert_eq!(told.len(), 2);
    let check = workshop.run(&["check", "-c", "config.yaml"]);
    assert!(
        check.out.contains("hooks.on_stop: there is no program no-such; install it or name its path"),
        "{}",
        check.out
    );
}

#[test]
fn a_hook_that_hangs_is_ended_with_all_its_processes() {
    let hook = "hooks: {on_publish: [sh, -c, echo $$ > first; sleep 600 & echo $! > second; wait], timeout: 1s}\n";
    let workshop = workshop(&format!("stop: {{epochs: 1}}\n{hook}"), GOOD);
    workshop.serve().end().well();
    assert!(!is_alive(&workshop, "first") && !is_alive(&workshop, "second"));
    let told = complaints(&workshop);
    assert!(told.len() == 1 && told[0].starts_with("hooks.on_publish: did not end within 1s"), "{told:?}");
}

#[test]
fn a_hook_does_not_keep_the_service_from_ending() {
    let workshop = workshop("hooks: {on_publish: [sh, -c, echo $$ > part; mv part first; sleep 600]}\n", GOOD);
    let mut service = workshop.serve();
    service.until("the hook", || workshop.path("first").exists().then_some(()));
    assert!(service.stop().well().contains("interrupted"));
    until("the hook's end", || (!is_alive(&workshop, "first")).then_some(()));
}

#[test]
fn a_run_that_cannot_go_on_is_failed_until_the_next_start() {
    let hooks =
        "hooks: {on_failure: [sh, -c, 'printf \"%s\\n\" \"$@\" > told', sh, \"{event} {epoch}\", \"{reason}\"]}\n";
    let workshop = workshop(&format!("stop: {{epochs: 1}}\n{hooks}"), "printf 'no mem\\0ory\\n' >&2; exit 9\n");
    let said = workshop.serve().end().badly();
    let reason = &said[said.rfind("gleaner: ").unwrap() + "gleaner: ".len()..];
    assert!(
        reason.starts_with("the training step of epoch 0 failed 1 times") && reason.contains("no mem\0ory"),
        "{reason}"
    );
    assert_eq!(workshop.read("told"), format!("failed 0\n{}", reason.replace('\0', "")));
    let status = workshop.status();
    assert_eq!(status["standing"], "epoch 0 is published, its checkpoint is awaited", "where the next start goes on");
    assert_eq!(status["failed"]["reason"], reason.trim_end());
    let text = workshop.run(&["status", "-c", "config.yaml"]).well();
    let time = status["failed"]["time"].as_str().unwrap();
    assert!(text.contains(&format!("\nfailed    at {time}, until it is started again: {reason}")), "{text}");
    // The event of the kind stays, the failure does not.
    workshop.write("train.sh", format!("touch trying; while [ ! -e go ]; do sleep 0.02; done\n{GOOD}"));
    let mut service = workshop.serve();
    service.until("the next attempt", || workshop.path("trying").exists().then_some(()));
    let status = workshop.status();
    assert!(status["failed"].is_null());
    assert!(!workshop.run(&["status", "-c", "config.yaml"]).well().contains("\nfailed "));
    assert!(status["events"].as_array().unwrap().iter().any(|event| event["kind"] == "failed"));
    workshop.write("go", "");
    assert!(service.end().well().contains("ended by stop.epochs: 1 epochs are done"));
}
