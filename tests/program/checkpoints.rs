//! `trainer: none`: checkpoints come from elsewhere, by every door, whole or not.

use std::collections::BTreeSet;
use std::fs;

use super::graphs::{diverged, of_the_future, skilled};
use super::tables::manifest;
use super::workshop::{BY_ITSELF, Workshop, images};

const QUICK: &str = "initial: {fraction: 0.2}\nmine: {quota: 0.2}\n";
/// A scan that looks at everything.
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0}\n";

fn by_itself(images: usize) -> Workshop {
    Workshop::new(images, &format!("{BY_ITSELF}{QUICK}"))
}

#[test]
fn the_first_list_is_a_random_share_of_the_pool() {
    let workshop = by_itself(150);
    let mut service = workshop.serve();
    service.until_next(&workshop, 0);
    let list = workshop.read("lists/next.txt");
    let pool = images("pool.txt", 150);
    let lines: BTreeSet<&str> = list.lines().collect();
    assert_eq!(list.lines().count(), 30, "a fifth of 150");
    assert_eq!(lines.len(), 30, "no image twice");
    assert!(lines.iter().all(|line| pool.iter().any(|known| known == line)), "lines of the pool's list, unchanged");
    assert!(!pool[..30].iter().all(|line| lines.contains(line.as_str())), "not just the first ones");
    service.until_awaited(0);
    assert_eq!(workshop.status()["epochs"][0]["initial"], 30);
    let said = service.stop();
    assert!(said.well().contains("interrupted; the same command continues the run"));
}

#[test]
fn a_plain_copy_is_taken_once_it_is_quiet() {
    let workshop = by_itself(150);
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    let list = workshop.read("lists/next.txt");
    let first = workshop.read("lists/epoch-0000.txt");
    assert!(list.lines().all(|line| !first.lines().any(|known| known == line)), "only what was not trained on");
    service.until_awaited(1);
    // Two fifths of the images are right but not confident, or wrong; of the others fifteen in a hundred come along. The scan
    // of the other 120 ends as soon as that makes a subset of 30, and no image brings more than 1.
    let status = workshop.status();
    let [mined, scanned] = ["mined", "scanned"].map(|key| status["epochs"][1][key].as_f64().unwrap());
    let subset = mined + 0.15 * (scanned - mined);
    assert!((30.0..31.0).contains(&subset), "{mined} mined of {scanned}");
    assert_eq!(status["rejected"], serde_json::json!([]));
    // A copy of the next epoch, while the service is down, is found when it comes up again.
    service.stop().well();
    workshop.drop_in(1, skilled());
    let mut service = workshop.serve();
    service.until_next(&workshop, 2);
}

#[test]
fn a_rename_or_a_marker_needs_no_quiet_time() {
    let workshop = Workshop::new(150, &format!("trainer: none\ncheckpoint: {{quiet: 1h}}\n{QUICK}"));
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.write("watch/epoch-0000.onnx.part", skilled());
    fs::rename(workshop.path("watch/epoch-0000.onnx.part"), workshop.path("watch/epoch-0000.onnx")).unwrap();
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    workshop.drop_in(1, skilled());
    workshop.write("watch/epoch-0001.onnx.done", "");
    service.until_next(&workshop, 2);
    // A marker speaks for a file that was there before it: one that is cut off is rejected at once.
    service.until_awaited(2);
    workshop.drop_in(2, &skilled()[..skilled().len() / 2]);
    workshop.write("watch/epoch-0002.onnx.done", "");
    let reason = service.until("a rejection", || workshop.rejections().pop());
    assert!(reason.contains("not an ONNX file or truncated"), "{reason}");
    let marker = workshop.path("watch/epoch-0002.onnx.done");
    service.until("the marker going with its file", || (!marker.exists()).then_some(()));
}

#[test]
fn a_truncated_copy_is_rejected_and_the_good_one_that_follows_is_taken() {
    let workshop = by_itself(150);
    let mut service = workshop.serve();
    service.until_awaited(0);
    let before = workshop.bytes("lists/next.txt");
    workshop.drop_in(0, &skilled()[..skilled().len() * 2 / 3]);
    let reason = service.until("a rejection", || workshop.rejections().pop());
    assert!(reason.contains("epoch-0000.onnx: not an ONNX file or truncated"), "{reason}");
    assert!(reason.contains("export or copy the model again"), "{reason}");
    service.until("the file being put aside", || (!workshop.path("watch/epoch-0000.onnx").exists()).then_some(()));
    assert_eq!(reasons_beside(&workshop), [reason]);
    assert_eq!(workshop.bytes("lists/next.txt"), before);
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
}

#[test]
fn each_unfit_checkpoint_has_its_reason_and_the_last_good_list_stays() {
    let workshop = by_itself(150);
    workshop.new_graph(7, "seven.onnx");
    for (input, name) in [("3x28x28", "colour.onnx"), ("1x32x32", "large.onnx")] {
        workshop.run(&["model", "new", "convnet", "--classes", "10", "--input", input, "-o", name]).well();
    }
    let mut service = workshop.serve();
    service.until_awaited(0);
    let before = workshop.bytes("lists/next.txt");
    let unfit: [(Vec<u8>, &[&str]); 6] = [
        (workshop.bytes("seven.onnx"), &["it tells 7 classes apart, where this run has 10", "model.start"]),
        (diverged(skilled()), &["are not finite (NaN or infinity)", "diverged"]),
        (workshop.bytes("colour.onnx"), &["its input takes a channel count of 3, where the config's `pixels` gives 1"]),
        (workshop.bytes("large.onnx"), &["its input takes a height of 32, where the config's `pixels` gives 28"]),
        (
            of_the_future(skilled()),
            &["it needs operator set 99, and this ONNX Runtime knows those up to ", "lower `opset_version`"],
        ),
        (Vec::new(), &["not an ONNX file or truncated"]),
    ];
    for (count, (graph, texts)) in (1..).zip(unfit) {
        workshop.drop_in(0, graph);
        let reason =
            service.until("a rejection", || Some(workshop.rejections()).filter(|all| all.len() == count)?.pop());
        assert!(reason.contains("epoch-0000.onnx: "), "{reason}");
        assert!(texts.iter().all(|text| reason.contains(text)), "{reason}");
        service.until("its reason beside it", || Some(reasons_beside(&workshop)).filter(|all| all.contains(&reason)));
        assert_eq!(workshop.bytes("lists/next.txt"), before);
    }
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    assert_eq!(workshop.rejections().len(), 6);
}

#[test]
fn of_several_the_newest_is_taken() {
    let workshop = by_itself(150);
    // The newest is written first, so that it is not the last to be quiet.
    workshop.drop_in(2, skilled());
    workshop.drop_in(0, skilled());
    let mut service = workshop.serve();
    service.until_next(&workshop, 3);
    service.until_awaited(3);
    let status = workshop.status();
    let epochs: Vec<&serde_json::Value> =
        status["epochs"].as_array().unwrap().iter().map(|epoch| &epoch["epoch"]).collect();
    assert_eq!(epochs, [0, 3]);
    assert!(workshop.path("watch/epoch-0000.onnx").exists(), "what is skipped is left alone");
}

#[test]
fn a_script_that_ran_ahead_has_trained_on_the_old_list_all_the_while() {
    let workshop = Workshop::new(150, &format!("{BY_ITSELF}initial: {{fraction: 0.2}}\n{WHOLE}"));
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(2, skilled());
    service.until_next(&workshop, 3);
    service.until_awaited(3);
    let status = workshop.status();
    let epochs = status["epochs"].as_array().unwrap();
    assert_eq!((&epochs[0]["size"], &epochs[0]["train_visits"]), (&30.into(), &90.into()), "epochs 0, 1 and 2");
    assert_eq!((&epochs[1]["epoch"], &epochs[1]["scanned"]), (&3.into(), &120.into()), "all but the 30");
    let list = |epoch: u32| manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv")));
    let (old, new) = (list(0), list(3));
    assert_eq!(old.len(), 30);
    assert!(new.iter().all(|line| old.iter().all(|known| known.path != line.path)), "no image that is known already");
}

/// The reasons in the folders of rejected checkpoints, without the file's name that stands before each.
fn reasons_beside(workshop: &Workshop) -> Vec<String> {
    let Ok(folders) = fs::read_dir(workshop.path("watch/rejected")) else { return Vec::new() };
    let folders = folders.map(|folder| folder.unwrap().path()).filter(|folder| folder.join("epoch-0000.onnx").exists());
    let texts = folders.map(|folder| fs::read_to_string(folder.join("reason.txt")).unwrap());
    texts.map(|text| text.lines().next().unwrap().strip_prefix("epoch-0000.onnx: ").unwrap().to_owned()).collect()
}
