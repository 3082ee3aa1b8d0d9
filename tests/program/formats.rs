//! Lists in all formats at once.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::tables::manifest;
use super::workshop::{Workshop, images};

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

/// Prints the paths of a list in hexadecimal, read as a person's script would read them: by Python's own readers.
const READ: &str = r#"
import csv, json, os, sys
file = open(sys.argv[1], encoding="utf-8", errors="surrogateescape", newline="" if sys.argv[1].endswith("csv") else None)
paths = {
    "txt": lambda: [line.rstrip("\n").rsplit(" ", 1)[0] for line in file],
    "paths": lambda: file.read().splitlines(),
    "csv": lambda: [row["path"] for row in csv.DictReader(file)],
    "jsonl": lambda: [json.loads(line)["file_name"] for line in file],
}[sys.argv[1].rsplit(".")[-1]]()
print("\n".join(os.fsencode(path).hex() for path in paths))
"#;

fn hexadecimal(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_by_python(list: &Path) -> BTreeSet<String> {
    let said = Command::new("python3").args(["-c", READ]).arg(list).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A pool of a folder a class, whose images have these names.
fn with_names(names: &[&[u8]], formats: &str) -> Workshop {
    let workshop =
        Workshop::new(1, &format!("trainer: none\ninitial: {{fraction: 1.0}}\nlists: {{formats: {formats}}}\n"));
    let image = images("pool.txt", 1)[0].rsplit_once(' ').unwrap().0.to_owned();
    for class in ["a", "b"] {
        fs::create_dir_all(workshop.path("classes").join(class)).unwrap();
        for name in names {
            fs::copy(&image, workshop.path("classes").join(class).join(OsStr::from_bytes(name))).unwrap();
        }
    }
    workshop.write("config.yaml", workshop.read("config.yaml").replace("train: pool.txt", "train: classes"));
    workshop
}

#[test]
fn odd_names_are_read_back_from_every_format_as_they_are() {
    let text: [&[u8]; 11] = [
        b"a b.png",
        b"  c  .png",
        b"tab\t.png",
        b"comma,.png",
        b"\"quote\".png",
        b"'single'.png",
        b"back\\slash\\n.png",
        b"#hash%20.png",
        b"7 3.png",
        "\u{e9}\u{1f600}.png".as_bytes(),
        b"\x7f\x01.png",
    ];
    let bytes: [&[u8]; 2] = [b"caf\xe9.png", b"\xff\xfe 1.png"];
    for (names, formats) in [
        (text.to_vec(), vec!["txt", "paths", "csv", "jsonl"]),
        ([&text[..], &bytes].concat(), vec!["txt", "paths", "csv"]),
        // Only the manifest holds these.
        ([&text[..], &bytes, &[b"a\rb.png", "a\u{2028}b.png".as_bytes()]].concat(), vec!["csv"]),
    ] {
        let workshop = with_names(&names, &format!("[tree, {}]", formats.join(", ")));
        let mut service = workshop.serve();
        service.until_awaited(0);
        service.stop().well();
        let place = |class: &str, name: &&[u8]| {
            let path = workshop.path("classes").join(class).join(OsStr::from_bytes(name));
            hexadecimal(&path)
        };
        let expected: BTreeSet<String> =
            ["a", "b"].iter().flat_map(|class| names.iter().map(|name| place(class, name))).collect();
        assert_eq!(expected.len(), 2 * names.len());
        for format in formats {
            assert_eq!(read_by_python(&workshop.path(&format!("lists/epoch-0000.{format}"))), expected, "{format}");
        }
        let links = ["a", "b"].map(|class| fs::read_dir(workshop.path("lists/epoch-0000").join(class)).unwrap());
        let links = links.into_iter().flatten().map(|link| fs::read_link(link.unwrap().path()).unwrap());
        assert_eq!(links.map(|link| hexadecimal(&link)).collect::<BTreeSet<String>>(), expected);
    }
}

#[test]
fn names_that_no_list_can_carry_are_refused_by_name() {
    let cases: [(&[u8], &str, &str); 4] = [
        (b"a\nb.png", "[csv]", "a\\nb.png\": there is a line break in this name, which no list can carry; rename it"),
        (b"a\rb.png", "[txt]", "a\\rb.png\": its path contains a line break; rename the file, or leave out "),
        ("a\u{85}b.png".as_bytes(), "[paths]", "a\\u{85}b.png\": its path contains a line break; rename the file"),
        (b"\xff.png", "[jsonl]", "\\xFF.png\": its path is not UTF-8, and JSON holds nothing else; rename the file"),
    ];
    for (name, formats, expected) in cases {
        let workshop = with_names(&[b"good.png", name], formats);
        let said = workshop.serve().end().badly();
        assert!(said.contains(expected) && !said.contains("good.png"), "{said}");
        assert!(!workshop.path("lists").exists());
    }
}

#[test]
fn paths_may_stay_as_they_are_listed() {
    let workshop = Workshop::new(60, "trainer: none\nlists: {formats: [txt], paths: listed}\n");
    std::os::unix::fs::symlink(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data"), workshop.path("data"))
        .unwrap();
    let shortened = workshop.read("pool.txt").replace(&format!("{}/", env!("CARGO_MANIFEST_DIR")), "");
    workshop.write("pool.txt", &shortened);
    let mut service = workshop.start(&["run", "-c", "config.yaml", "--set", "pool.links=anywhere"]);
    service.until_next(&workshop, 0);
    let list = workshop.read("lists/next.txt");
    assert_eq!(list.lines().count(), 6);
    assert!(list.lines().all(|line| line.starts_with("data/") && shortened.lines().any(|known| known == line)));
    assert!(workshop.path("lists/epoch-0000.csv").exists(), "the manifest is written in any case");
    assert!(workshop.path("lists/next.csv").exists());
}
