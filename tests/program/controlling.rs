//! `gleaner control`, with a trainer whose skill depends on the list: only one with mined images makes a good model.

use std::fs;

use serde_json::Value;

use super::graphs::skilled;
use super::tables::{manifest, parquet};
use super::workshop::{Workshop, images};

const SCRIPT: &str = r#"
echo "$1" >> trained
graph=start.onnx
if grep -q ,mined, "$1"; then graph=skilled.onnx; fi
cp $graph "$GLEANER_CHECKPOINT_OUT.part"
mv "$GLEANER_CHECKPOINT_OUT.part" "$GLEANER_CHECKPOINT_OUT"
"#;
const CONFIG: &str = r#"
trainer: {command: [sh, train.sh, "{manifest}"]}
initial: {fraction: 0.1}
mine: {quota: 0.2}
score: {batch: 16}
plan: {cost: 50, forward: 0.25}
stop: {epochs: 3, patience: 3, accuracy: 0.99}
"#;
const POOL: usize = 400;
const CONTROL: [&str; 3] = ["control", "-c", "config.yaml"];

fn workshop() -> Workshop {
    let workshop = Workshop::new(POOL, CONFIG);
    workshop.write("test.txt", images("test.txt", 80).join("\n"));
    let config = workshop
        .read("config.yaml")
        .replace("validation: validation.txt", "validation: validation.txt, test: test.txt");
    workshop.write("config.yaml", config);
    workshop.write("train.sh", SCRIPT);
    workshop.write("skilled.onnx", skilled());
    workshop
}

fn json(workshop: &Workshop, more: &[&str]) -> Value {
    let said = workshop.run(&[&CONTROL[..], &["--json"], more].concat()).well();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn near(value: &Value, expected: f64) {
    assert!((number(value) - expected).abs() < 1e-9, "{value} and not {expected}");
}

/// What `gleaner score` counts.
fn accuracy(workshop: &Workshop, graph: &str, list: &str) -> f64 {
    let arguments = ["score", "-c", "config.yaml", "--checkpoint", graph, "--list", list, "-o", "scores.parquet"];
    workshop.run(&arguments).well();
    let rows = parquet(&workshop.path("scores.parquet")).1;
    rows.iter().filter(|row| row.is_right()).count() as f64 / rows.len() as f64
}

#[test]
fn a_run_and_its_control_at_the_same_cost() {
    let workshop = workshop();
    let said = workshop.run(&CONTROL).badly();
    assert!(said.contains("state/ledger.sqlite: there is no ledger here"), "{said}");
    workshop.serve().end().well();
    let run = workshop.status();
    let spent = number(&run["totals"]["cost"]);

    let table = json(&workshop, &[]);
    let arguments = ["status", "--json", "-c", "control/state/config.json"];
    let control: Value = serde_json::from_str(&workshop.run(&arguments).well()).unwrap();
    the_config_is_the_same_but_for(&workshop, spent);
    // The first list is the same, then 80 fresh ones an epoch; a last one takes what is left, unless that is under 1%.
    let first = "lists/epoch-0000.txt";
    assert!(workshop.bytes(first) == workshop.bytes(&format!("control/{first}")));
    let sizes: Vec<f64> = control["epochs"].as_array().unwrap().iter().map(|epoch| number(&epoch["size"])).collect();
    let (last, before) = sizes.split_last().unwrap();
    assert_eq!(before[0], 40.0);
    assert!(before[1..].iter().all(|&size| size == 80.0) && *last <= 80.0, "{sizes:?}");
    let total: f64 = sizes.iter().sum();
    assert!(total <= spent + 0.5 && total > 0.99 * spent, "{total} of {spent}");

    for (name, status) in [("run", &run), ("control", &control)] {
        let (account, totals) = (&table[name], &status["totals"]);
        let policy = if name == "run" { "confidence" } else { "uniform" };
        assert_eq!((&account["policy"], &account["seed"]), (&policy.into(), &3.into()));
        near(&account["cost"]["total"], number(&totals["cost"]) / 400.0);
        near(&account["cost"]["training"], number(&totals["train_visits"]) / 400.0);
        near(&account["cost"]["scanning"], 0.25 * number(&totals["scan_forwards"]) / 400.0);
        assert_eq!(account["epochs"], totals["epochs"]);
        near(&account["wall_s"]["training"], number(&totals["train_s"]));
        near(&account["wall_s"]["scanning"], number(&totals["scan_s"]));
        for (key, of) in [
            ("best_epoch", "best_epoch"),
            ("best_validation_accuracy", "best_accuracy"),
            ("test_accuracy", "test_accuracy"),
        ] {
            assert_eq!(account[key], status["outcome"][of], "{key}");
        }
    }
    assert_eq!(table["control"]["cost"]["scanning"], 0.0);
    the_verdict(&workshop, &table);
    the_grid(&workshop, &table, spent, &run, &control);
    as_text_and_once_more(&workshop, &table);
}

fn the_config_is_the_same_but_for(workshop: &Workshop, spent: f64) {
    let read = |name: &str| -> Value { serde_json::from_str(&workshop.read(name)).unwrap() };
    let (mut expected, found) = (read("state/config.json"), read("control/state/config.json"));
    near(&found["plan"]["cost"], spent / 400.0);
    expected["policy"] = "uniform".into();
    expected["plan"]["cost"] = found["plan"]["cost"].clone();
    for rule in ["accuracy", "patience", "epochs"] {
        expected["stop"][rule] = Value::Null;
    }
    // What a person has said of images holds for the control as well.
    expected["suspects"]["reviews"] = workshop.path("lists/reviews.csv").to_str().unwrap().into();
    for (section, folder) in [("state", "state"), ("lists", "lists"), ("checkpoint", "watch")] {
        expected[section]["folder"] = workshop.path("control").join(folder).to_str().unwrap().into();
    }
    assert_eq!(found, expected);
}

/// Of the run the best model is the skilled graph, of the control it is the starting graph.
fn the_verdict(workshop: &Workshop, table: &Value) {
    let [ours, theirs] = ["skilled.onnx", "start.onnx"].map(|graph| accuracy(workshop, graph, "test.txt"));
    assert!(ours > theirs + 0.2, "{ours} {theirs}");
    near(&table["run"]["test_accuracy"], ours);
    near(&table["control"]["test_accuracy"], theirs);
    let verdict = &table["verdict"];
    assert_eq!((&verdict["ahead"], &verdict["measure"]), (&"run".into(), &"test_accuracy".into()));
    near(&verdict["points"], 100.0 * (ours - theirs));
    let expected = format!(
        "confidence is ahead by {:.2} points of test accuracy, {:.2}% against {:.2}%, at the same cost; one run each cannot \
         tell that from chance, several seeds can.",
        100.0 * (ours - theirs),
        100.0 * ours,
        100.0 * theirs
    );
    assert_eq!(verdict["text"], expected);
    // 50 passes were planned, 3 epochs came.
    assert!(verdict["notes"][0].as_str().unwrap().starts_with("The run was ended by stop.epochs: 3 epochs are done"));
}

/// Ten points; at each what the newest checkpoint was worth that had cost no more.
fn the_grid(workshop: &Workshop, table: &Value, spent: f64, run: &Value, control: &Value) {
    let [good, poor] = ["skilled.onnx", "start.onnx"].map(|graph| accuracy(workshop, graph, "validation.txt"));
    let grid = table["grid"].as_array().unwrap();
    assert_eq!(grid.len(), 10);
    for (at, point) in grid.iter().enumerate() {
        let cost = spent * (at + 1) as f64 / 10.0;
        near(&point["cost"], cost / 400.0);
        let done = |status: &Value| {
            status["epochs"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|epoch| number(&epoch["cost_so_far"]) <= cost + 0.5)
                .count()
        };
        let expected = match done(run) {
            0 => Value::Null,
            1 => poor.into(),
            _ => good.into(),
        };
        assert_eq!(point["run"], expected, "at {cost}");
        assert_eq!(point["control"], if done(control) == 0 { Value::Null } else { poor.into() }, "at {cost}");
    }
    assert_eq!(grid[9]["run"], good);
}

fn as_text_and_once_more(workshop: &Workshop, table: &Value) {
    let trained = workshop.read("trained");
    let text = workshop.run(&CONTROL).well();
    assert_eq!(workshop.read("trained"), trained, "nothing is trained anew");
    let row = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned();
    let cells = |name: &str| row(name)[26..].split_whitespace().map(str::to_owned).collect::<Vec<String>>();
    assert_eq!(cells("policy"), ["confidence", "uniform"]);
    let of = |key: &str| ["run", "control"].map(|name| number(&table[name][key]));
    assert_eq!(cells("epochs"), of("epochs").map(|epochs| epochs.to_string()));
    assert_eq!(cells("test accuracy"), of("test_accuracy").map(|accuracy| format!("{accuracy:.4}")));
    let cost = ["run", "control"].map(|name| format!("{:.3}", number(&table[name]["cost"]["total"])));
    assert_eq!(cells("cost"), cost);
    assert!(text.contains(table["verdict"]["text"].as_str().unwrap()), "{text}");
}

#[test]
fn a_control_goes_on_where_it_was_interrupted_and_is_not_mistaken_for_another() {
    let workshop = workshop();
    workshop.write("train.sh", format!("case $1 in *control*epoch-0001*) [ -e go ] || sleep 100;; esac\n{SCRIPT}"));
    workshop.run(&["run", "-c", "config.yaml", "--set", "stop.epochs=2"]).well();
    let mut running = workshop.start(&CONTROL);
    running.until("the second list", || workshop.path("control/lists/epoch-0001.csv").exists().then_some(()));
    running.until_said("epoch=0 images=40");
    let said = running.stop();
    assert!(said.log.contains("interrupted; the same command continues the control"), "{}", said.log);
    assert_eq!(said.well(), "", "there is nothing to compare yet");

    workshop.write("go", "");
    let table = json(&workshop, &[]);
    let first = workshop.path("control/lists/epoch-0000.csv");
    let trained = workshop.read("trained");
    assert_eq!(trained.lines().filter(|list| *list == first.to_str().unwrap()).count(), 1, "epoch 0 is not done again");
    assert_eq!(table["control"]["epochs"], manifests(&workshop, "control/lists"));

    // Another seed is another control.
    let said = workshop.run(&[&CONTROL[..], &["--seed", "4"]].concat()).badly();
    assert!(said.contains("control: is there already, of a control with another config, cost or seed"), "{said}");
    let other = json(&workshop, &["--seed", "4", "--folder", "other"]);
    assert_eq!(other["control"]["seed"], 4);
    assert!(other["verdict"]["notes"][0].as_str().unwrap().starts_with("The seeds differ (run 3, control 4)"));
    assert!(workshop.bytes("other/lists/epoch-0000.txt") != workshop.bytes("lists/epoch-0000.txt"));
}

/// How many lists there are, none of them empty.
fn manifests(workshop: &Workshop, folder: &str) -> usize {
    let names =
        fs::read_dir(workshop.path(folder)).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name.starts_with("epoch-") && name.ends_with(".csv")).collect();
    assert!(names.iter().all(|name| !manifest(&workshop.path(folder).join(name)).is_empty()));
    names.len()
}

#[test]
fn runs_that_have_no_control() {
    let workshop = workshop();
    let refused = |arguments: &[&str]| workshop.run(&[&CONTROL[..], arguments].concat()).badly();
    let uniform = ["--set", "policy=uniform", "--set", "state.folder=uniform"];
    workshop.run(&[&["mine", "-c", "config.yaml"], &uniform[..]].concat()).badly();
    let said = refused(&uniform);
    assert!(said.contains("this run's policy is uniform, it is a control itself"), "{said}");

    let folders = ["--set", "state.folder=by-itself", "--set", "lists.folder=its-lists"];
    let by_itself = [&folders[..], &["--set", "trainer=none"]].concat();
    workshop.run(&[&["mine", "-c", "config.yaml"], &by_itself[..]].concat()).badly();
    let said = refused(&by_itself);
    assert!(said.contains("this run's trainer is `none`") && said.contains("trainer.command"), "{said}");

    let folders = ["--set", "state.folder=halfway", "--set", "lists.folder=halfway-lists"];
    workshop.run(&[&["mine", "-c", "config.yaml"], &folders[..]].concat()).badly();
    let said = refused(&folders);
    assert!(said.contains("this run has not ended") && said.contains("gleaner run -c config.yaml"), "{said}");

    let folders = ["--set", "lists.folder=run-lists"];
    workshop.run(&[&["run", "-c", "config.yaml"], &folders[..]].concat()).well();
    let said = refused(&[&folders[..], &["--folder", "."]].concat());
    assert!(said.contains("state: belongs to the run itself; give the control another --folder"), "{said}");
    let pool = workshop.read("pool.txt");
    workshop.write("pool.txt", pool.lines().rev().collect::<Vec<_>>().join("\n"));
    let said = refused(&folders);
    assert!(said.contains("pool.txt: has changed since the run in "), "{said}");
    assert!(!workshop.path("control").exists());
}
