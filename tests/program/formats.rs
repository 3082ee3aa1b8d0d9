//! Lists in all formats at once.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::tables::manifest;
use super::workshop::Workshop;

const ALL: &str = "trainer: none\nlists: {formats: [txt, csv, paths, jsonl, tree]}\ninitial: {fraction: 0.5}\n";

#[test]
fn every_format_says_the_same() {
    let workshop = Workshop::new(60, ALL);
    let mut service = workshop.serve();
    service.until_next(&workshop, 0);
    service.stop().well();
    let expected: Vec<(String, u32)> =
        manifest(&workshop.path("lists/epoch-0000.csv")).into_iter().map(|line| (line.path, line.label)).collect();
    assert_eq!(expected.len(), 30);
    let text: String = expected.iter().map(|(path, label)| format!("{path} {label}\n")).collect();
    assert_eq!(workshop.read("lists/epoch-0000.txt"), text);
    let paths: String = expected.iter().map(|(path, _)| format!("{path}\n")).collect();
    assert_eq!(workshop.read("lists/epoch-0000.paths"), paths);
    let objects = workshop.read("lists/epoch-0000.jsonl");
    let objects: Vec<Value> = objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wanted: Vec<Value> =
        expected.iter().map(|(path, label)| serde_json::json!({"file_name": path, "label": label})).collect();
    assert_eq!(objects, wanted);
    // A folder for each class, as ImageFolder reads it: the label is the folder's place in sorted order.
    let tree = workshop.path("lists/epoch-0000");
    let mut classes: Vec<String> =
        fs::read_dir(&tree).unwrap().map(|class| class.unwrap().file_name().into_string().unwrap()).collect();
    classes.sort();
    assert_eq!(classes.len(), 10);
    let mut found = BTreeSet::new();
    for (label, class) in (0..).zip(&classes) {
        for link in fs::read_dir(tree.join(class)).unwrap() {
            let target = fs::read_link(link.unwrap().path()).unwrap();
            assert!(target.is_file(), "{}", target.display());
            found.insert((target.to_str().unwrap().to_owned(), label));
        }
    }
    assert_eq!(found, expected.into_iter().collect());
    for extension in ["txt", "csv", "paths", "jsonl"] {
        let next = workshop.read(&format!("lists/next.{extension}"));
        assert_eq!(next, workshop.read(&format!("lists/epoch-0000.{extension}")));
    }
    assert_eq!(fs::canonicalize(workshop.path("lists/next")).unwrap(), fs::canonicalize(tree).unwrap());
}

#[test]
fn paths_may_stay_as_they_are_listed() {
    let workshop = Workshop::new(60, "trainer: none\nlists: {formats: [txt], paths: listed}\n");
    std::os::unix::fs::symlink(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data"), workshop.path("data"))
        .unwrap();
    let shortened = workshop.read("pool.txt").replace(&format!("{}/", env!("CARGO_MANIFEST_DIR")), "");
    workshop.write("pool.txt", &shortened);
    let mut service = workshop.serve();
    service.until_next(&workshop, 0);
    let list = workshop.read("lists/next.txt");
    assert_eq!(list.lines().count(), 6);
    assert!(list.lines().all(|line| line.starts_with("data/") && shortened.lines().any(|known| known == line)));
    assert!(workshop.path("lists/epoch-0000.csv").exists(), "the manifest is written in any case");
    assert!(workshop.path("lists/next.csv").exists());
}
