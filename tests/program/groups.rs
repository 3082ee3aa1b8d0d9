//! Groups of similar images go on from epoch to epoch, whatever happens in between.

use std::collections::BTreeMap;

use super::graphs::skilled;
use super::tables::{Row, parquet};
use super::workshop::{BY_ITSELF, Workshop};

/// Scans everything that was not trained on just before, whatever is known of it.
fn workshop(pool: usize, distance: &str) -> Workshop {
    let config = format!(
        "{BY_ITSELF}mine: {{quota: 1.0, budget: 1000.0, stale: 1}}\ncluster: {{groups: 8, distance: {distance}}}\nscore: {{threads: 2}}\n"
    );
    let workshop = Workshop::new(pool, &config);
    workshop.drop_in(0, skilled());
    workshop
}

/// The groups of the images that the checkpoint of an epoch has scored, by path.
fn groups(workshop: &Workshop, epoch: u32) -> BTreeMap<String, u32> {
    let rows = parquet(&workshop.path("state/samples.parquet")).1;
    let scored = rows.iter().filter(|row| row.number("last_scored") == Some(f64::from(epoch)));
    let group = |row: &Row| Some((row.text("path").to_owned(), row.number("cluster")? as u32));
    scored.filter_map(group).collect()
}

#[test]
fn an_image_stays_in_its_group() {
    for distance in ["euclidean", "cosine"] {
        let workshop = workshop(3000, distance);
        workshop.mine(0).well();
        let before = groups(&workshop, 0);
        // The same network again: other images are scanned, but what is alike still is.
        workshop.drop_in(1, skilled());
        workshop.mine(1).well();
        let both: Vec<(u32, u32)> =
            groups(&workshop, 1).iter().filter_map(|(path, group)| Some((*before.get(path)?, *group))).collect();
        assert!(both.len() > 200, "{distance}: only {} images were scanned twice", both.len());
        let stayed = both.iter().filter(|(before, after)| before == after).count();
        // Numbers given anew would agree for an eighth.
        assert!(stayed * 10 > both.len() * 8, "{distance}: {stayed} of {} stayed", both.len());
    }
}

/// The second list and the samples, and whether the run was killed on the way to it.
fn second_list(killed: bool) -> [Vec<u8>; 2] {
    let workshop = workshop(3000, "euclidean");
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    service.stop().well();
    workshop.drop_in(1, skilled());
    for moment in ["scanning epoch=1 ", "clustered"].into_iter().filter(|_| killed) {
        let mut service = workshop.serve();
        service.until_said(moment);
        service.kill();
    }
    let mut service = workshop.serve();
    // The one that was killed may have come as far as the list.
    service.until_said("the run is open");
    service.until_next(&workshop, 2);
    service.stop().well();
    ["lists/epoch-0002.csv", "state/samples.parquet"].map(|name| workshop.bytes(name))
}

#[test]
fn a_kill_before_or_behind_the_clustering_changes_no_list() {
    let (undisturbed, killed) = (second_list(false), second_list(true));
    assert!(!undisturbed[0].is_empty() && undisturbed[0] == killed[0], "another list");
    assert!(undisturbed[1] == killed[1], "other samples");
}
