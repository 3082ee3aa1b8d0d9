//! From epoch to epoch: groups go on from the centroids before, keep their numbers, and are drawn anew where they must.

use gleaner::cluster::{Clusters, Options, kmeans, kmeans_after};

use super::points::{assert_one_group_a_blob, noise, separated};

#[test]
fn groups_keep_their_numbers_from_epoch_to_epoch() {
    let points = separated(200);
    let names = |clusters: &Clusters| -> Vec<u32> { clusters.assignment[..7].to_vec() };
    let first = kmeans(&points, 8, &Options::new(7, 1, 0)).unwrap();
    assert!(!first.continued);
    // The next epoch's embeddings are of other images, and have drifted.
    let drifted: Vec<f32> = separated(150).iter().map(|value| value * 1.2 + 5.0).collect();
    let next = kmeans_after(&first.centroids, &drifted, 8, &Options::new(7, 1, 1)).unwrap();
    assert!(next.continued);
    assert_one_group_a_blob(&next.assignment);
    assert_eq!(names(&next), names(&first));
    let anew: Vec<_> = (1..5).map(|epoch| names(&kmeans(&drifted, 8, &Options::new(7, 1, epoch)).unwrap())).collect();
    assert!(anew.iter().any(|anew| *anew != names(&first)), "numbers that chance would give as well prove nothing");

    // Without the blob in dimension 6 its number is free for a part of another; the rest keep theirs.
    let six: Vec<f32> =
        drifted.chunks(8).enumerate().filter(|(row, _)| row % 7 != 6).flat_map(|(_, row)| row.to_vec()).collect();
    let fewer = kmeans_after(&next.centroids, &six, 8, &Options::new(7, 1, 2)).unwrap();
    assert!(fewer.continued && fewer.groups == 7);
    let names = names(&first);
    for (row, &group) in fewer.assignment.iter().enumerate() {
        assert!(group == names[row % 6] || group == names[6], "row {row}");
    }

    // Of two groups five more are made, and the two stay what they are.
    let two = [&first.centroids[..8], &first.centroids[8..16]].concat();
    let more = kmeans_after(&two, &points, 8, &Options::new(7, 1, 3)).unwrap();
    assert!(more.continued && more.groups == 7);
    assert_one_group_a_blob(&more.assignment);
    for blob in (0..7).filter(|&blob| names[blob] < 2) {
        assert_eq!(more.assignment[blob], names[blob]);
    }
}

#[test]
fn a_group_that_nothing_is_near_keeps_its_number_without_members() {
    // Two different values, three centroids: no third group can be made of them.
    let points: Vec<f32> = (0..60).map(|row| if row % 2 == 0 { 0.0 } else { 10.0 }).collect();
    let clusters = kmeans_after(&[0.0, 500.0, 10.0], &points, 1, &Options::new(3, 1, 0)).unwrap();
    assert!(clusters.continued);
    assert_eq!((clusters.groups, clusters.in_use()), (3, 2));
    assert_eq!(clusters.assignment[..2], [0, 2]);
    assert_eq!((clusters.centroids[0], clusters.centroids[2]), (0.0, 10.0));
}

#[test]
fn centroids_that_no_longer_fit_are_given_up() {
    // The best three groups are {0}, {10} and {1000, 1001}, of inertia 200 x 0.25. From 5, 1000 and 1001 Lloyd's
    // iterations lead nowhere: every point is with its nearest, and the inertia stays 200 x 25.
    let points: Vec<f32> = (0..400).map(|row| [0.0, 10.0, 1000.0, 1001.0][row % 4]).collect();
    let clusters = kmeans_after(&[5.0, 1000.0, 1001.0], &points, 1, &Options::new(3, 1, 0)).unwrap();
    assert!(!clusters.continued);
    assert!((clusters.inertia - 50.0).abs() < 1e-3, "{}", clusters.inertia);
    // More than are wanted cannot keep their numbers.
    assert!(!kmeans_after(&[0.0, 10.0, 1000.0], &points, 1, &Options::new(2, 1, 0)).unwrap().continued);
    let error = kmeans_after(&[0.0, f32::NAN], &points, 1, &Options::new(3, 1, 0)).unwrap_err();
    assert!(error.to_string().contains("row 1 of the centroids has the value NaN"), "{error}");
    assert!(kmeans_after(&[5.0], &[], 1, &Options::new(3, 1, 0)).unwrap().assignment.is_empty());
}

#[test]
fn epochs_and_seeds_group_anew() {
    let points = noise(5000 * 4, 8);
    let centroids = |seed, epoch| kmeans(&points, 4, &Options::new(16, seed, epoch)).unwrap().centroids;
    assert_ne!(centroids(1, 0), centroids(1, 1));
    assert_ne!(centroids(1, 0), centroids(2, 0));
}
