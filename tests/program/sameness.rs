//! What a scan finds depends on the checkpoint and the images: not on threads, batches, or where the pixels come from.

use super::graphs::skilled;
use super::workshop::{BY_ITSELF, Workshop};

const POOL: usize = 2_000;

/// Two turns with this `score` and `cache`: the second scan meets what the first has put into the cache.
fn lists(policy: &str, settings: &str) -> Vec<Vec<u8>> {
    let config = format!(
        "{BY_ITSELF}policy: {policy}\nmine: {{quota: 0.3, budget: 1000.0}}\ncluster: {{groups: 16}}\n{settings}\n"
    );
    let workshop = Workshop::new(POOL, &config);
    for epoch in [0, 1] {
        workshop.drop_in(epoch, skilled());
        workshop.mine(epoch).well();
    }
    let names = ["lists/epoch-0001.csv", "lists/epoch-0002.txt", "lists/epoch-0002.csv", "state/samples.parquet"];
    names.map(|name| workshop.bytes(name)).into()
}

fn same(policy: &str) {
    let settings = |threads: u32, batch: &str, gib: f64| {
        format!("score: {{threads: {threads}, batch: {batch}}}\ncache: {{max_gib: {gib}}}")
    };
    let expected = lists(policy, &settings(1, "64", 0.0));
    assert!(expected.iter().all(|file| !file.is_empty()));
    for (threads, batch, gib) in
        [(2, "64", 0.0), (4, "64", 0.0), (1, "64", 1.0), (2, "7", 1.0), (4, "auto", 1.0), (2, "auto", 0.0)]
    {
        let settings = settings(threads, batch, gib);
        assert!(lists(policy, &settings) == expected, "{policy}: other lists with {settings}");
    }
}

#[test]
fn confidence_chooses_the_same_with_any_threads_batch_and_cache() {
    same("confidence");
}

#[test]
fn patent_chooses_the_same_with_any_threads_batch_and_cache() {
    same("patent");
}

#[test]
fn the_first_scan_fills_the_cache_and_the_next_one_needs_no_file() {
    let workshop = Workshop::new(300, &format!("{BY_ITSELF}score: {{threads: 2}}\n"));
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    let cached = workshop.path("cache").read_dir().unwrap().count();
    assert_eq!(cached, 1, "one file for the one preprocessing");
    let scored = |output: &str| {
        let arguments = ["score", "-c", "config.yaml", "--checkpoint", "watch/epoch-0000.onnx", "--list", "pool.txt"];
        workshop.run(&[&arguments[..], &["-o", output]].concat()).well();
        workshop.bytes(output)
    };
    let with = scored("with.parquet");
    std::fs::remove_dir_all(workshop.path("cache")).unwrap();
    assert!(scored("without.parquet") == with, "a deleted cache changes nothing but the time");
}
