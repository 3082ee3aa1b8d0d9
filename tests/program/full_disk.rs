//! The disk fills up while something is published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::graphs::skilled;
use super::small_disk::SmallDisk;
use super::workshop::{BY_ITSELF, Workshop, until};

#[test]
fn the_last_good_list_stays_and_a_start_with_space_continues() {
    let Some(disk) = SmallDisk::mount("size=1m") else { return };
    let lists = disk.path().join("lists");
    let config = format!(
        "{BY_ITSELF}policy: uniform\ninitial: {{fraction: 0.01}}\nmine: {{quota: 1.0}}\nlists: {{folder: {}}}\n",
        lists.display()
    );
    let workshop = Workshop::new(1500, &config);
    let mut service = workshop.serve();
    service.until_said("waiting for the checkpoint");
    let before = fs::read(lists.join("next.txt")).unwrap();
    // What is left holds the manifest of the first list many times, but not that of 1,500 images.
    let filler = disk.fill(40_960);
    workshop.drop_in(0, skilled());
    let said = service.end().badly();
    let manifest = lists.join("epoch-0001.csv");
    assert!(said.contains(&format!("{}: cannot be written: No space left on device", manifest.display())), "{said}");
    assert!(said.contains("free some space"), "{said}");
    assert_eq!(fs::read(lists.join("next.txt")).unwrap(), before);
    assert!(!manifest.exists() && !lists.join("epoch-0001.txt").exists());
    let names = fs::read_dir(&lists).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = names.filter(|name| name.contains("tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(workshop.status()["standing"], "epoch 0 is trained, the next list is due");

    // Once more without space: the same, and still nothing is lost.
    workshop.serve().end().badly();
    assert_eq!(fs::read(lists.join("next.txt")).unwrap(), before);

    fs::remove_file(filler).unwrap();
    let mut service = workshop.serve();
    let expected = lists.join("epoch-0001.txt");
    service.until("the next list", || {
        let next = fs::read(lists.join("next.txt")).unwrap();
        fs::read(&expected).is_ok_and(|list| list == next).then_some(())
    });
    assert_eq!(fs::read_to_string(&expected).unwrap().lines().count(), 1500);
    service.stop().well();
}

/// A run on a small disk, whose first list is published and whose first checkpoint is there.
fn on(disk: &SmallDisk) -> Workshop {
    let place = |name: &str| disk.path().join(name).display().to_string();
    let config = format!(
        "trainer: none\ncheckpoint: {{quiet: 10ms, folder: {}}}\nmine: {{quota: 0.5}}\nlists: {{folder: {}}}\n\
         state: {{folder: {}}}\n",
        place("watch"),
        place("lists"),
        place("state")
    );
    let workshop = Workshop::new(300, &config);
    let mut service = workshop.serve();
    service.until_awaited(0);
    service.stop().well();
    fs::write(disk.path().join("watch/epoch-0000.onnx"), skilled()).unwrap();
    workshop
}

/// Everything on the disk by its name; of the ledger and the lock, which tell of times and processes, only that they are
/// there.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut content = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            content.append(&mut self::content(&path));
        } else {
            let varies = path.ends_with("ledger.sqlite") || path.ends_with("lock");
            let bytes = if varies { Vec::new() } else { fs::read(&path).unwrap() };
            content.insert(path, bytes);
        }
    }
    content
}

#[test]
fn whatever_is_published_when_the_space_ends_nothing_is_lost() {
    let Some(disk) = SmallDisk::mount("size=4m") else { return };
    let workshop = on(&disk);
    let before = workshop.path("before");
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap().success());
    };
    fs::create_dir(&before).unwrap();
    copy(disk.path(), &before);
    let first = fs::read(disk.path().join("lists/next.txt")).unwrap();
    let next = || fs::read(disk.path().join("lists/next.txt")).unwrap();
    let goes_on = || {
        let mut service = workshop.serve();
        service.until("the next list", || (next() != first).then_some(()));
        service.until_awaited(1);
        service.stop().well();
        content(disk.path())
    };
    let expected = goes_on();
    let mut failed = BTreeSet::new();
    for pages in 0.. {
        for folder in ["lists", "state", "watch"] {
            fs::remove_dir_all(disk.path().join(folder)).unwrap();
        }
        copy(&before, disk.path());
        let filler = disk.fill(pages * 4096);
        let mut service = workshop.serve();
        until("an end", || (service.has_ended() || next() != first).then_some(()));
        if next() != first {
            service.stop();
            break;
        }
        let said = service.end().badly();
        let message = &said[said.rfind("gleaner: ").unwrap()..];
        assert!(message.contains("free some space"), "{message}");
        assert_eq!(workshop.status()["epochs"].as_array().unwrap().len(), 1, "the list of epoch 1 is not committed");
        failed.extend(
            message.split(['/', ':']).find(|word| word.contains('.') && !word.contains("tmp")).map(str::to_owned),
        );
        fs::remove_file(filler).unwrap();
        let found = goes_on();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{pages} pages: {message}");
        let other: Vec<&PathBuf> = found.keys().filter(|name| found[*name] != expected[*name]).collect();
        assert!(other.is_empty(), "{pages} pages: {message}: {other:?}");
    }
    // The first to fail is what a start writes, the last what makes an epoch true.
    for name in ["config.json", "epoch-0001.csv", "epoch-0001.txt", "suspects.csv", "ledger.sqlite"] {
        assert!(failed.contains(name), "{name} had space each time: {failed:?}");
    }
}
