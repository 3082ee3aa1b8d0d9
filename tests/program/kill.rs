//! `kill -9` in the middle of a scan: the run that goes on afterwards publishes what an undisturbed one does.

use std::thread;
use std::time::Duration;

use super::graphs::skilled;
use super::workshop::{BY_ITSELF, Workshop};

const POOL: usize = 10_000;

fn workshop(policy: &str, threads: u32) -> Workshop {
    let config = format!(
        "{BY_ITSELF}policy: {policy}\nmine: {{quota: 1.0, budget: 1000.0}}\ncluster: {{groups: 16}}\n\
         score: {{threads: {threads}, batch: 64}}\n"
    );
    let workshop = Workshop::new(POOL, &config);
    workshop.drop_in(0, skilled());
    workshop
}

/// What must not depend on kills and threads.
fn results(workshop: &Workshop) -> [Vec<u8>; 3] {
    ["lists/epoch-0001.txt", "lists/epoch-0001.csv", "state/samples.parquet"].map(|name| workshop.bytes(name))
}

fn undisturbed(policy: &str, threads: u32) -> [Vec<u8>; 3] {
    let workshop = workshop(policy, threads);
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    service.stop().well();
    results(&workshop)
}

/// Asked to end in the scan, then killed as soon as it begins, and once more when it is on its way.
fn killed(policy: &str, threads: u32) -> [Vec<u8>; 3] {
    let workshop = workshop(policy, threads);
    let mut service = workshop.serve();
    service.until_said("scanning");
    assert!(service.stop().well().contains("interrupted"));
    for into_the_scan in [0, 150] {
        let mut service = workshop.serve();
        service.until_said("scanning");
        thread::sleep(Duration::from_millis(into_the_scan));
        service.kill();
        assert!(!workshop.path("lists/epoch-0001.csv").exists(), "the scan was over before the kill");
        assert!(workshop.next_is(0), "the last good list stays");
        let status = workshop.status();
        assert_eq!(status["standing"], "epoch 0 is trained, the next list is due");
    }
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    service.stop().well();
    results(&workshop)
}

fn same_whatever_happens(policy: &str) {
    let expected = undisturbed(policy, 1);
    assert!(expected.iter().all(|file| !file.is_empty()));
    for (how, found) in [
        ("two threads", undisturbed(policy, 2)),
        ("killed", killed(policy, 1)),
        ("killed, two threads", killed(policy, 2)),
    ] {
        for (name, (found, expected)) in ["txt", "csv", "samples"].iter().zip(found.iter().zip(&expected)) {
            assert!(found == expected, "{how}: another {name}");
        }
    }
}

#[test]
fn confidence_publishes_the_same_after_a_kill() {
    same_whatever_happens("confidence");
}

#[test]
fn patent_publishes_the_same_after_a_kill() {
    same_whatever_happens("patent");
}
