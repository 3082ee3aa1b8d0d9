//! The service under a real service manager.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::graphs::skilled;
use super::manager::{Manager, skip};
use super::troubled_steps::is_alive;
use super::workshop::{BY_ITSELF, Workshop, until};

/// From the request to end until all is over.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
/// What it is at, in a line for people.
const STATUS: &str = "StatusText";

fn pipe(workshop: &Workshop, name: &str) {
    assert!(Command::new("mkfifo").arg(workshop.path(name)).status().unwrap().success());
}

/// `systemctl stop`, which must be over soon, and count as a good end.
#[track_caller]
fn stop(manager: &Manager, unit: &str) {
    let asked = Instant::now();
    manager.systemctl(&["stop", unit]);
    let took = asked.elapsed();
    assert!(took < STOPPED_WITHIN, "it took {took:?} after {}", manager.property(unit, STATUS));
    assert_eq!(manager.property(unit, "Result"), "success");
    assert_eq!(manager.property(unit, "ActiveState"), "inactive");
}

#[test]
fn a_start_is_over_when_the_first_list_stands_and_the_folder_is_watched() {
    let Some(manager) = Manager::start() else { return };
    let workshop = Workshop::new(60, BY_ITSELF);
    manager.install(&workshop, "");
    manager.systemctl(&["start", "gleaner"]);
    // No waiting here: that start has returned is all that is known.
    assert!(workshop.next_is(0));
    let watch = workshop.path("watch");
    assert_eq!(manager.property("gleaner", STATUS), format!("waiting for epoch-0000.onnx in {}", watch.display()));
    assert_eq!(manager.property("gleaner", "ActiveState"), "active");
    workshop.drop_in(0, skilled());
    manager.until("gleaner", STATUS, |text| text.starts_with("waiting for epoch-0001.onnx"));
    assert!(workshop.next_is(1));
    stop(&manager, "gleaner");
}

#[test]
fn work_that_hangs_is_started_anew_and_goes_on() {
    let Some(manager) = Manager::start() else { return };
    let workshop = Workshop::new(60, BY_ITSELF);
    manager.install(&workshop, "WatchdogSec=2s");
    manager.systemctl(&["start", "gleaner"]);
    // Reading it before the next list takes until somebody writes into it: never. Signals, timers and the watched folder
    // are looked after by another thread, which is well.
    pipe(&workshop, "lists/reviews.csv");
    workshop.drop_in(0, skilled());
    manager.until("gleaner", "NRestarts", |count| count != "0");
    assert!(!workshop.next_is(1));
    fs::remove_file(workshop.path("lists/reviews.csv")).unwrap();
    until("the next list", || workshop.next_is(1).then_some(()));
    manager.until("gleaner", STATUS, |text| text.starts_with("waiting for epoch-0001.onnx"));
    stop(&manager, "gleaner");
}

#[test]
fn long_work_that_goes_on_is_left_alone() {
    let Some(manager) = Manager::start() else { return };
    let config = "trainer: {command: [sh, train.sh, \"{checkpoint_out}\"]}\npolicy: uniform\nstop: {epochs: 1}\n\
                  hooks: {on_stop: [sleep, \"3\"]}\n";
    let workshop = Workshop::new(60, config);
    workshop.write("train.sh", "sleep 4; cp start.onnx \"$1.part\"; mv \"$1.part\" \"$1\"\n");
    manager.install(&workshop, "WatchdogSec=1s");
    manager.systemctl(&["start", "gleaner"]);
    manager.until("gleaner", "ActiveState", |state| ["inactive", "failed"].contains(&state));
    assert_eq!(manager.property("gleaner", "Result"), "success");
    assert_eq!(manager.property("gleaner", "NRestarts"), "0");
    assert!(workshop.read("config.log").contains("ended by stop.epochs: 1 epochs are done"));
}

#[test]
fn it_ends_soon_while_it_starts_and_while_it_waits() {
    let Some(manager) = Manager::start() else { return };
    let workshop = Workshop::new(60, BY_ITSELF);
    manager.install(&workshop, "");
    fs::rename(workshop.path("start.onnx"), workshop.path("graph")).unwrap();
    pipe(&workshop, "start.onnx");
    manager.systemctl(&["start", "--no-block", "gleaner"]);
    manager.until("gleaner", STATUS, |text| text.starts_with("reading"));
    stop(&manager, "gleaner");
    fs::rename(workshop.path("graph"), workshop.path("start.onnx")).unwrap();
    manager.systemctl(&["start", "gleaner"]);
    stop(&manager, "gleaner");
    assert!(workshop.next_is(0));
}

#[test]
fn it_ends_soon_while_it_scans_and_while_it_hangs() {
    let Some(manager) = Manager::start() else { return };
    let workshop =
        Workshop::new(20_000, &format!("{BY_ITSELF}policy: patent\nmine: {{quota: 1}}\nscore: {{threads: 1}}\n"));
    manager.install(&workshop, "");
    manager.systemctl(&["start", "gleaner"]);
    workshop.drop_in(0, skilled());
    manager.until("gleaner", STATUS, |text| text.starts_with("scanning"));
    stop(&manager, "gleaner");
    pipe(&workshop, "lists/reviews.csv");
    manager.systemctl(&["start", "gleaner"]);
    manager.until("gleaner", STATUS, |text| text.starts_with("choosing"));
    stop(&manager, "gleaner");
    assert!(workshop.read("config.log").contains("interrupted; the same command continues the run"));
}

#[test]
fn it_ends_soon_while_it_trains_and_takes_every_process_along() {
    let Some(manager) = Manager::start() else { return };
    let workshop = Workshop::new(60, "trainer: {command: [sh, train.sh]}\n");
    // Deaf to SIGTERM, all of them, and one has left the group.
    let script = "trap '' TERM\nsetsid sleep 600 & echo $! > daemon\necho $$ > first\nsleep 600 & echo $! > part\n\
                  mv part second; wait; sleep 600\n";
    workshop.write("train.sh", script);
    manager.install(&workshop, "");
    manager.systemctl(&["start", "gleaner"]);
    until("the training step", || workshop.path("second").exists().then_some(()));
    manager.until("gleaner", STATUS, |text| text == "training epoch 0 on 6 images");
    stop(&manager, "gleaner");
    assert!(["daemon", "first", "second"].iter().all(|process| !is_alive(&workshop, process)));
}

#[test]
fn a_reload_takes_over_what_it_may_and_names_the_rest() {
    let Some(manager) = Manager::start() else { return };
    let workshop = Workshop::new(60, &format!("{BY_ITSELF}stop: {{epochs: 9}}\n"));
    manager.install(&workshop, "");
    manager.systemctl(&["start", "gleaner"]);
    let said = |text: &str| until(text, || workshop.read("config.log").contains(text).then_some(()));
    let config = workshop.read("config.yaml");
    workshop.write("config.yaml", config.replace("epochs: 9", "epoch: 1"));
    manager.systemctl(&["reload", "gleaner"]);
    said("there is no key stop.epoch; did you mean stop.epochs?");
    workshop.write("config.yaml", config.replace("epochs: 9", "epochs: 1").replace("seed: 3", "seed: 4"));
    manager.systemctl(&["reload", "gleaner"]);
    said("the config was read anew taken_over=\"stop.epochs\"");
    said("stay as they were; start the service anew for them keys=\"seed\"");
    manager.until("gleaner", "ActiveState", |state| state == "active");
    // The new rule ends the run, and the seed is still the one that the ledger knows.
    workshop.drop_in(0, skilled());
    manager.until("gleaner", "ActiveState", |state| state == "inactive");
    said("ended by stop.epochs: 1 epochs are done");
    assert_eq!((manager.property("gleaner", "Result").as_str(), workshop.next_is(0)), ("success", true));
}

#[test]
fn instances_run_side_by_side() {
    let Some(manager) = Manager::start() else { return };
    let workshop = Workshop::new(60, BY_ITSELF);
    let config = workshop.read("config.yaml");
    for (instance, seed) in [("one", "seed: 3"), ("two", "seed: 4")] {
        workshop.write(&format!("{instance}.yaml"), config.replace("seed: 3", seed));
        fs::create_dir(workshop.path(instance)).unwrap();
        for name in ["pool.txt", "validation.txt", "start.onnx"] {
            symlink(workshop.path(name), workshop.path(&format!("{instance}/{name}"))).unwrap();
        }
    }
    manager.install(&workshop, "");
    manager.systemctl(&["start", "gleaner@one", "gleaner@two"]);
    let list = |instance: &str| workshop.read(&format!("{instance}/lists/next.txt"));
    assert_ne!(list("one"), list("two"), "each has its own config");
    stop(&manager, "gleaner@one");
    assert_eq!(manager.property("gleaner@two", "ActiveState"), "active");
    stop(&manager, "gleaner@two");
}

#[test]
fn a_run_that_fails_stays_failed_and_says_why() {
    let Some(manager) = Manager::start() else { return };
    let workshop = Workshop::new(60, "trainer: {command: [sh, -c, exit 9], attempts: 1}\n");
    manager.install(&workshop, "");
    manager.systemctl(&["start", "gleaner"]);
    manager.until("gleaner", "ActiveState", |state| state == "failed");
    let status = manager.property("gleaner", STATUS);
    assert!(status.starts_with("failed: the training step of epoch 0 failed 1 times"), "{status}");
    assert_eq!(manager.property("gleaner", "NRestarts"), "0", "what is wrong stays wrong");
}

#[test]
fn the_units_are_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let plain = fs::read_to_string(units.join("gleaner.service")).unwrap();
    let template = fs::read_to_string(units.join("gleaner@.service")).unwrap();
    let of_instance = [
        ("gleaner:", "gleaner %i:"),
        ("gleaner.yaml", "%i.yaml"),
        ("/lib/gleaner", "/lib/gleaner/%i"),
        ("ry=gleaner", "ry=gleaner/%i"),
    ];
    let expected = of_instance.iter().fold(plain.clone(), |unit, (from, to)| unit.replace(from, to));
    assert_eq!(template, expected, "the template is the same for each instance");
    // With and without the drop-in for a GPU.
    for (unit, drop_in) in [("cpu.service", None), ("gpu.service", Some("cuda.conf"))] {
        fs::write(folder.path().join(unit), &plain).unwrap();
        if let Some(drop_in) = drop_in {
            let place = folder.path().join(format!("{unit}.d"));
            fs::create_dir(&place).unwrap();
            fs::copy(units.join(drop_in), place.join(drop_in)).unwrap();
        }
        let exposure = exposure(&folder.path().join(unit));
        assert!(exposure.is_none_or(|exposure| exposure <= 3.0), "{unit}: {exposure:?}");
    }
}

/// What `systemd-analyze security` makes of a unit, from 0 to 10; `None`, said aloud, where it cannot be asked.
fn exposure(unit: &Path) -> Option<f64> {
    let mut analysis = Command::new("systemd-analyze");
    let output = analysis.args(["security", "--offline=true", "--no-pager"]).arg(unit).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        skip("how exposed the units are is not tested: there is no systemd-analyze security --offline");
        return None;
    };
    let said = String::from_utf8(output.stdout).unwrap();
    let level = said.split("Overall exposure level for").nth(1).unwrap();
    level.split_whitespace().find_map(|word| word.parse().ok())
}
