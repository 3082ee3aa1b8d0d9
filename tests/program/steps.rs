//! The whole loop with a command as its trainer.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::graphs::skilled;
use super::tables::{manifest, parquet};
use super::workshop::{Workshop, images};

/// Notes what it is told, and "trains" by handing its graph on.
const SCRIPT: &str = r#"
{ printf '%s\n' "$@"; env | grep ^GLEANER_ | LC_ALL=C sort; } > "told-$GLEANER_EPOCH.txt"
if [ "$GLEANER_EPOCH" = 1 ]; then echo '{"images": 7, "seconds": 0.5, "loss": 1.25}' > "$GLEANER_REPORT"; fi
cp start.onnx "$GLEANER_CHECKPOINT_OUT.part"
mv "$GLEANER_CHECKPOINT_OUT.part" "$GLEANER_CHECKPOINT_OUT"
"#;
const CONFIG: &str = r#"
trainer:
  command: [sh, train.sh, "{list}", "{manifest}", "{checkpoint_in}", "{checkpoint_out}", "{scores_out}", "{epoch}",
            "{seed}", "{work_done} of {work_planned}", "{{}}"]
initial: {fraction: 0.1}
mine: {quota: 0.2}
score: {batch: 16}
plan: {cost: 50, forward: 0.25}
stop: {epochs: 3}
"#;
const POOL: usize = 400;
/// Of what is known so much comes along (`extras.share`).
const SHARE: f64 = 0.15;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Every file below a folder with its content, but for those whose bytes may change when nothing does.
fn content(workshop: &Workshop, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let files =
        fs::read_dir(workshop.path(folder)).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files = files.filter(|name| !name.starts_with("ledger") && !name.ends_with("lock"));
    files.map(|name| (name.clone(), workshop.bytes(&format!("{folder}/{name}")))).collect()
}

#[test]
fn three_epochs_with_a_command() {
    let workshop = Workshop::new(POOL, CONFIG);
    workshop.write("test.txt", images("test.txt", 80).join("\n"));
    workshop.write("train.sh", SCRIPT);
    workshop.write("start.onnx", skilled());
    let run = ["run", "-c", "config.yaml", "--set", "pool.test=test.txt"];
    let said = workshop.run(&run).well();
    assert!(said.contains("ended by stop.epochs: 3 epochs are done"), "{said}");

    let status = workshop.status();
    let epochs = status["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 3);
    costs_add_up(&status, epochs);
    sizes_add_up(&workshop, epochs);
    accuracies_are_those_of_the_graph(&workshop, &status);
    the_trainer_was_told(&workshop, epochs);
    assert_eq!(epochs[0]["step_s"], Value::Null, "no account, no seconds");
    assert_eq!(number(&epochs[1]["step_s"]), 0.5);

    // Once more: it is over, and stays so.
    let before = ["lists", "watch", "state"].map(|folder| content(&workshop, folder));
    assert!(!before[0].contains_key("epoch-0003.txt"));
    fs::remove_file(workshop.path("told-2.txt")).unwrap();
    let said = workshop.run(&run).well();
    assert!(said.contains("ended by stop.epochs: 3 epochs are done"), "{said}");
    assert!(before == ["lists", "watch", "state"].map(|folder| content(&workshop, folder)), "something has changed");
    assert!(!workshop.path("told-2.txt").exists(), "nothing was trained");
    assert_eq!(workshop.status()["totals"], status["totals"]);
}

/// Cost = visits + price of a forward * forwards; epoch 1's trainer has given its own count of visits.
fn costs_add_up(status: &Value, epochs: &[Value]) {
    let mut so_far = 0.0;
    for (at, epoch) in epochs.iter().enumerate() {
        let visits = if at == 1 { 7.0 } else { number(&epoch["size"]) };
        assert_eq!(number(&epoch["train_visits"]), visits);
        let cost = visits + 0.25 * number(&epoch["scan_forwards"]);
        so_far += cost;
        assert_eq!((number(&epoch["cost"]), number(&epoch["cost_so_far"])), (cost, so_far));
        assert!(number(&epoch["scan_forwards"]) >= number(&epoch["scanned"]));
    }
    assert_eq!(number(&status["totals"]["cost"]), so_far);
    let forwards: f64 = epochs.iter().map(|epoch| number(&epoch["scan_forwards"])).sum();
    assert_eq!(number(&status["totals"]["scan_forwards"]), forwards);
    assert_eq!(epochs[0]["scan_forwards"], 0);
    assert!(forwards > 0.0);
}

fn sizes_add_up(workshop: &Workshop, epochs: &[Value]) {
    for (at, epoch) in epochs.iter().enumerate() {
        let lines = manifest(&workshop.path(&format!("lists/epoch-{at:04}.csv")));
        assert_eq!(number(&epoch["size"]), lines.len() as f64);
        for stratum in ["initial", "uniform", "mined", "extra", "full"] {
            let count = lines.iter().filter(|line| line.stratum == stratum).count();
            assert_eq!(number(&epoch[stratum]), count as f64, "{stratum} of epoch {at}");
        }
        for list in epoch["lists"].as_array().unwrap() {
            let path = workshop.path(&format!("lists/{}", list["name"].as_str().unwrap()));
            assert_eq!(gleaner::digest::of_file(&path).unwrap(), list["sha256"].as_str().unwrap());
        }
    }
    assert_eq!(epochs[0]["initial"], 40);
    // The graph is in doubt about so many that the quota of 80 is filled: by what is mined, and so large a share of the rest.
    let of = |epoch: usize, key: &str| number(&epochs[epoch][key]);
    let known = |epoch| of(epoch, "scanned") - of(epoch, "mined");
    assert_eq!([1, 2].map(|epoch| of(epoch, "skipped")), [0.0, 0.0]);
    let subset = of(1, "mined") + SHARE * known(1);
    assert!((80.0..81.0).contains(&subset), "{subset}");
    assert!(of(1, "extra") > 0.0);
    // What was known and not taken is still known; for each of the others that is scanned some of it comes along.
    let fresh = known(1) - of(1, "extra");
    let along = SHARE * fresh / (POOL as f64 - of(1, "size") - fresh);
    let subset = of(2, "mined") + SHARE * known(2) + along * of(2, "scanned");
    assert!((80.0..81.0 + along).contains(&subset), "{subset}");
}

/// All checkpoints are one graph, so all accuracies are what `gleaner score` counts.
fn accuracies_are_those_of_the_graph(workshop: &Workshop, status: &Value) {
    let accuracy = |list: &str| {
        let arguments = ["score", "-c", "config.yaml", "--checkpoint", "start.onnx", "--list", list];
        workshop.run(&[&arguments[..], &["-o", "scores.parquet"]].concat()).well();
        let rows = parquet(&workshop.path("scores.parquet")).1;
        rows.iter().filter(|row| row.is_right()).count() as f64 / rows.len() as f64
    };
    let validation = accuracy("validation.txt");
    assert!(validation > 0.5, "{validation}");
    for epoch in status["epochs"].as_array().unwrap() {
        assert_eq!(number(&epoch["validation_accuracy"]), validation);
        assert_eq!(epoch["status"], "trained");
    }
    let outcome = &status["outcome"];
    assert_eq!(outcome["reason"], "stop.epochs: 3 epochs are done");
    assert_eq!((&outcome["best_epoch"], number(&outcome["best_accuracy"])), (&0.into(), validation));
    assert_eq!(number(&outcome["test_accuracy"]), accuracy("test.txt"));
}

fn the_trainer_was_told(workshop: &Workshop, epochs: &[Value]) {
    let mut spent = 0.0;
    for (at, epoch) in epochs.iter().enumerate() {
        // The scan that found this list is done, its training is not.
        let done = (spent + 0.25 * number(&epoch["scan_forwards"])).round();
        spent += number(&epoch["cost"]);
        let path = |name: &str| workshop.path(name).display().to_string();
        let [list, table] = ["txt", "csv"].map(|extension| path(&format!("lists/epoch-{at:04}.{extension}")));
        let out = path(&format!("watch/epoch-{at:04}.onnx"));
        let before = if at == 0 { path("start.onnx") } else { path(&format!("watch/epoch-{:04}.onnx", at - 1)) };
        let scores = path(&format!("watch/epoch-{at:04}.scores.parquet"));
        let state = path("state");
        let (report, progress) = (path(&format!("state/report-{at:04}.json")), path("state/progress.json"));
        // 50 passes over a pool of 400 are planned.
        let expected = format!(
            "{list}\n{table}\n{before}\n{out}\n{scores}\n{at}\n3\n{done} of 20000\n{{}}\n\
             GLEANER_CHECKPOINT_IN={before}\nGLEANER_CHECKPOINT_OUT={out}\nGLEANER_EPOCH={at}\nGLEANER_LIST={list}\n\
             GLEANER_MANIFEST={table}\nGLEANER_PROGRESS={progress}\nGLEANER_REPORT={report}\nGLEANER_SCORES_OUT={scores}\nGLEANER_SEED=3\nGLEANER_STATE={state}\nGLEANER_WORK_DONE={done}\n\
             GLEANER_WORK_PLANNED=20000\n"
        );
        assert_eq!(workshop.read(&format!("told-{at}.txt")), expected);
    }
}

#[test]
fn the_other_rules_end_a_run_too_and_say_so() {
    let ended = |rules: &[&str]| {
        let workshop = Workshop::new(100, "trainer: {command: [sh, train.sh]}\n");
        workshop.write("train.sh", SCRIPT);
        let rules = rules.iter().flat_map(|rule| ["--set", *rule]);
        let arguments: Vec<&str> = ["run", "-c", "config.yaml"].into_iter().chain(rules).collect();
        let said = workshop.run(&arguments).well();
        let epochs = workshop.status()["epochs"].as_array().unwrap().len();
        (said, epochs)
    };
    let (said, epochs) = ended(&["stop.accuracy=0.001"]);
    assert!(said.contains("ended by stop.accuracy: validation accuracy 0.") && epochs == 1, "{said}");
    // The same graph never gets better.
    let (said, epochs) = ended(&["stop.patience=2"]);
    assert!(said.contains("ended by stop.patience: no better validation accuracy") && epochs == 3, "{said}");
    // Three tenths of 100 images: ten, seven by the trainer's own account, ten, and the three that are left.
    let (said, epochs) = ended(&["policy=uniform", "plan.cost=0.3"]);
    assert!(said.contains("ended by plan.cost: the planned work of 30 visits is done") && epochs == 4, "{said}");
}

#[test]
fn a_run_goes_on_from_turns_by_hand_and_after_a_stop_rule_was_raised() {
    let workshop = Workshop::new(100, "trainer: {command: [sh, train.sh]}\nstop: {epochs: 2}\n");
    workshop.write("train.sh", SCRIPT.replace("\"$@\"", "").as_str());
    // A new run refuses checkpoints that lie about, so the first list comes before the first checkpoint.
    workshop.run(&["mine", "-c", "config.yaml"]).badly();
    assert!(workshop.next_is(0));
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    assert!(workshop.run(&["run", "-c", "config.yaml"]).well().contains("ended by stop.epochs: 2 epochs are done"));
    assert!(!workshop.path("told-0.txt").exists(), "epoch 0 was trained by hand");
    let told = workshop.read("told-1.txt");
    let before = workshop.path("watch/epoch-0000.onnx");
    assert!(told.contains(&format!("GLEANER_CHECKPOINT_IN={}\n", before.display())), "{told}");

    let lists = content(&workshop, "lists");
    let more = workshop.run(&["run", "-c", "config.yaml", "--set", "stop.epochs=3"]);
    assert!(more.well().contains("ended by stop.epochs: 3 epochs are done"));
    assert!(!workshop.path("told-0.txt").exists() && workshop.path("told-2.txt").exists());
    let now = content(&workshop, "lists");
    assert!(lists.iter().filter(|(name, _)| name.starts_with("epoch")).all(|(name, list)| now[name] == *list));
    assert!(workshop.next_is(2));
}
