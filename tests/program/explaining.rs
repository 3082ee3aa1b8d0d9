//! `gleaner explain`, held against the lists and the table of samples that the program has left.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::graphs::skilled;
use super::tables::{Line, Row, manifest, parquet};
use super::workshop::{BY_ITSELF, Workshop, images};

const POOL: usize = 600;
/// A scan that looks at everything.
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0}\n";

/// Two lists, of which the second was chosen with the skilled graph, and the samples after it.
struct Two {
    workshop: Workshop,
    first: Vec<Line>,
    second: Vec<Line>,
    samples: Vec<Row>,
}

impl Two {
    fn with(config: &str) -> Self {
        let workshop = Workshop::new(POOL, &format!("{BY_ITSELF}{config}"));
        Self::of(workshop)
    }

    fn of(workshop: Workshop) -> Self {
        workshop.drop_in(0, skilled());
        workshop.mine(0).well();
        let list = |epoch: u32| manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv")));
        let (first, second) = (list(0), list(1));
        let samples = parquet(&workshop.path("state/samples.parquet")).1;
        Self { workshop, first, second, samples }
    }

    /// The samples that are on neither list.
    fn on_none(&self) -> Vec<usize> {
        let on: BTreeSet<&str> = self.first.iter().chain(&self.second).map(|line| line.path.as_str()).collect();
        (0..self.samples.len()).filter(|&id| !on.contains(self.samples[id].text("path"))).collect()
    }

    fn explain(&self, id: usize) -> Value {
        explain(&self.workshop, &format!("#{id}"))
    }

    /// The codes of the reasons of these samples, each once.
    fn codes(&self, ids: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
        let code = |id| self.explain(id)["list"]["reason"]["code"].as_str().unwrap().to_owned();
        ids.into_iter().map(code).collect()
    }
}

pub(crate) fn explain(workshop: &Workshop, image: &str) -> Value {
    serde_json::from_str(&workshop.run(&["explain", image, "-c", "config.yaml", "--json"]).well()).unwrap()
}

fn only(code: &str) -> BTreeSet<String> {
    BTreeSet::from([code.to_owned()])
}

fn near(value: &Value, expected: f64) {
    assert!((value.as_f64().unwrap() - expected).abs() < 2e-6, "{value} and not {expected}");
}

#[test]
fn an_image_on_the_list_its_history_and_its_mates() {
    let two = Two::with(&format!("{WHOLE}extras: {{share: 0.4, exponent: 1}}\ncluster: {{groups: 5}}\n"));
    for stratum in ["mined", "extra"] {
        let (order, line) = two.second.iter().enumerate().find(|(_, line)| line.stratum == stratum).unwrap();
        let id = two.samples.iter().position(|row| row.text("path") == line.path).unwrap();
        let (told, row) = (two.explain(id), &two.samples[id]);
        assert_eq!((&told["id"], &told["path"], &told["listed"]), (&id.into(), &told["listed"], &line.path[..].into()));
        assert_eq!((&told["label"], &told["class"]), (&line.label.into(), &Value::Null));

        let list = &told["list"];
        assert_eq!((&list["epoch"], &list["status"], &list["listed"]), (&1.into(), &"committed".into(), &true.into()));
        assert_eq!((&list["size"], &list["reason"]), (&two.second.len().into(), &Value::Null));
        let place = &list["row"];
        assert_eq!((&place["order"], &place["stratum"]), (&order.into(), &stratum.into()));
        near(&place["weight"], line.weight);
        assert_eq!(place["cluster"], line.cluster.unwrap());
        assert_eq!(place["predicted"], line.predicted.unwrap());
        near(&place["margin"], line.margin.unwrap());

        let history = &told["history"];
        assert_eq!(
            (&history["visits"], &history["last_trained"], &history["last_scored"]),
            (&1.into(), &1.into(), &0.into())
        );
        for key in ["p_label", "confidence", "margin", "loss"] {
            near(&history["answer"][key], row.of(key));
        }
        assert_eq!(history["answer"]["right"], row.is_right());
        assert_eq!(history["streak"], u32::from(!row.is_right()));
        // The scan looked at every candidate; an extra image then came with its share, a mined one surely.
        near(&history["inclusion"], 1.0);
        near(&history["chosen"], if stratum == "mined" { 1.0 } else { 0.4 });

        mates(&two, id, &told["cluster"]);
        let text = two.workshop.run(&["explain", &line.path, "-c", "config.yaml", "--mates", "0"]).well();
        let weight = if stratum == "mined" { "1" } else { "2.5" };
        let expected = format!(
            "on the list of epoch 1, line {} of {}: stratum {stratum}, weight {weight}\n",
            order + 1,
            two.second.len()
        );
        assert!(text.contains(&expected), "no {expected}in:\n{text}");
        assert!(text.contains("on one list so far, the last that of epoch 1, which is yet to be trained on"), "{text}");
    }
}

/// Counted by hand in the table of samples.
fn mates(two: &Two, id: usize, cluster: &Value) {
    let (own, label) = (two.samples[id].of("cluster"), two.samples[id].of("label"));
    let others: Vec<usize> =
        (0..POOL).filter(|&other| other != id && two.samples[other].number("cluster") == Some(own)).collect();
    let same = others.iter().filter(|&&other| two.samples[other].of("label") == label).count();
    assert!(others.len() > 10 && same < others.len(), "tells little");
    assert_eq!((&cluster["number"], &cluster["others"]), (&(own as u32).into(), &others.len().into()));
    assert_eq!((&cluster["same_label"], &cluster["other_label"]), (&same.into(), &(others.len() - same).into()));
    let told = cluster["mates"].as_array().unwrap();
    assert_eq!(told.len(), 10);
    for (mate, other) in told.iter().zip(others) {
        let row = &two.samples[other];
        assert_eq!((&mate["id"], &mate["path"]), (&other.into(), &row.text("path").into()));
        assert_eq!(
            (&mate["label"], &mate["predicted"]),
            (&(row.of("label") as u32).into(), &(row.of("predicted") as u32).into())
        );
    }
}

#[test]
fn confidence_leaves_out_what_was_just_trained_on_and_what_was_not_drawn() {
    let two = Two::with(&format!("{WHOLE}extras: {{share: 0.4}}\n"));
    let listed: BTreeSet<&str> = two.second.iter().map(|line| line.path.as_str()).collect();
    let before: Vec<usize> =
        (0..POOL).filter(|&id| two.first.iter().any(|line| line.path == two.samples[id].text("path"))).collect();
    assert!(two.first.iter().all(|line| !listed.contains(line.path.as_str())), "nothing is trained on twice in a row");
    assert_eq!(two.codes(before.into_iter().take(4)), only("just_trained"));
    let left: Vec<usize> = two.on_none();
    assert!(left.iter().all(|&id| two.samples[id].is_right() && two.samples[id].of("p_label") >= 0.9));
    assert_eq!(two.codes(left[..4].iter().copied()), only("known_not_drawn"));
    let told = two.explain(left[0]);
    let expected = format!(
        "the model was confidently right (p(label) {:.4}, 0.9 is enough): of such images a share of 0.4 is drawn, and it was \
         not drawn",
        two.samples[left[0]].of("p_label")
    );
    assert_eq!(told["list"]["reason"]["text"], expected);
    assert_eq!((&told["list"]["listed"], &told["list"]["row"]), (&false.into(), &Value::Null));
    assert_eq!((&told["history"]["visits"], &told["history"]["last_trained"]), (&0.into(), &Value::Null));

    // As after a crash between the commit and the rename.
    let state = |name: &str| two.workshop.path("state").join(name);
    fs::rename(state("samples.parquet"), state("samples.next.parquet")).unwrap();
    assert_eq!(two.explain(left[0]), told);
}

#[test]
fn a_list_that_was_cut_to_the_planned_work() {
    // 240 visits are planned, 60 are trained, 540 forwards cost 91.8: 88 are left, and more than that is mined.
    let two = Two::with(&format!("{WHOLE}plan: {{cost: 0.4, forward: 0.17}}\n"));
    assert_eq!(two.second.len(), 88);
    let (known, mined): (Vec<usize>, Vec<usize>) =
        two.on_none().into_iter().partition(|&id| two.samples[id].is_right() && two.samples[id].of("p_label") >= 0.9);
    assert!(known.len() > 4 && mined.len() > 4);
    assert_eq!(two.codes(mined.into_iter().take(4)), only("cut"));
    assert_eq!(two.codes(known.into_iter().take(4)), only("not_drawn_or_cut"));
}

#[test]
fn patent_leaves_out_what_is_right_what_was_thinned_and_what_the_scan_did_not_reach() {
    // 120 of 540 candidates are looked at, at random.
    let config =
        "policy: patent\nmine: {quota: 0.1, budget: 0.5, random: 1.0}\nplan: {forward: 0.25}\ncluster: {groups: 3}\n";
    let two = Two::with(config);
    let scanned = |id: &usize| two.samples[*id].number("last_scored") == Some(0.0);
    let (seen, unseen): (Vec<usize>, Vec<usize>) = two.on_none().into_iter().partition(scanned);
    let (right, wrong): (Vec<usize>, Vec<usize>) = seen.into_iter().partition(|&id| two.samples[id].is_right());
    assert_eq!(unseen.len(), 540 - 120);
    assert_eq!(two.codes(right.into_iter().take(4)), only("right"));
    assert_eq!(two.codes(wrong.into_iter().take(4)), only("thinned"));
    let told = two.explain(unseen[0]);
    assert_eq!(told["list"]["reason"]["code"], "not_reached");
    assert_eq!(
        told["list"]["reason"]["text"],
        "the scan with the model of epoch 0 looked at 120 images and did not come to it; it would have come with \
         probability 0.222"
    );
    near(&told["history"]["inclusion"], 120.0 / 540.0);
    assert_eq!((&told["history"]["answer"], &told["cluster"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_others_come_before_has_no_chance() {
    // Two scans of at most 120 images each: the second has enough of those that were never seen.
    let two = Two::with("mine: {quota: 0.1, budget: 0.5, stale: 1}\nplan: {forward: 0.25}\n");
    two.workshop.drop_in(1, skilled());
    two.workshop.mine(1).well();
    let samples = parquet(&two.workshop.path("state/samples.parquet")).1;
    let known = |row: &Row| row.number("last_scored") == Some(0.0) && row.number("last_trained").is_none();
    let told = two.explain(samples.iter().position(known).unwrap());
    assert_eq!((&told["list"]["epoch"], &told["list"]["reason"]["code"]), (&2.into(), &"not_reached".into()));
    let text = told["list"]["reason"]["text"].as_str().unwrap();
    assert!(text.ends_with("it had no chance, the scan ended before its turn came"), "{text}");
    near(&told["history"]["inclusion"], 0.0);
}

#[test]
fn answers_from_before_are_drawn_as_far_as_there_is_room() {
    // The list of epoch 1 is cut to 88; that of epoch 2 has room for 60, and the answers that still hold bring more.
    let two = Two::with(&format!("{WHOLE}plan: {{cost: 0.4, forward: 0.17}}\n"));
    two.workshop.drop_in(1, skilled());
    let more = ["mine", "-c", "config.yaml", "--checkpoint", "watch/epoch-0001.onnx"];
    two.workshop
        .run(&[&more[..], &["--set", "mine.quota=0.1", "--set", "mine.budget=0", "--set", "plan.cost="]].concat())
        .well();
    let listed = manifest(&two.workshop.path("lists/epoch-0002.csv"));
    let samples = parquet(&two.workshop.path("state/samples.parquet")).1;
    let left = |sure: bool, since: Option<f64>| {
        let of = |row: &Row| {
            let known = row.number("last_scored") == Some(0.0) && row.number("last_trained") == since;
            known
                && (row.is_right() && row.of("p_label") >= 0.9) == sure
                && listed.iter().all(|line| line.path != row.text("path"))
        };
        samples.iter().position(of).unwrap()
    };
    let code = |id: usize| two.explain(id)["list"]["reason"]["code"].as_str().unwrap().to_owned();
    assert_eq!(code(left(true, None)), "known_not_drawn");
    assert_eq!(code(left(false, None)), "no_room");
    // What the list of epoch 1 had was trained on after its last answer, and this trainer hands none back.
    assert_eq!(code(left(false, Some(1.0))), "just_trained");
    // What epoch 0 had was never scored, and there is no budget for a scan.
    let first = samples.iter().position(|row| row.number("last_trained") == Some(0.0)).unwrap();
    assert_eq!(code(first), "not_reached");
}

#[test]
fn an_image_that_cannot_be_read_and_lists_drawn_at_random() {
    let workshop = Workshop::new(POOL - 10, &format!("{BY_ITSELF}{WHOLE}"));
    let broken: Vec<String> = (0..10).map(|at| format!("broken-{at}.png")).collect();
    let pool = workshop.read("pool.txt");
    workshop.write("pool.txt", pool + &broken.iter().map(|name| format!("{name} 1\n")).collect::<String>());
    broken.iter().for_each(|name| workshop.write(name, "no image"));
    let two = Two::of(workshop);
    let missed = two.on_none().into_iter().find(|&id| id >= POOL - 10).unwrap();
    let told = two.explain(missed);
    let path = two.workshop.path(&broken[missed + 10 - POOL]);
    let why = told["history"]["unreadable"].as_str().unwrap();
    assert!(why.starts_with(&format!("{}: is not a whole image", path.display())), "{why}");
    assert_eq!(told["list"]["reason"]["code"], "unreadable");
    assert_eq!(told["list"]["reason"]["text"], format!("the scan could not read it: {why}"));

    // 60 of 600, and then 90 of 600; a hundred of them are not for training.
    let workshop = Workshop::new(POOL, &format!("{BY_ITSELF}policy: uniform\nmine: {{quota: 0.15}}\n"));
    let pool = workshop.read("pool.txt");
    let dropped: String =
        pool.lines().take(100).map(|line| format!("{},drop\n", line.rsplit_once(' ').unwrap().0)).collect();
    std::fs::create_dir(workshop.path("lists")).unwrap();
    workshop.write("lists/reviews.csv", format!("path,verdict\n{dropped}"));
    let mut service = workshop.serve();
    for (epoch, odds) in [
        (0, "60 of 500 images, so each with probability 0.120"),
        (1, "90 of 500 images, so each with probability 0.180"),
    ] {
        service.until_awaited(epoch);
        let list = manifest(&workshop.path("lists/next.csv"));
        let pool = images("pool.txt", POOL);
        let is_missing = |line: &String| list.iter().all(|one| *line != format!("{} {}", one.path, one.label));
        let id = 100 + pool.iter().skip(100).position(is_missing).unwrap();
        let told = explain(&workshop, &format!("#{id}"));
        assert_eq!((&told["list"]["epoch"], &told["list"]["reason"]["code"]), (&epoch.into(), &"not_drawn".into()));
        assert!(told["list"]["reason"]["text"].as_str().unwrap().contains(odds), "{told}");
        workshop.drop_in(epoch, skilled());
    }
    service.stop().well();
}
