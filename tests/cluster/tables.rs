//! Tables of all kinds: of extreme values, of next to nothing, in part, and those that are refused.

use gleaner::cluster::Distance::Euclidean;
use gleaner::cluster::{ClusterError, Options, Points, kmeans, nearest_others};

use super::points::{assert_consistent, assert_one_group_a_blob, blobs, noise, separated};

#[test]
fn large_offsets_and_extreme_scales_change_nothing() {
    let points = separated(40);
    let plain = kmeans(&points, 8, &Options::new(7, 3, 0)).unwrap();
    for scale in [2f32.powi(-120), 2f32.powi(110)] {
        let scaled: Vec<f32> = points.iter().map(|value| value * scale).collect();
        let clusters = kmeans(&scaled, 8, &Options::new(7, 3, 0)).unwrap();
        assert_eq!(clusters.assignment, plain.assignment);
        let expected = plain.inertia * f64::from(scale).powi(2);
        assert!((clusters.inertia / expected - 1.0).abs() < 1e-3, "{} is not {expected}", clusters.inertia);
    }
    // Without a shift to the mean |x|² would be 1e12 here, and the blobs' distance of 100 below its rounding in f32.
    let shifted: Vec<f32> = points.iter().map(|value| value + 1e6).collect();
    assert_one_group_a_blob(&kmeans(&shifted, 8, &Options::new(7, 3, 0)).unwrap().assignment);
}

#[test]
fn small_and_degenerate_tables() {
    let options = Options::new(5, 1, 0);
    let none = kmeans(&[], 3, &options).unwrap();
    assert_eq!((none.groups, none.assignment.len(), none.centroids.len()), (0, 0, 0));

    // As many groups as points, and no more.
    let three = kmeans(&[0.0, 0.0, 1.0, 1.0, 5.0, 5.0], 2, &options).unwrap();
    assert_eq!(three.groups, 3);
    assert_eq!(three.inertia, 0.0);
    assert_consistent(&[0.0, 0.0, 1.0, 1.0, 5.0, 5.0], &three);

    // Duplicates only, also when their value is not exact in binary.
    for value in [0.0, 0.1, -1e30] {
        let same = kmeans(&vec![value; 7 * 1000], 7, &Options { iterations: usize::MAX, ..options }).unwrap();
        assert_eq!(same.groups, 1);
        assert!(same.assignment.iter().all(|&group| group == 0));
        assert_eq!(same.centroids, vec![value; 7]);
    }

    // Two different values, five groups wanted.
    let two: Vec<f32> = (0..600).map(|row| if row % 3 == 0 { 0.1 } else { 0.7 }).collect();
    let clusters = kmeans(&two, 1, &options).unwrap();
    assert_eq!(clusters.groups, 2);
    assert_consistent(&two, &clusters);

    // Values that differ by less than the distances' rounding start as groups of their own and end without points.
    let close: Vec<f32> =
        (0..90).map(|row| if row % 9 == 0 { -1.0 } else { 1.0 + (row % 9) as f32 * f32::EPSILON }).collect();
    for seed in 0..20 {
        let clusters = kmeans(&close, 1, &Options::new(9, seed, 0)).unwrap();
        assert!((2..=9).contains(&clusters.groups));
        assert_consistent(&close, &clusters);
    }

    // One point far away, most groups empty on the way.
    let mut far = noise(64, 4);
    far.push(f32::MAX);
    let clusters = kmeans(&far, 1, &options).unwrap();
    assert!((2..=5).contains(&clusters.groups));
    assert_eq!(clusters.assignment.iter().filter(|&&group| group == clusters.assignment[64]).count(), 1);

    // No iterations and a sample of nothing still make groups.
    let points = noise(200, 5);
    let start = kmeans(&points, 2, &Options { iterations: 0, starts: 0, sample: 0, ..options }).unwrap();
    assert_eq!(start.groups, 1);
    assert_consistent(&points, &start);
}

#[test]
fn refusals_name_the_row_and_the_remedy() {
    let options = Options::new(2, 1, 0);
    let mut points = noise(300_000, 6);
    points[250_001] = f32::INFINITY;
    points[100_004] = f32::NAN;
    let error = kmeans(&points, 3, &options).unwrap_err();
    // 100,004 = 33,334 × 3 + 2.
    assert!(
        matches!(&error, ClusterError::NotFinite { row: 33_334, dimension: 2, value, .. } if value == "NaN"),
        "{error:?}"
    );
    assert!(error.to_string().contains("row 33334 of the embeddings has the value NaN in dimension 2"), "{error}");

    assert_eq!(kmeans(&[1.0; 4], 0, &options), Err(ClusterError::NoDimensions));
    let ragged = ClusterError::Ragged { what: "embeddings", values: 5, dims: 2 };
    assert_eq!(kmeans(&[1.0; 5], 2, &options), Err(ragged));
    let nothing = kmeans(&[1.0; 4], 2, &Options::new(0, 1, 0)).unwrap_err();
    assert!(nothing.to_string().contains("set cluster.groups to 1 or more"), "{nothing}");

    assert_eq!(
        nearest_others(&[1.0; 4], &[1.0; 4], 2, Euclidean, &[1]),
        Err(ClusterError::Counts { counts: 1, centroids: 2 })
    );
    let error = nearest_others(&[1.0; 4], &[1.0, f32::NEG_INFINITY], 2, Euclidean, &[1, 1]).unwrap_err();
    assert!(error.to_string().contains("row 0 of the candidates has the value -inf in dimension 1"), "{error}");
}

#[test]
fn some_rows_of_a_table_are_grouped_as_a_table_of_their_own() {
    let points = blobs().unwrap();
    let only: Vec<u32> = (0..1500).filter(|row| row % 3 != 1).rev().collect();
    let copied: Vec<f32> = only.iter().flat_map(|&row| points[row as usize * 32..][..32].to_vec()).collect();
    let some = Points { values: &points, only: Some(&only) };
    let options = Options { sample: 400, ..Options::new(20, 1, 0) };
    let clusters = kmeans(some, 32, &options).unwrap();
    assert_eq!(clusters, kmeans(&copied, 32, &options).unwrap());
    let counts = vec![9; clusters.groups];
    let others = nearest_others(&clusters.centroids, some, 32, Euclidean, &counts).unwrap();
    assert_eq!(others, nearest_others(&clusters.centroids, &copied, 32, Euclidean, &counts).unwrap());
    let error = kmeans(Points { values: &points, only: Some(&[5, 1500]) }, 32, &options).unwrap_err();
    assert_eq!(error, ClusterError::NoRow { what: "embeddings", row: 1500, rows: 1500 });
}
