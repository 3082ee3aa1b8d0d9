//! A pool in which some labels are wrong, and what a run with it says of its images.

use std::collections::{BTreeMap, BTreeSet};

use super::explaining::explain;
use super::tables::{Line, manifest};
use super::workshop::Workshop;

pub(crate) const POOL: usize = 400;
/// Every so-many-th label of the pool is wrong.
pub(crate) const WRONG: usize = 8;

/// Everything is scanned, and nothing comes along with what is mined.
const CONFIG: &str = r#"
trainer: {command: [sh, train.sh]}
initial: {fraction: 0.1}
mine: {quota: 1.0, budget: 1000.0}
extras: {share: 0}
"#;

/// A pool with wrong labels, and a trainer that "trains" by handing on the graph of the epoch, after it has said what that
/// graph makes of the list: `graphs` are those of the first epochs, the last of them stays.
pub(crate) fn workshop(config: &str, graphs: &[&[u8]]) -> Workshop {
    let workshop = Workshop::new(POOL, &format!("{CONFIG}{config}"));
    let pool = workshop.read("pool.txt");
    let lines = pool.lines().enumerate().map(|(at, line)| {
        let (path, label) = line.rsplit_once(' ').unwrap();
        let label: usize = label.parse().unwrap();
        format!("{path} {}\n", if at % WRONG == 0 { (label + 5) % 10 } else { label })
    });
    workshop.write("pool.txt", lines.collect::<String>());
    for (epoch, graph) in graphs.iter().enumerate() {
        workshop.write(&format!("graph-{epoch}.onnx"), graph);
    }
    let (program, last) = (env!("CARGO_BIN_EXE_gleaner"), graphs.len() - 1);
    workshop.write(
        "train.sh",
        format!(
            "set -e\ngraph=graph-$GLEANER_EPOCH.onnx; [ -e $graph ] || graph=graph-{last}.onnx\n\
             {program} score -c config.yaml --checkpoint $graph --list \"$GLEANER_LIST\" -o \"$GLEANER_SCORES_OUT\"\n\
             cp $graph \"$GLEANER_CHECKPOINT_OUT.part\"; mv \"$GLEANER_CHECKPOINT_OUT.part\" \"$GLEANER_CHECKPOINT_OUT\"\n"
        ),
    );
    workshop
}

/// Goes on until so many epochs are done, and gives what was logged. Only who is unbelieved is a suspect.
pub(crate) fn run(workshop: &Workshop, epochs: u32) -> String {
    run_with(workshop, epochs, "suspects.mixed_up=1")
}

pub(crate) fn run_with(workshop: &Workshop, epochs: u32, setting: &str) -> String {
    let epochs = format!("stop.epochs={epochs}");
    let run = workshop.run(&["run", "-c", "config.yaml", "--set", &epochs, "--set", setting]);
    assert_eq!(run.code, Some(0), "{}", run.log);
    run.log
}

pub(crate) fn list(workshop: &Workshop, epoch: u32) -> Vec<Line> {
    manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv")))
}

pub(crate) fn paths(list: &[Line]) -> BTreeSet<String> {
    list.iter().map(|line| line.path.clone()).collect()
}

/// `suspects.csv`: its rows by column, in its order.
pub(crate) fn suspects(workshop: &Workshop) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(workshop.path("lists/suspects.csv")).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

pub(crate) fn named(suspects: &[BTreeMap<String, String>]) -> BTreeSet<String> {
    suspects.iter().map(|row| row["path"].clone()).collect()
}

/// Why an image is not on the last list.
pub(crate) fn reason(workshop: &Workshop, path: &str) -> String {
    explain(workshop, path)["list"]["reason"]["code"].as_str().unwrap_or("on the list").to_owned()
}
