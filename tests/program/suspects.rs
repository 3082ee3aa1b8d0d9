//! Images whose label is probably wrong: who is listed, who is kept out, who is let back in.

use std::collections::{BTreeMap, BTreeSet};

use super::explaining::explain;
use super::graphs::{inclined, skilled};
use super::mislabelled::{POOL, WRONG, list, named, paths, reason, run, run_with, suspects, workshop};
use super::tables::parquet;
use super::workshop::{Workshop, images};

const P_LABEL: f64 = 0.04;

/// What `gleaner score` says of an image of the pool.
#[derive(Debug)]
struct Answer {
    label: f64,
    predicted: f64,
    p_label: f64,
    confidence: f64,
}

impl Answer {
    fn in_doubt(&self) -> bool {
        self.label != self.predicted || self.p_label < 0.9
    }
}

/// What a graph says of every image of the pool, by path.
fn answers(workshop: &Workshop, graph: &str) -> BTreeMap<String, Answer> {
    let score = ["score", "-c", "config.yaml", "--checkpoint", graph, "--list", "pool.txt", "-o", "pool.parquet"];
    workshop.run(&score).well();
    let answer = |row: &super::tables::Row| Answer {
        label: row.of("label"),
        predicted: row.of("predicted"),
        p_label: row.of("p_label"),
        confidence: row.of("confidence"),
    };
    parquet(&workshop.path("pool.parquet")).1.iter().map(|row| (row.text("path").to_owned(), answer(row))).collect()
}

/// The images of `answers` whose p(label) is so low that they are suspects if nothing else is said of them.
fn doubted(answers: &BTreeMap<String, Answer>) -> BTreeSet<String> {
    answers.iter().filter(|(_, answer)| answer.p_label < P_LABEL).map(|(path, _)| path.clone()).collect()
}

/// Of those, the ones that are kept out: all but those of a class of which more than half is suspected.
fn kept_out(answers: &BTreeMap<String, Answer>) -> BTreeSet<String> {
    let doubted = doubted(answers);
    let of = |label: f64| answers.iter().filter(move |(_, answer)| answer.label == label).map(|(path, _)| path);
    let suspected = |label: f64| of(label).filter(|path| doubted.contains(*path)).count();
    let out = |path: &&String| 2 * suspected(answers[*path].label) <= of(answers[*path].label).count();
    doubted.iter().filter(out).cloned().collect()
}

/// A reading that was rounded to six decimals.
fn close(text: &str, value: f64) -> bool {
    (text.parse::<f64>().unwrap() - value).abs() < 1e-5
}

#[test]
fn suspects_are_listed_with_what_speaks_against_them_and_kept_out_once_they_are_many() {
    for (others, stratum) in [("confidence", "mined"), ("even", "uniform")] {
        suspects_are_kept_out(others, stratum);
    }
}

fn suspects_are_kept_out(others: &str, stratum: &str) {
    let workshop = workshop(&format!("suspects: {{others: {others}}}\n"), &[skilled()]);
    run(&workshop, 2);
    assert!(suspects(&workshop).is_empty(), "one model has scored each image, and that is not enough");
    run(&workshop, 3);
    // Two models have scored what was in doubt, and both gave the label the same probability.
    let answers = answers(&workshop, "graph-0.onnx");
    let (rows, expected) = (suspects(&workshop), doubted(&answers));
    assert_eq!(named(&rows), expected);
    assert!(expected.len() > POOL / 20 && expected.len() < POOL / 2, "{} of {POOL}", expected.len());
    let pool = workshop.read("pool.txt");
    let wrong = pool.lines().step_by(WRONG).map(|line| line.rsplit_once(' ').unwrap().0);
    let found = wrong.filter(|path| expected.contains(*path)).count();
    assert!(found > POOL / WRONG * 3 / 4, "{found} of the wrong labels are among them");
    for row in &rows {
        let answer = &answers[&row["path"]];
        assert_eq!((row["label"].parse(), row["suggested"].parse()), (Ok(answer.label), Ok(answer.predicted)));
        assert!(close(&row["mean_p_label"], answer.p_label) && close(&row["p_label"], answer.p_label), "{row:?}");
        assert_eq!((row["times_scored"].as_str(), row["last_scored"].as_str()), ("2", "1"));
        let visits = [0, 1].iter().filter(|&&epoch| paths(&list(&workshop, epoch)).contains(&row["path"])).count();
        assert_eq!((row["visits"].parse(), row["kept_out"].as_str()), (Ok(visits), "yes"), "{row:?}");
    }
    let means: Vec<f64> = rows.iter().map(|row| row["mean_p_label"].parse().unwrap()).collect();
    assert!(means.is_sorted(), "most certain first: {means:?}");
    // All others that are in doubt, or all others.
    let next = list(&workshop, 2);
    let (out, even) = (kept_out(&answers), others == "even");
    let wanted = |path: &&String| (even || answers[*path].in_doubt()) && !out.contains(*path);
    assert_eq!(paths(&next), answers.keys().filter(wanted).cloned().collect());
    assert!(next.iter().all(|line| line.stratum == stratum && line.weight == 1.0));
    let epoch = &workshop.status()["epochs"][2];
    assert_eq!((&epoch["suspects"], &epoch["kept_out"]), (&expected.len().into(), &out.len().into()));
    let told = workshop.run(&["status", "-c", "config.yaml"]).well();
    assert!(told.contains(&format!("suspects  {} labels are probably wrong", expected.len())), "{told}");
}

#[test]
fn what_is_known_stands_for_all_of_its_kind_once_suspects_are_kept_out() {
    let workshop = workshop("", &[skilled()]);
    let config = workshop.read("config.yaml");
    workshop.write("config.yaml", config.replace("extras: {share: 0}", "extras: {share: 0.25}"));
    run(&workshop, 3);
    let weights = |epoch| {
        let of = |stratum: &str| {
            let lines = list(&workshop, epoch).into_iter().filter(|line| line.stratum == stratum);
            lines.map(|line| line.weight.to_string()).collect::<BTreeSet<String>>()
        };
        (of("mined"), of("extra"))
    };
    let one = |weight: &str| BTreeSet::from([weight.to_owned()]);
    // Two models must have scored an image before it is suspected.
    assert_eq!(workshop.status()["epochs"][1]["kept_out"], 0);
    assert_eq!(weights(1), (one("1"), one("1")));
    assert!(workshop.status()["epochs"][2]["kept_out"].as_u64() > Some(0));
    assert_eq!(weights(2), (one("1"), one("4")));
}

#[test]
fn a_class_of_which_most_are_suspected_is_spared() {
    let workshop = workshop("suspects: {keep_out: 0.01}\n", &[skilled()]);
    // What is a bag (8) or a boot (9) is said to be a shirt (6) as well.
    let pool = workshop.read("pool.txt");
    let lines = pool.lines().map(|line| {
        let (path, label) = line.rsplit_once(' ').unwrap();
        format!("{path} {}\n", if matches!(label, "8" | "9") { "6" } else { label })
    });
    workshop.write("pool.txt", lines.collect::<String>());
    run(&workshop, 3);
    // From now on there is no room for all that are in doubt.
    let config = workshop.read("config.yaml");
    workshop.write("config.yaml", config.replace("quota: 1.0", "quota: 0.1"));
    run(&workshop, 4);
    let (answers, next) = (answers(&workshop, "graph-0.onnx"), paths(&list(&workshop, 3)));
    let out = kept_out(&answers);
    let (mut spared, mut suspected) = (0, 0);
    for row in suspects(&workshop).iter().filter(|row| !next.contains(&row["path"])) {
        let is_shirt = row["label"] == "6";
        *if is_shirt { &mut spared } else { &mut suspected } += 1;
        assert_eq!((row["kept_out"] == "yes", out.contains(&row["path"])), (!is_shirt, !is_shirt), "{row:?}");
        assert_eq!(reason(&workshop, &row["path"]) == "suspect", !is_shirt, "{row:?}");
    }
    assert!(spared > 5 && suspected > 5, "{spared} {suspected}");
}

#[test]
fn a_suspects_mates_are_those_of_its_cluster_that_nobody_suspects() {
    let workshop = workshop("suspects: {keep_out: 1}\ncluster: {groups: 4}\n", &[skilled()]);
    run(&workshop, 3);
    let rows = suspects(&workshop);
    let suspected = named(&rows);
    let known = parquet(&workshop.path("state/samples.parquet")).1;
    let count = |cluster: &str, label: Option<&str>| {
        let mates = known.iter().filter(|row| {
            let of = |column| row.number(column).map(|number| number.to_string());
            of("cluster").as_deref() == Some(cluster)
                && label.is_none_or(|label| of("label").as_deref() == Some(label))
                && !suspected.contains(row.text("path"))
        });
        mates.count().to_string()
    };
    assert!(rows.iter().any(|row| row["mates"] != "0" && !row["mates"].is_empty()));
    for row in rows.iter().filter(|row| !row["cluster"].is_empty()) {
        assert_eq!(row["mates"], count(&row["cluster"], None));
        assert_eq!(row["mates_with_label"], count(&row["cluster"], Some(&row["label"])));
        assert_eq!(row["mates_with_suggested"], count(&row["cluster"], Some(&row["suggested"])));
    }
}

#[test]
fn few_suspects_are_listed_and_trained_on() {
    let workshop = workshop("suspects: {keep_out: 0.5}\n", &[skilled()]);
    run(&workshop, 3);
    let answers = answers(&workshop, "graph-0.onnx");
    assert_eq!(named(&suspects(&workshop)), doubted(&answers));
    assert!(suspects(&workshop).iter().all(|row| row["kept_out"] == "no"));
    let in_doubt = answers.iter().filter(|(_, answer)| answer.in_doubt()).map(|(path, _)| path.clone());
    assert_eq!(paths(&list(&workshop, 2)), in_doubt.collect());
    assert_eq!(workshop.status()["epochs"][2]["kept_out"], 0);
}

#[test]
fn labels_of_classes_that_are_mixed_up_are_listed_and_trained_on() {
    // An eighth of every class has the label of the fifth class after it.
    let workshop = workshop("", &[skilled()]);
    run_with(&workshop, 3, "suspects.mixed_up=0.08");
    let answers = answers(&workshop, "graph-0.onnx");
    // By hand: both models that have scored an image have said the same. Only what was in doubt was scored twice.
    let of = |label: f64| answers.values().filter(move |answer| answer.label == label);
    let belief = |class: f64| of(class).map(|answer| answer.p_label).sum::<f64>() / of(class).count() as f64;
    let beliefs: Vec<f64> = (0..10).map(|class| belief(f64::from(class))).collect();
    let taken = |answer: &Answer| {
        answer.label != answer.predicted && 1.0 - answer.p_label >= beliefs[answer.predicted as usize]
    };
    let sure = |answer: &Answer| taken(answer) && answer.confidence >= beliefs[answer.predicted as usize];
    let mixed_up = |answer: &Answer| {
        let confused = of(answer.label).filter(|other| other.predicted == answer.predicted && sure(other)).count();
        confused as f64 > 0.08 * of(answer.label).count() as f64
    };
    let listed: BTreeMap<String, &str> = (answers.iter())
        .filter_map(|(path, answer)| match () {
            () if answer.p_label < P_LABEL => Some((path.clone(), "unbelieved")),
            () if taken(answer) && mixed_up(answer) => Some((path.clone(), "mixed_up")),
            () => None,
        })
        .collect();
    let rows = suspects(&workshop);
    let found: BTreeMap<String, &str> = rows.iter().map(|row| (row["path"].clone(), row["doubt"].as_str())).collect();
    assert_eq!(found, listed);
    let next = paths(&list(&workshop, 2));
    let (out, kept): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["kept_out"] == "yes");
    assert!(out.len() > 5 && out.iter().all(|row| row["doubt"] == "unbelieved" && !next.contains(&row["path"])));
    let mixed_up = kept.iter().filter(|row| row["doubt"] == "mixed_up");
    assert!(mixed_up.clone().count() > 2 && mixed_up.clone().all(|row| next.contains(&row["path"])), "{kept:?}");
    assert!(mixed_up.clone().all(|row| reason(&workshop, &row["path"]) == "on the list"));
    for row in &rows {
        let history = &explain(&workshop, &row["path"])["history"];
        assert_eq!((&history["suspect"], &history["doubt"]), (&true.into(), &row["doubt"].clone().into()));
    }
}

#[test]
fn a_suspect_that_models_come_to_believe_is_let_back_in() {
    // Two models that see shirts where there are none, then one that does not.
    let inclined = inclined(skilled(), 6, 8.0);
    let workshop = workshop("suspects: {recheck: 1, others: even}\n", &[&inclined, &inclined, skilled()]);
    // Validated on trousers, sandals and sneakers alone, which few of them resemble, nobody notices.
    let few: String = (images("validation.txt", 500).iter())
        .filter(|line| [" 1", " 5", " 7"].iter().any(|label| line.ends_with(label)))
        .map(|line| format!("{line}\n"))
        .collect();
    workshop.write("validation.txt", few);
    run(&workshop, 3);
    let before = named(&suspects(&workshop));
    let (wrong, right) = (answers(&workshop, "graph-0.onnx"), answers(&workshop, "graph-2.onnx"));
    assert_eq!(before, doubted(&wrong));
    let out = kept_out(&wrong);
    run(&workshop, 4);
    let still = |path: &&String| (wrong[*path].p_label + right[*path].p_label) / 2.0 < P_LABEL;
    let still: BTreeSet<String> = out.iter().filter(still).cloned().collect();
    assert!(still.len() + 5 <= out.len() && !still.is_empty(), "{} of {}", still.len(), out.len());
    assert_eq!(workshop.status()["epochs"][3]["scanned"], out.len(), "the suspects, and nobody else");
    let next = paths(&list(&workshop, 3));
    assert!(out.difference(&still).all(|path| next.contains(path)), "whoever is believed is trained on");
    assert!(still.is_disjoint(&next));
    let after = named(&suspects(&workshop));
    assert!(out.intersection(&after).eq(still.iter()));
}

#[test]
fn a_model_that_is_wrong_more_often_than_right_accuses_nobody() {
    let inclined = inclined(skilled(), 6, 30.0);
    let workshop = workshop("suspects: {keep_out: 0}\n", &[&inclined]);
    run(&workshop, 3);
    let epoch = &workshop.status()["epochs"][2];
    assert!(epoch["suspects"].as_u64() > Some(POOL as u64 / 2) && epoch["kept_out"] == 0, "{epoch}");
}
