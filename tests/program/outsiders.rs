//! Trainers of other people: the examples, as they are.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use super::manager::{Manager, skip};
use super::workshop::{BY_ITSELF, Running, Workshop};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
const EPOCHS: u32 = 3;

/// No starting graph: whoever trains brings a network of his own.
const WITHOUT_START: &str = "
initial: {fraction: 0.5}
mine: {quota: 0.5}
score: {batch: 32}
";

/// A workshop without a starting graph, with the validation images as a table for the script.
fn for_python(trainer: &str) -> Workshop {
    let workshop = Workshop::new(2000, &format!("{trainer}{WITHOUT_START}"));
    let config = workshop.read("config.yaml").replace("model: {start: start.onnx}\n", "");
    workshop.write("config.yaml", config);
    fs::remove_file(workshop.path("start.onnx")).unwrap();
    let rows = workshop.read("validation.txt").replace(' ', ",");
    workshop.write("validation.csv", format!("path,label\n{rows}"));
    workshop
}

/// A Python that has what the script needs; `None`, said aloud, where there is none.
fn python() -> Option<&'static str> {
    let has_torch = |python: &&str| {
        let output = Command::new(python).args(["-c", "import numpy, torch, PIL"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_torch);
    if found.is_none() {
        skip("a trainer in PyTorch is not tested: no Python here has it (apt-get install python3-torch python3-pil)");
    }
    found
}

/// A program that runs beside the service; ended with the test.
struct Outsider(Child);

impl Outsider {
    fn start(workshop: &Workshop, command: &mut Command) -> Self {
        let log = fs::File::create(workshop.path("outsider.log")).unwrap();
        let command = command.current_dir(workshop.path("")).env("PATH", with_programs());
        Self(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where programs are looked for, those of this project among them.
fn with_programs() -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_gleaner")).parent().unwrap();
    format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default())
}

/// The run is over, and each of its three lists was trained on and answered by a checkpoint that was taken.
fn all_was_trained(workshop: &Workshop, said: &str) {
    assert!(said.contains("ended by stop.epochs: 3 epochs are done"), "{said}");
    let status = workshop.status();
    let epochs = status["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), EPOCHS as usize);
    for epoch in epochs {
        let accuracy = epoch["validation_accuracy"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&accuracy));
    }
    let last = epochs.last().unwrap()["validation_accuracy"].as_f64().unwrap();
    assert!(last > 0.4, "it has learnt something: a blind guess is right once in ten times, this {last}");
    assert_eq!(status["rejected"].as_array().unwrap().len(), 0);
}

fn end(service: Running, workshop: &Workshop) {
    all_was_trained(workshop, &service.end().well());
}

#[test]
fn a_pytorch_loop_that_is_started_for_each_epoch() {
    let Some(python) = python() else { return };
    let script = format!("{EXAMPLES}/pytorch/train.py");
    let words = format!("[{python}, {script}, \"{{manifest}}\", validation.csv, \"{{epoch}}\", \"{{epoch}}\"]");
    let workshop = for_python(&format!("trainer: {{command: {words}, attempts: 1}}\nstop: {{epochs: {EPOCHS}}}\n"));
    end(workshop.serve(), &workshop);
}

#[test]
fn a_pytorch_loop_that_runs_by_itself() {
    let Some(python) = python() else { return };
    let workshop = for_python(&format!("{BY_ITSELF}stop: {{epochs: {EPOCHS}}}\n"));
    let mut command = Command::new(python);
    let last = (EPOCHS - 1).to_string();
    command.arg(format!("{EXAMPLES}/pytorch/train.py")).args(["lists/next.csv", "validation.csv", "0", &last]);
    // First it has nothing to train on, and nowhere to put a checkpoint.
    let mut script = Outsider::start(&workshop, &mut command);
    end(workshop.serve(), &workshop);
    assert!(script.0.wait().unwrap().success(), "{}", workshop.read("outsider.log"));
}

#[test]
fn the_pytorch_example_is_an_ordinary_loop_with_few_lines_changed() {
    let lines = |name: &str| {
        let text = fs::read_to_string(format!("{EXAMPLES}/pytorch/{name}")).unwrap();
        let code = text.splitn(3, "\"\"\"").nth(2).unwrap();
        code.lines().fold(BTreeMap::new(), |mut counts, line| {
            *counts.entry(line.to_owned()).or_insert(0) += 1;
            counts
        })
    };
    let (plain, mut changed) = (lines("plain.py"), lines("train.py"));
    for (line, count) in plain {
        *changed.entry(line).or_insert(0) -= count;
    }
    let added: i32 = changed.values().filter(|count| **count > 0).sum();
    assert!((1..=10).contains(&added), "{added} lines are new");
}

/// A workshop for `train.sh`, which is to be found in it.
fn for_shell(trainer: &str) -> Workshop {
    let workshop =
        Workshop::new(2000, &format!("{trainer}{WITHOUT_START}train: {{batch: 8}}\nstop: {{epochs: {EPOCHS}}}\n"));
    fs::copy(format!("{EXAMPLES}/shell/train.sh"), workshop.path("train.sh")).unwrap();
    workshop
}

#[test]
fn a_shell_script_that_runs_by_itself() {
    let workshop = for_shell(BY_ITSELF);
    let service = workshop.serve();
    let mut command = Command::new("sh");
    let _script = Outsider::start(&workshop, command.arg("train.sh").env("START", "start.onnx"));
    end(service, &workshop);
}

const BY_A_UNIT: &str = "trainer: {command: [systemctl, --user, start, \"trainer@{epoch}\"], attempts: 1}\n";

/// Installs `trainer@.service` for a workshop.
fn install_trainer(manager: &Manager, workshop: &Workshop) {
    manager.install(workshop, "");
    let root = workshop.path("");
    let (root, path) = (root.display(), with_programs());
    let drop_in = format!(
        "[Service]\nUser=\nWorkingDirectory={root}\nEnvironment=START=start.onnx PATH={path}\nExecStart=\n\
         ExecStart=/bin/sh {root}train.sh %i\nStandardOutput=append:{root}train.log\nStandardError=append:{root}train.log\n"
    );
    manager.add(Path::new(&format!("{EXAMPLES}/shell/trainer@.service")), &drop_in);
}

#[test]
fn a_unit_of_systemd_for_each_epoch() {
    let Some(manager) = Manager::start() else { return };
    let workshop = for_shell(BY_A_UNIT);
    install_trainer(&manager, &workshop);
    manager.systemctl(&["start", "gleaner"]);
    manager.until("gleaner", "ActiveState", |state| ["inactive", "failed"].contains(&state));
    all_was_trained(&workshop, &workshop.read("config.log"));
    assert_eq!(manager.property("gleaner", "Result"), "success");
}

#[test]
fn a_unit_that_trains_ends_with_the_service() {
    let Some(manager) = Manager::start() else { return };
    let workshop = for_shell(BY_A_UNIT);
    install_trainer(&manager, &workshop);
    workshop.write("train.sh", "sleep 600\n");
    for signal in ["TERM", "KILL"] {
        manager.systemctl(&["start", "gleaner"]);
        manager.until("trainer@0", "ActiveState", |state| state == "activating");
        let invocation = manager.property("trainer@0", "InvocationID");
        manager.systemctl(&["kill", &format!("--signal={signal}"), "--kill-whom=main", "gleaner"]);
        // A service that was killed is soon back, and has started another.
        let state = || manager.property("trainer@0", "ActiveState");
        let is_over = |id: &str| id != invocation || ["inactive", "failed"].contains(&state().as_str());
        manager.until("trainer@0", "InvocationID", is_over);
    }
}
