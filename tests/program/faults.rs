//! What goes wrong around a run that is well: disks, clocks, files that others have damaged. FAULTS.md has the whole table.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::graphs::skilled;
use super::small_disk::SmallDisk;
use super::workshop::{BY_ITSELF, Running, Workshop, images};

/// A trainer that hands its graph on.
const HAND_ON: &str = "cp start.onnx \"$1.part\"; mv \"$1.part\" \"$1\"\n";

/// With its state in a folder, and the first list published.
fn standing(folder: &Path) -> Workshop {
    let workshop = Workshop::new(200, &format!("{BY_ITSELF}state: {{folder: {}}}\n", folder.display()));
    begin(&workshop);
    workshop
}

fn begin(workshop: &Workshop) {
    let mut service = workshop.serve();
    service.until_awaited(0);
    service.stop().well();
}

/// Mounts a disk that is mounted already with another option, `ro` or `rw`.
fn remount(disk: &SmallDisk, option: &str) {
    let mut command = Command::new("mount");
    command.args(["-o", &format!("remount,{option}")]).arg(disk.path());
    assert!(command.status().unwrap().success());
}

#[test]
fn a_state_folder_that_can_only_be_read() {
    let Some(disk) = SmallDisk::mount("size=4m") else { return };
    let workshop = standing(&disk.path().join("state"));
    let before = workshop.bytes("lists/next.txt");
    remount(&disk, "ro");
    workshop.drop_in(0, skilled());
    let said = workshop.serve().end().badly();
    assert!(said.contains(&format!("{}", disk.path().join("state").display())), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    let status = workshop.status();
    assert_eq!(status["standing"], "epoch 0 is published, its checkpoint is awaited");
    assert_eq!(workshop.bytes("lists/next.txt"), before);
    remount(&disk, "rw");
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    service.stop().well();
}

#[test]
fn a_damaged_ledger_or_table_of_samples_is_refused_with_the_way_out() {
    let workshop = Workshop::new(200, BY_ITSELF);
    begin(&workshop);
    workshop.drop_in(0, skilled());
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    service.stop().well();
    workshop.drop_in(1, skilled());
    for name in ["state/samples.parquet", "state/ledger.sqlite"] {
        let whole = workshop.bytes(name);
        let mut damaged = whole.clone();
        damaged[whole.len() / 3..][..whole.len() / 3].fill(0xa5);
        workshop.write(name, &damaged);
        let said = workshop.serve().end().badly();
        assert!(said.contains(&format!("{}: ", workshop.path(name).display())), "{said}");
        assert!(said.contains("put back") || said.contains("move"), "what to do: {said}");
        assert!(workshop.next_is(1), "the last good list stays");
        let status = workshop.run(&["status", "-c", "config.yaml"]);
        if name.contains("ledger") {
            assert!(status.badly().contains("ledger.sqlite: is damaged"), "there is nothing that status could read");
        } else {
            assert!(status.well().contains("standing  epoch 1 is published, its checkpoint is awaited"));
        }
        assert!(workshop.bytes(name) == damaged, "what may be rescued is left alone");
        workshop.write(name, whole);
    }
    let mut service = workshop.serve();
    service.until_next(&workshop, 2);
    service.stop().well();
}

#[test]
fn a_third_of_the_images_is_missing_or_damaged() {
    let workshop =
        Workshop::new(300, "initial: {fraction: 0.3}\nmine: {quota: 1.0, budget: 1000}\nstop: {epochs: 3}\n");
    let mut lines = images("pool.txt", 300);
    let whole = fs::read(lines[0].rsplit_once(' ').unwrap().0).unwrap();
    workshop.write("cut.png", &whole[..whole.len() / 2]);
    let mut spoilt = 0;
    for (at, line) in lines.iter_mut().enumerate().filter(|(at, _)| at % 10 < 3) {
        let (path, label) = line.rsplit_once(' ').unwrap();
        let name = format!("{at}.png");
        match at % 10 {
            0 => {}
            1 => fs::copy(workshop.path("cut.png"), workshop.path(&name)).map(drop).unwrap(),
            _ => workshop.write(&name, fs::read(path).unwrap().iter().rev().copied().collect::<Vec<u8>>()),
        }
        *line = format!("{name} {label}");
        spoilt += 1;
    }
    assert_eq!(spoilt, 90);
    workshop.write("pool.txt", lines.join("\n"));
    let said = workshop.serve().end();
    assert!(said.log.contains("an image is left out"), "{}", said.log);
    assert!(said.well().contains("ended by stop.epochs: 3 epochs are done"));
    let status = workshop.status();
    assert!(status["failed"].is_null());
    let told = status["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "skipped").count();
    assert!(told > 0, "{status}");
    // A first list is drawn before anybody has looked at an image; whoever was looked at is on no list after that.
    let last = workshop.read("lists/epoch-0002.txt");
    let again = last.lines().filter(|line| line.contains(&workshop.path("").display().to_string())).count();
    assert!(again == 0 && !last.is_empty(), "{last}");
}

#[test]
fn a_step_that_leaves_another_epochs_checkpoint_has_failed() {
    let workshop =
        Workshop::new(100, "trainer: {command: [sh, train.sh], attempts: 2, backoff: 10ms}\npolicy: uniform\n");
    workshop.write("train.sh", "cp start.onnx watch/epoch-0005.onnx\n");
    let said = workshop.serve().end().badly();
    let out = workshop.path("watch/epoch-0000.onnx");
    assert!(said.contains(&format!("it ended well but left no {}", out.display())), "{said}");
    assert!(workshop.next_is(0));
    let status = workshop.status();
    assert!(status["failed"]["reason"].as_str().unwrap().contains("left no"), "{status}");
    assert_eq!(status["standing"], "epoch 0 is published, its checkpoint is awaited");
}

#[test]
fn a_step_that_has_no_space_for_its_checkpoint_has_failed() {
    let Some(disk) = SmallDisk::mount("size=1m") else { return };
    let watch = disk.path().join("watch");
    let config = format!(
        "trainer: {{attempts: 1}}\nstop: {{epochs: 1}}\ncheckpoint: {{folder: {}}}\ninitial: {{fraction: 0.3}}\n",
        watch.display()
    );
    let workshop = Workshop::new(100, &config);
    // The graph takes about 400 kB, and is written beside what is there already.
    let filler = disk.fill(200_000);
    let said = workshop.serve().end().badly();
    assert!(
        said.contains(&format!("{}/", watch.display())) && said.contains("cannot be written: No space left on device"),
        "{said}"
    );
    assert!(said.contains("free some space"), "{said}");
    assert!(workshop.next_is(0));
    assert!(workshop.status()["failed"]["reason"].as_str().unwrap().contains("No space left on device"));
    assert_eq!(fs::read_dir(&watch).unwrap().count(), 0, "nothing temporary is left");
    fs::remove_file(filler).unwrap();
    assert!(workshop.serve().end().well().contains("ended by stop.epochs: 1 epochs are done"));
}

/// A clock that a process sees wrong by as many seconds as a file says, loaded before the C library's.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    FILE *file = clock == CLOCK_REALTIME ? fopen(getenv("WRONG_BY"), "r") : NULL;
    long seconds = 0;
    if (file) {
        if (fscanf(file, "%ld", &seconds) == 1) now->tv_sec += seconds;
        fclose(file);
    }
    return result;
}
"#;

/// Starts the service with that clock.
fn with_wrong_clock(workshop: &Workshop) -> Running {
    workshop.write("clock.c", CLOCK);
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o", "clock.so", "clock.c", "-ldl"]).current_dir(workshop.path(""));
    assert!(compiler.status().unwrap().success());
    let (library, wrong_by) = (workshop.path("clock.so"), workshop.path("wrong_by"));
    let variables = [("LD_PRELOAD", library.to_str().unwrap()), ("WRONG_BY", wrong_by.to_str().unwrap())];
    workshop.start_with(&["run", "-c", "config.yaml"], &variables)
}

/// The years in which the lines of a log were written, in their order.
fn years(log: &str) -> Vec<i64> {
    log.lines().filter_map(|line| line.split_once('-')?.0.parse().ok()).collect()
}

const YEAR: i64 = 31_557_600;

#[test]
fn a_clock_that_is_set_back_or_on_while_a_checkpoint_is_awaited() {
    let workshop = Workshop::new(100, BY_ITSELF);
    workshop.write("wrong_by", "0");
    let mut service = with_wrong_clock(&workshop);
    for (epoch, wrong_by) in (0..).zip([-YEAR, 10 * YEAR, -20 * YEAR, 0]) {
        service.until_awaited(epoch);
        workshop.write("wrong_by", wrong_by.to_string());
        workshop.drop_in(epoch, skilled());
        service.until_next(&workshop, epoch + 1);
    }
    service.until_awaited(4);
    let status = workshop.status();
    assert_eq!(status["rejected"].as_array().unwrap().len(), 0);
    let seconds = status["totals"]["scan_s"].as_f64().unwrap();
    assert!((0.0..60.0).contains(&seconds), "time is measured by another clock: {seconds}");
    let years = years(&service.stop().log);
    assert!(years.iter().min() < years.first() && years.iter().max() > years.first(), "its clock was off: {years:?}");
}

#[test]
fn a_clock_that_is_set_back_or_on_during_a_step() {
    let config =
        "trainer: {command: [sh, train.sh, \"{checkpoint_out}\"], attempts: 1, timeout: 1h}\nstop: {epochs: 3}\n";
    let workshop = Workshop::new(100, config);
    workshop.write("wrong_by", "0");
    let jumps = format!("case $GLEANER_EPOCH in 0) by=-{YEAR};; 1) by={};; *) by=0;; esac\n", 10 * YEAR);
    workshop.write("train.sh", format!("{jumps}sleep 0.2; echo $by > wrong_by; sleep 0.2\n{HAND_ON}"));
    let said = with_wrong_clock(&workshop).end();
    let years = years(&said.log.lines().filter(|line| line.contains(" trained epoch=")).collect::<Vec<_>>().join("\n"));
    assert!(years[0] < years[2] && years[2] < years[1], "the clock of the log was off: {years:?}");
    assert!(said.well().contains("ended by stop.epochs: 3 epochs are done"));
    let status = workshop.status();
    let took = status["totals"]["train_s"].as_f64().unwrap();
    assert!((0.0..60.0).contains(&took), "time is measured by another clock: {took}");
    assert!(status["failed"].is_null());
}

#[test]
fn every_fault_of_the_table_has_a_test() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(source.join("FAULTS.md")).unwrap();
    let tests: Vec<(&str, &str)> = table.split([' ', '\n']).filter_map(|word| word.split_once("::")).collect();
    assert!(tests.len() > 30, "{tests:?}");
    for (file, name) in tests {
        let text = fs::read_to_string(source.join(format!("tests/program/{file}.rs"))).unwrap();
        assert!(text.contains(&format!("#[test]\nfn {name}()")), "there is no test {file}::{name}");
    }
}
