//! The policies, held against what `gleaner score` says of the same checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::graphs::skilled;
use super::tables::{Line, Row, manifest, parquet};
use super::workshop::{BY_ITSELF, Workshop, images};

const POOL: usize = 600;
/// A scan that looks at everything; a tenth of the pool is trained on before.
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0}\n";

/// One turn: the lists of the first two epochs, and what is known of each sample afterwards, by path.
struct Turn {
    workshop: Workshop,
    first: Vec<Line>,
    second: Vec<Line>,
    samples: BTreeMap<String, Row>,
}

impl Turn {
    fn with(config: &str) -> Self {
        let workshop = Workshop::new(POOL, &format!("{BY_ITSELF}{config}"));
        workshop.drop_in(0, skilled());
        let said = workshop.mine(0).well();
        assert_eq!(said.trim(), workshop.path("lists/epoch-0001.txt").to_str().unwrap());
        let list = |epoch: u32| manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv")));
        let (first, second) = (list(0), list(1));
        let samples = by_path(parquet(&workshop.path("state/samples.parquet")).1);
        Self { first, second, samples, workshop }
    }

    /// What `gleaner score` says of every image that was not trained on.
    fn scores(&self) -> BTreeMap<String, Row> {
        let arguments = ["score", "-c", "config.yaml", "--checkpoint", "watch/epoch-0000.onnx", "--list", "pool.txt"];
        self.workshop.run(&[&arguments[..], &["-o", "scores.parquet"]].concat()).well();
        let mut scores = by_path(parquet(&self.workshop.path("scores.parquet")).1);
        scores.retain(|path, _| self.first.iter().all(|line| line.path != *path));
        scores
    }

    fn stratum(&self, name: &str) -> Vec<&Line> {
        self.second.iter().filter(|line| line.stratum == name).collect()
    }

    /// How many of the scanned images of each cluster this holds for.
    fn by_cluster(&self, holds: impl Fn(&Row) -> bool) -> BTreeMap<Option<u32>, usize> {
        let scanned = self.samples.values().filter(|row| row.number("last_scored") == Some(0.0) && holds(row));
        tally(scanned.map(|row| row.number("cluster").map(|cluster| cluster as u32)))
    }
}

fn by_path(rows: Vec<Row>) -> BTreeMap<String, Row> {
    rows.into_iter().map(|row| (row.text("path").to_owned(), row)).collect()
}

fn tally<T: Ord>(things: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    things.for_each(|thing| *counts.entry(thing).or_default() += 1);
    counts
}

fn paths<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeSet<&'a str> {
    lines.into_iter().map(|line| line.path.as_str()).collect()
}

/// The manifest's answers are those of `gleaner score`, to the six decimals that it has.
fn agree(lines: &[Line], scores: &BTreeMap<String, Row>) {
    for line in lines {
        let score = &scores[&line.path];
        assert_eq!(f64::from(line.predicted.unwrap()), score.of("predicted"));
        assert_eq!(f64::from(line.label), score.of("label"));
        assert!((line.confidence.unwrap() - score.of("confidence")).abs() < 2e-6);
        assert!((line.margin.unwrap() - score.of("margin")).abs() < 2e-6);
    }
}

#[test]
fn the_first_epoch_is_drawn_before_anything_is_known() {
    let turn = Turn::with(WHOLE);
    assert_eq!(turn.first.len(), 60);
    for line in &turn.first {
        assert_eq!((line.stratum.as_str(), line.weight), ("initial", 1.0));
        assert_eq!((line.cluster, line.predicted, line.confidence, line.margin), (None, None, None, None));
    }
}

#[test]
fn confidence_takes_all_that_is_not_confidently_right_and_a_share_of_the_rest() {
    share_of_the_rest("", 1.0);
}

#[test]
fn the_share_of_the_rest_may_stand_for_all_of_it() {
    // One over the share.
    share_of_the_rest(", exponent: 1", 2.5);
}

fn share_of_the_rest(exponent: &str, weight: f64) {
    let turn = Turn::with(&format!("{WHOLE}extras: {{share: 0.4{exponent}}}\ncluster: {{groups: 5}}\n"));
    let scores = turn.scores();
    assert_eq!(scores.len(), 540);
    agree(&turn.second, &scores);
    let unsure = |row: &Row| !row.is_right() || row.of("p_label") < 0.9;
    let expected: BTreeSet<&str> =
        scores.iter().filter(|(_, row)| unsure(row)).map(|(path, _)| path.as_str()).collect();
    let mined = turn.stratum("mined");
    assert_eq!(paths(mined.iter().copied()), expected);
    assert_eq!(mined.len(), expected.len(), "no image twice");
    assert!(mined.iter().all(|line| line.weight == 1.0));
    assert!(mined.len() > 100 && mined.len() < 500, "{} of 540 tell little", mined.len());

    let extras = turn.stratum("extra");
    assert_eq!(extras.len() + mined.len(), turn.second.len());
    for extra in &extras {
        assert!(!unsure(&scores[&extra.path]));
        assert_eq!(extra.weight, weight);
    }
    // Of each cluster 0.4 of the known, rounded up or down.
    let known = turn.by_cluster(|row| !unsure(row));
    let drawn = tally(extras.iter().map(|extra| extra.cluster));
    assert!(known.len() > 1 && known.len() <= 5 && !known.contains_key(&None), "{known:?}");
    for (cluster, &count) in &known {
        let exact = count as f64 * 0.4;
        let drawn = drawn.get(cluster).copied().unwrap_or(0) as f64;
        assert!(drawn == exact.floor() || drawn == exact.ceil(), "{drawn} of {count}");
    }
}

#[test]
fn what_a_scan_cannot_pay_for_is_taken_without_a_look() {
    // Forwards at a quarter of a visit each may cost a quarter of the 300 visits that the quota is: 300 of the 540 candidates.
    for (budget, scanned) in [(0.25, 300), (0.0, 0)] {
        let turn = Turn::with(&format!(
            "mine: {{quota: 0.5, budget: {budget}}}\nextras: {{share: 0, exponent: 1}}\nplan: {{forward: 0.25}}\n"
        ));
        let epoch = &turn.workshop.status()["epochs"][1];
        let of = |name: &str| epoch[name].as_u64().unwrap() as usize;
        assert_eq!((of("scanned"), of("scan_forwards"), of("mined")), (scanned, scanned, of("found")));
        assert!(scanned == 0 || (of("found") > 100 && of("found") < 280), "{epoch}");
        let (mined, unseen) = (turn.stratum("mined"), turn.stratum("uniform"));
        assert_eq!((mined.len(), unseen.len(), turn.second.len()), (of("found"), 300 - of("found"), 300));
        assert_eq!(paths(&turn.second).len(), 300, "no image twice");
        assert!(paths(&turn.first).is_disjoint(&paths(&turn.second)));
        // Whoever was looked at or taken came with the same probability, in the same random order.
        let reached = (scanned + unseen.len()) as f64 / 540.0;
        for line in &unseen {
            assert_eq!((line.predicted, line.cluster, line.weight), (None, None, 1.0));
            let row = &turn.samples[&line.path];
            assert!(row.number("last_scored").is_none());
            assert!((row.of("inclusion") - reached).abs() < 1e-6 && (row.of("chosen") - reached).abs() < 1e-6);
        }
        assert!(mined.iter().all(|line| line.weight == 1.0));
    }
}

#[test]
fn a_scan_ends_at_its_quota_or_its_budget() {
    let ended = |mine: &str| {
        let turn = Turn::with(&format!("policy: patent\nmine: {{{mine}}}\nplan: {{forward: 0.25}}\n"));
        let epoch = turn.workshop.status()["epochs"][1].clone();
        ["found", "scanned", "scan_forwards"].map(|name| epoch[name].as_u64().unwrap())
    };
    let [found, scanned, forwards] = ended("quota: 0.05, budget: 1000.0");
    assert_eq!(found, 30, "a twentieth of 600");
    assert!(scanned < 540 && forwards >= scanned, "{scanned} {forwards}");
    // Forwards at a quarter of a visit each may cost half of the 60 visits that the quota is: 120 of them.
    let [found, scanned, forwards] = ended("quota: 0.1, budget: 0.5");
    assert!(found < 60);
    assert_eq!((scanned, forwards), (120, 120));
}

#[test]
fn patent_thins_expands_or_does_both() {
    let config = |mode: &str| format!("policy: patent\n{WHOLE}cluster: {{mode: {mode}, groups: 6, fraction: 0.3}}\n");
    let [thin, expand, both] = ["thin", "expand", "thin+expand"].map(|mode| Turn::with(&config(mode)));
    let scores = thin.scores();
    let wrong: BTreeSet<&str> =
        scores.iter().filter(|(_, row)| !row.is_right()).map(|(path, _)| path.as_str()).collect();
    assert!(wrong.len() > 50 && wrong.len() < 400, "{} of 540 tell little", wrong.len());
    for turn in [&thin, &expand, &both] {
        agree(&turn.second, &scores);
        assert_eq!(paths(&turn.second).len(), turn.second.len(), "no image twice");
        assert!(turn.second.iter().all(|line| line.weight == 1.0));
        assert!(turn.stratum("mined").iter().all(|line| wrong.contains(line.path.as_str())));
        assert!(turn.stratum("extra").iter().all(|line| !wrong.contains(line.path.as_str())));
    }
    // Halves are rounded up, and no group is left out.
    let groups = thin.by_cluster(|row| !row.is_right());
    assert!(groups.len() > 1 && groups.len() <= 6 && !groups.contains_key(&None), "{groups:?}");
    assert_eq!(groups.values().sum::<usize>(), wrong.len());
    let share = |count: &usize| (*count as f64 * 0.3 + 0.5).floor() as usize;
    let kept: BTreeMap<_, _> = groups.iter().map(|(cluster, count)| (*cluster, share(count).max(1))).collect();
    let clusters = |lines: Vec<&Line>| tally(lines.into_iter().map(|line| line.cluster));
    assert_eq!(clusters(thin.stratum("mined")), kept);
    assert!(thin.stratum("extra").is_empty());

    assert_eq!(paths(expand.stratum("mined")), wrong);
    let mut added: BTreeMap<_, _> = groups.iter().map(|(cluster, count)| (*cluster, share(count))).collect();
    added.retain(|_, count| *count > 0);
    assert_eq!(clusters(expand.stratum("extra")), added);

    assert_eq!(paths(both.stratum("mined")), paths(thin.stratum("mined")));
    assert_eq!(paths(both.stratum("extra")), paths(expand.stratum("extra")));
}

#[test]
fn uniform_draws_a_fresh_subset_each_epoch_and_scans_nothing() {
    let workshop = Workshop::new(POOL, &format!("{BY_ITSELF}policy: uniform\nmine: {{quota: 0.15}}\n"));
    for epoch in 0..2 {
        workshop.drop_in(epoch, skilled());
        workshop.mine(epoch).well();
    }
    let lists = [0, 1, 2].map(|epoch| manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv"))));
    assert_eq!(lists.each_ref().map(Vec::len), [60, 90, 90]);
    let pool = images("pool.txt", POOL);
    for list in &lists[1..] {
        assert_eq!(paths(list).len(), 90, "no image twice");
        for line in list {
            assert!(pool.contains(&format!("{} {}", line.path, line.label)));
            assert_eq!((line.stratum.as_str(), line.weight, line.predicted), ("uniform", 1.0, None));
        }
    }
    // 90 of 600 drawn twice have 13.5 in common on average, with a standard deviation of about 3.2.
    let common = paths(&lists[1]).intersection(&paths(&lists[2])).count();
    assert!((1..30).contains(&common), "{common} in common");
    let status = workshop.status();
    assert_eq!((&status["totals"]["scan_forwards"], &status["epochs"][2]["uniform"]), (&0.into(), &90.into()));
}

#[test]
fn one_turn_by_hand_publishes_what_the_service_does() {
    for policy in ["confidence", "patent", "uniform"] {
        let config = format!("policy: {policy}\nmine: {{quota: 0.1, budget: 0.5}}\n");
        let by_hand = Turn::with(&config).workshop;
        let served = Workshop::new(POOL, &format!("{BY_ITSELF}{config}"));
        let mut service = served.serve();
        service.until_next(&served, 0);
        served.drop_in(0, skilled());
        service.until_next(&served, 1);
        service.stop().well();
        for name in ["lists/epoch-0000.csv", "lists/epoch-0001.txt", "lists/epoch-0001.csv", "state/samples.parquet"] {
            assert!(by_hand.bytes(name) == served.bytes(name), "{policy}: {name} differs");
        }
        assert!(by_hand.next_is(1));
    }
}

/// Two turns of `patent` with the same checkpoint: what the second scan has looked at, found, and the samples afterwards.
fn two_scans(random: f64) -> (f64, f64, Vec<Row>) {
    let config = format!(
        "{BY_ITSELF}policy: patent\nmine: {{quota: 0.05, budget: 1000.0, random: {random}}}\ncluster: {{groups: 4}}\n"
    );
    let workshop = Workshop::new(4000, &config);
    for epoch in [0, 1] {
        workshop.drop_in(epoch, skilled());
        workshop.mine(epoch).well();
    }
    let epochs = workshop.status()["epochs"].clone();
    let of = |key: &str| epochs[2][key].as_f64().unwrap();
    (of("scanned"), of("found"), parquet(&workshop.path("state/samples.parquet")).1)
}

#[test]
fn patent_goes_first_to_where_history_makes_finds_likely() {
    let (scanned, found, samples) = two_scans(0.05);
    let (at_random, found_at_random, samples_at_random) = two_scans(1.0);
    assert_eq!((found, found_at_random), (200.0, 200.0));
    // The checkpoint is the same, so what was wrong and was not taken is wrong again.
    assert!(scanned * 1.4 < at_random, "{scanned} looks against {at_random}");

    // What the list before this scan had was no candidate, and is the same still.
    let was_none = |row: &&Row| row.number("last_trained") == Some(1.0);
    let candidates = |samples: &[Row]| -> Vec<f64> {
        samples.iter().filter(|row| !was_none(row)).map(|row| row.of("inclusion")).collect()
    };
    let inclusion = candidates(&samples);
    assert!(inclusion.iter().all(|&p| p > 0.0 && p <= 1.0), "nothing is never visited");
    assert!(inclusion.iter().any(|&p| p < 0.5), "and hardly anything is sure to be");
    // At random every candidate has the same chance: what was scanned of what the last epoch did not train on.
    let trained = samples_at_random.iter().filter(was_none).count();
    let expected = at_random / (4000.0 - trained as f64);
    let same = candidates(&samples_at_random);
    assert!(same.iter().all(|&p| (p - expected).abs() < 1e-6), "{:?} and not {expected}", same.first());
    // Half of each group is kept, rounded up.
    for row in samples_at_random.iter().filter(|row| row.number("last_trained") == Some(2.0)) {
        let share = row.of("chosen") / expected;
        assert!(share > 0.4999 && share < 1.0001, "{share}");
    }
}
