//! What a start finds of the starts before it: leftovers, half-done turns, another config.

use std::fs;

use super::graphs::skilled;
use super::tables::manifest;
use super::workshop::{BY_ITSELF, Workshop};

const MINE: [&str; 3] = ["mine", "-c", "config.yaml"];

#[test]
fn what_a_failed_step_leaves_is_not_taken_for_its_work() {
    let config = "trainer: {command: [sh, train.sh, \"{checkpoint_out}\"], attempts: 1}\nstop: {epochs: 1}\n";
    let workshop = Workshop::new(40, config);
    let script = "echo run >> runs; cp start.onnx \"$1.part\"; mv \"$1.part\" \"$1\"\n\
                  [ $(wc -l < runs) -gt 1 ] || exit 3\n";
    workshop.write("train.sh", script);
    let said = workshop.serve().end().badly();
    assert!(said.contains("the training step of epoch 0 failed 1 times") && said.contains("exit code 3"), "{said}");
    assert_eq!(workshop.read("runs").lines().count(), 1);
    assert_eq!(workshop.status()["standing"], "epoch 0 is published, its checkpoint is awaited");
    assert!(workshop.next_is(0));

    assert!(workshop.serve().end().well().contains("ended by stop.epochs: 1 epochs are done"));
    assert_eq!(workshop.read("runs").lines().count(), 2, "the step was done anew");
    assert_eq!(workshop.status()["epochs"][0]["status"], "trained");
}

#[test]
fn a_list_that_never_became_true_is_replaced() {
    let workshop = Workshop::new(60, BY_ITSELF);
    let mut service = workshop.serve();
    service.until_awaited(0);
    service.stop().well();
    let first = workshop.bytes("lists/epoch-0000.csv");
    // As after a power failure between the lists and the commit, under settings that have changed since.
    for name in ["epoch-0001.csv", "epoch-0001.txt", "epoch-0001.jsonl"] {
        workshop.write(&format!("lists/{name}"), "not the list that will be true\n");
    }
    workshop.drop_in(0, skilled());
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    let list = manifest(&workshop.path("lists/epoch-0001.csv"));
    assert_eq!(workshop.status()["epochs"][1]["size"], list.len());
    let text: String = list.iter().map(|line| format!("{} {}\n", line.path, line.label)).collect();
    assert_eq!(workshop.read("lists/epoch-0001.txt"), text);
    assert!(!workshop.path("lists/epoch-0001.jsonl").exists(), "nor is there another of the same name");
    assert_eq!(workshop.bytes("lists/epoch-0000.csv"), first, "what was true stays");
    workshop.drop_in(1, skilled());
    service.until_next(&workshop, 2);
}

#[test]
fn a_turn_by_hand_mends_the_stable_names_even_if_it_fails() {
    let workshop = Workshop::new(60, BY_ITSELF);
    let mend = |epoch: u32| {
        let said = workshop.run(&MINE).badly();
        assert!(said.contains(&format!("it holds no whole checkpoint of epoch {epoch} or later")), "{said}");
        assert!(workshop.next_is(epoch));
        let list = workshop.bytes(&format!("lists/epoch-{epoch:04}.csv"));
        assert_eq!(workshop.bytes("lists/next.csv"), list);
    };
    mend(0);
    let first = workshop.bytes("lists/epoch-0000.txt");
    for name in ["lists/next.txt", "lists/next.csv"] {
        fs::remove_file(workshop.path(name)).unwrap();
    }
    mend(0);
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    assert!(workshop.next_is(1));
    // They may share their bytes with the list, so they are taken away and not written over.
    for name in ["txt", "csv"] {
        let next = workshop.path(&format!("lists/next.{name}"));
        fs::remove_file(&next).unwrap();
        fs::copy(workshop.path(&format!("lists/epoch-0000.{name}")), &next).unwrap();
    }
    assert!(workshop.next_is(0));
    mend(1);
    assert_eq!(workshop.bytes("lists/epoch-0000.txt"), first);
}

#[test]
fn only_who_has_the_lock_sweeps() {
    let workshop = Workshop::new(40, BY_ITSELF);
    let mut service = workshop.serve();
    service.until_awaited(0);
    let leftovers = ["lists/.gleaner-tmp-1-next.txt", "watch/.gleaner-tmp-1-epoch-0000.onnx", "state/.gleaner-tmp-1-x"];
    let leave = || leftovers.iter().for_each(|name| workshop.write(name, "half of a file"));
    let tree = workshop.path("lists/.gleaner-tmp-1-epoch-0001");
    leave();
    fs::create_dir_all(tree.join("class")).unwrap();
    for command in ["run", "mine"] {
        let said = workshop.run(&[command, "-c", "config.yaml"]).badly();
        assert!(said.contains("another gleaner"), "{said}");
        for name in leftovers {
            assert_eq!(workshop.read(name), "half of a file", "{command}");
        }
        assert!(tree.exists(), "{command}");
    }
    service.stop().well();

    let swept = || !tree.exists() && leftovers.iter().all(|name| !workshop.path(name).exists());
    let mut service = workshop.serve();
    service.until_awaited(0);
    assert!(swept());
    service.stop().well();
    leave();
    workshop.run(&MINE).badly();
    assert!(swept());
    assert!(workshop.next_is(0));
}

#[test]
fn a_changed_config_is_named_key_by_key() {
    const CHANGED: &str = "the config has changed since the last start";
    let workshop = Workshop::new(40, BY_ITSELF);
    let start = |set: &[&str]| {
        let set: Vec<&str> = set.iter().flat_map(|pair| ["--set", pair]).collect();
        let said = workshop.run(&[&MINE[..], &set].concat()).badly();
        said.lines().filter(|line| line.contains(CHANGED)).map(str::to_owned).collect::<Vec<String>>().join("\n")
    };
    assert_eq!(start(&[]), "");
    let said = start(&["stop.epochs=5"]);
    assert!(said.contains("WARN") && said.ends_with("keys=\"stop.epochs\""), "{said}");
    assert_eq!(start(&["stop.epochs=5"]), "", "nothing has changed since");
    let said = start(&["stop.epochs=6", "mine.quota=0.5"]);
    assert!(said.ends_with("keys=\"mine.quota, stop.epochs\""), "{said}");
    let said = start(&["mine.quota=0.5"]);
    assert!(said.ends_with("keys=\"stop.epochs\""), "taken out again: {said}");

    // The service says so as well.
    let mut service = workshop.serve();
    service.until_awaited(0);
    let said = service.stop();
    assert!(said.log.contains(CHANGED) && said.log.contains("keys=\"mine.quota\""), "{}", said.log);
}

#[test]
fn a_turn_by_hand_may_be_the_first_thing_of_all() {
    let workshop = Workshop::new(60, "trainer: {command: [sh, -c, \"exit 1\"], attempts: 1}\n");
    workshop.drop_in(0, skilled());
    assert!(!workshop.path("state").exists());
    let said = workshop.mine(0).well();
    assert_eq!(said.trim(), workshop.path("lists/epoch-0001.txt").to_str().unwrap());
    assert!(workshop.next_is(1));
    let status = workshop.status();
    assert_eq!(status["standing"], "epoch 1 is published, its checkpoint is awaited");
    let epochs = status["epochs"].as_array().unwrap();
    assert_eq!((&epochs[0]["status"], &epochs[1]["status"]), (&"trained".into(), &"committed".into()));
    // What was taken is not in the way of the service: its trainer is asked for epoch 1.
    let said = workshop.serve().end().badly();
    assert!(said.contains("the training step of epoch 1 failed"), "{said}");
}
