//! What a big pool takes in memory, from its list to the first published subset.

use std::fmt::Write as _;
use std::fs;

use super::workshop::{BY_ITSELF, Workshop};

const IMAGES: u64 = 1_000_000;

/// The most memory that the service has held until it waits for a checkpoint, in bytes.
fn peak(workshop: &Workshop) -> u64 {
    let mut service = workshop.serve();
    service.until_awaited(0);
    let status = fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_million_images_take_their_paths_and_less_than_a_hundred_bytes_each() {
    let workshop = Workshop::new(20, BY_ITSELF);
    let small = peak(&workshop);

    let workshop = Workshop::new(20, BY_ITSELF);
    // The images are not there: nothing may look for them before they are scanned or trained on.
    let mut list = String::new();
    for image in 0..IMAGES {
        writeln!(list, "images/n{:08}/n{image:017}.JPEG {}", image / 1000, image % 10).unwrap();
    }
    let path = list.lines().next().unwrap().len() as u64 - 2;
    workshop.write("pool.txt", &list);
    let each = (peak(&workshop) - small) / IMAGES;
    // Known are an end of 4 bytes, a label of 4, and the samples table. A second table would not fit.
    assert!((path..path + 100).contains(&each), "{each} bytes for each image, whose path has {path}");
    assert_eq!(fs::read_to_string(workshop.path("lists/next.txt")).unwrap().lines().count(), 100_000);
}
