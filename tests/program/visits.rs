//! What a trainer hands back of the images that it was shown.

use std::collections::{BTreeMap, BTreeSet};

use super::graphs::skilled;
use super::tables::{Row, manifest, parquet};
use super::workshop::Workshop;

const POOL: usize = 400;
const INITIAL: usize = 40;

/// The pool is scanned as far as needed, nothing comes along with what is mined, and nobody is kept out.
const CONFIG: &str = r#"
trainer: {command: [sh, train.sh]}
initial: {fraction: 0.1}
mine: {quota: 1.0, budget: 1000.0}
extras: {share: 0}
suspects: {keep_out: 1}
"#;

const SCORING: &str = "score: \"$GLEANER_LIST\" -o \"$GLEANER_SCORES_OUT\"";

/// A trainer that "trains" by handing its graph on; `more` comes before that, where `score:` scores a list with that graph.
fn workshop(more: &str) -> Workshop {
    let workshop = Workshop::new(POOL, CONFIG);
    let program = env!("CARGO_BIN_EXE_gleaner");
    let score = format!("{program} score -c config.yaml --checkpoint start.onnx --list");
    let take = "mv \"$GLEANER_CHECKPOINT_OUT.part\" \"$GLEANER_CHECKPOINT_OUT\"";
    let hand_on = format!("cp start.onnx \"$GLEANER_CHECKPOINT_OUT.part\" && {take}");
    workshop.write("train.sh", format!("set -e\n{}\n{hand_on}\n", more.replace("score:", &score)));
    workshop.write("start.onnx", skilled());
    workshop
}

/// Runs it to its end, and gives what it has logged.
fn run(workshop: &Workshop, epochs: u32) -> String {
    let run = workshop.run(&["run", "-c", "config.yaml", "--set", &format!("stop.epochs={epochs}")]);
    assert_eq!(run.code, Some(0), "{}", run.log);
    run.log
}

/// What `gleaner score` says of every image of the pool, by path.
fn answers(workshop: &Workshop) -> BTreeMap<String, Row> {
    let score =
        ["score", "-c", "config.yaml", "--checkpoint", "start.onnx", "--list", "pool.txt", "-o", "pool.parquet"];
    workshop.run(&score).well();
    let rows = parquet(&workshop.path("pool.parquet")).1;
    rows.into_iter().map(|row| (name(row.text("path")), row)).collect()
}

fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

fn listed(workshop: &Workshop, epoch: u32) -> BTreeSet<String> {
    let lines = manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv")));
    lines.iter().map(|line| name(&line.path)).collect()
}

/// The images among `names` that are not confidently right.
fn doubtful(answers: &BTreeMap<String, Row>, names: impl Iterator<Item = String>) -> BTreeSet<String> {
    names.filter(|name| !answers[name].is_right() || answers[name].of("p_label") < 0.9).collect()
}

#[test]
fn a_training_visit_is_an_answer_that_costs_nothing() {
    let workshop = workshop(SCORING);
    run(&workshop, 2);
    let answers = answers(&workshop);
    // By the trainer's answers for the first list and a scan of the others, all that is in doubt is trained on next.
    assert_eq!(listed(&workshop, 1), doubtful(&answers, answers.keys().cloned()));
    let first = doubtful(&answers, listed(&workshop, 0).into_iter());
    assert!(!first.is_empty() && first.len() < INITIAL, "the first list has some of both");
    let epoch = &workshop.status()["epochs"][1];
    assert_eq!((&epoch["scanned"], &epoch["scan_forwards"]), (&(POOL - INITIAL).into(), &(POOL - INITIAL).into()));
    for row in parquet(&workshop.path("state/samples.parquet")).1 {
        let answer = &answers[&name(row.text("path"))];
        assert_eq!((row.of("last_scored"), row.of("times_scored")), (0.0, 1.0));
        assert_eq!(row.of("predicted"), answer.of("predicted"));
        for column in ["p_label", "margin", "loss", "confidence"] {
            assert!((row.of(column) - answer.of(column)).abs() < 1e-6, "{column}");
        }
        assert_eq!(row.of("mean_p_label"), row.of("p_label"));
    }
}

#[test]
fn a_torn_file_is_told_of_and_its_images_wait_for_a_scan() {
    let torn = "score: \"$GLEANER_LIST\" -o whole; head -c 300 whole > \"$GLEANER_SCORES_OUT\"";
    let (warning, news) = ("what the trainer says of its images is passed over", "the trainer has said how it went");
    for (more, told) in [(torn, true), ("", false)] {
        let workshop = workshop(more);
        let log = run(&workshop, 2);
        assert_eq!((log.contains(warning), log.contains(news)), (told, false), "{log}");
        let answers = answers(&workshop);
        let first = listed(&workshop, 0);
        let others = answers.keys().filter(|name| !first.contains(*name)).cloned();
        assert_eq!(listed(&workshop, 1), doubtful(&answers, others));
    }
}

#[test]
fn an_image_that_cannot_be_read_does_not_end_a_run_that_knows_all_others() {
    let workshop = workshop(SCORING);
    workshop.write("broken.png", "no image");
    workshop.write("pool.txt", workshop.read("pool.txt") + "broken.png 3\n");
    let log = run(&workshop, 5);
    let epochs = workshop.status()["epochs"].clone();
    assert_eq!(epochs.as_array().unwrap().len(), 5, "{log}");
    // In the end the scan has nothing but the broken image to look at, and the list is as long as ever.
    let last = &epochs[4];
    assert_eq!((&last["scanned"], &last["skipped"]), (&0.into(), &1.into()), "{log}");
    assert!(last["size"] == epochs[3]["size"] && last["size"].as_u64() > Some(100), "{log}");
}

#[test]
fn the_last_part_of_the_planned_work_may_go_to_the_whole_pool() {
    let workshop = workshop("");
    let plan = ["policy=uniform", "mine.quota=0.15", "plan.cost=1.0", "plan.finish=0.5"];
    let set: Vec<&str> = plan.iter().flat_map(|setting| ["--set", setting]).collect();
    let run = workshop.run(&[&["run", "-c", "config.yaml"], &set[..]].concat());
    assert_eq!(run.code, Some(0), "{}", run.log);
    // 400 visits in all: a list of 40, two of 60, one cut to the 40 that may be spent before the end, and then everything,
    // cut to the 200 that are left.
    let epochs = workshop.status()["epochs"].clone();
    let of =
        |name: &str| -> Vec<u64> { epochs.as_array().unwrap().iter().map(|it| it[name].as_u64().unwrap()).collect() };
    assert_eq!(of("size"), [40, 60, 60, 40, 200]);
    assert_eq!(of("full"), [0, 0, 0, 0, 200]);
    let last = manifest(&workshop.path("lists/epoch-0004.csv"));
    assert!(last.iter().all(|line| line.stratum == "full" && line.weight == 1.0));
}
