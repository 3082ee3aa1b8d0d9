//! A service that runs for weeks: what it holds does not grow with the checkpoints it has seen.

use std::fs;

use super::graphs::skilled;
use super::workshop::{BY_ITSELF, Workshop};

const CHECKPOINTS: u32 = 20;

#[test]
fn the_twentieth_checkpoint_leaves_no_more_memory_in_use_than_the_second() {
    let config = format!("{BY_ITSELF}mine: {{quota: 0.5, budget: 1000.0}}\ncluster: {{groups: 16}}\n");
    let workshop = Workshop::new(2_000, &config);
    let mut service = workshop.serve();
    let mut resident = Vec::new();
    for epoch in 0..CHECKPOINTS {
        service.until_awaited(epoch);
        if epoch > 0 {
            resident.push(kib(service.id()));
        }
        workshop.drop_in(epoch, skilled());
        service.until_next(&workshop, epoch + 1);
    }
    service.until_awaited(CHECKPOINTS);
    resident.push(kib(service.id()));
    service.stop().well();
    let (second, last) = (resident[1], resident[resident.len() - 1]);
    println!("resident KiB after each checkpoint: {resident:?}");
    assert!(last <= second + second / 10, "{resident:?} KiB");
}

/// Resident memory of a process, in KiB.
pub(crate) fn kib(process: u32) -> u64 {
    of_status(process, "VmRSS:")
}

/// The most resident memory that a process has had, in KiB.
pub(crate) fn peak_kib(process: u32) -> u64 {
    of_status(process, "VmHWM:")
}

fn of_status(process: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
