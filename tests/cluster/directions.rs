//! Groups by direction, where lengths mean nothing.

use gleaner::cluster::Distance::{Cosine, Euclidean};
use gleaner::cluster::{Options, kmeans};

use super::points::blobs;

#[test]
fn directions_by_hand() {
    // Two rows near the first axis, two near the second, of all lengths; the last has no direction.
    let points = [1.0, 0.0, 0.0, 2e-30, 1e30, 1e29, 0.1, 5.0, 0.0, 0.0];
    let clusters = kmeans(&points, 2, &Options { distance: Cosine, ..Options::new(2, 1, 0) }).unwrap();
    let [a, b, c, d, zero] = clusters.assignment[..] else { panic!("five points") };
    assert!(a == c && b == d && a != b && zero == 0, "{:?}", clusters.assignment);
    // The centroids halve the angles, of tangents 0.1 and 0.02, and each row is half an angle away: 2 - 2 cos.
    let (first, second) = (0.1f64.atan() / 2.0, 0.02f64.atan() / 2.0);
    let close = |found: f32, expected: f64| assert!((f64::from(found) - expected).abs() < 1e-6, "{found}, {expected}");
    close(clusters.centroids[2 * a as usize], first.cos());
    close(clusters.centroids[2 * a as usize + 1], first.sin());
    close(clusters.centroids[2 * b as usize], second.sin());
    close(clusters.centroids[2 * b as usize + 1], second.cos());
    // The row without a direction is at 1 from everything of length one.
    close(clusters.inertia as f32, 4.0 * (1.0 - first.cos()) + 4.0 * (1.0 - second.cos()) + 1.0);

    // Nothing but rows without directions, and directions that cancel out.
    let nothing = kmeans(&[0.0; 8], 2, &Options { distance: Cosine, ..Options::new(2, 1, 0) }).unwrap();
    assert_eq!((nothing.groups, nothing.assignment, nothing.centroids), (1, vec![0; 4], vec![0.0; 2]));
    let opposite = kmeans(&[3.0, 0.0, -1.0, 0.0], 2, &Options { distance: Cosine, ..Options::new(1, 1, 0) }).unwrap();
    assert_eq!(opposite.assignment, [0, 0]);
    assert!(opposite.centroids.iter().all(|value| value.is_finite()), "{:?}", opposite.centroids);
}

#[test]
fn lengths_mean_nothing_to_the_cosine() {
    let points = blobs().unwrap();
    let options = Options { distance: Cosine, ..Options::new(20, 4, 0) };
    let plain = kmeans(&points, 32, &options).unwrap();
    let stretched: Vec<f32> = points
        .chunks(32)
        .enumerate()
        .flat_map(|(row, values)| values.iter().map(move |value| value * 2f32.powi(row as i32 % 40 - 20)))
        .collect();
    let other = kmeans(&stretched, 32, &options).unwrap();
    assert_eq!((other.assignment, other.centroids), (plain.assignment.clone(), plain.centroids.clone()));
    assert_ne!(kmeans(&points, 32, &Options { distance: Euclidean, ..options }).unwrap().assignment, plain.assignment);
    // Every row is with the centroid of the greatest cosine, and centroids have length one.
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    for centroid in plain.centroids.chunks(32) {
        assert!((product(centroid, centroid) - 1.0).abs() < 1e-5);
    }
    let mut inertia = 0.0;
    for (row, &group) in points.chunks(32).zip(&plain.assignment) {
        let length = product(row, row).sqrt();
        let cosines: Vec<f64> = plain.centroids.chunks(32).map(|centroid| product(row, centroid) / length).collect();
        let own = cosines[group as usize];
        assert!(cosines.iter().all(|other| *other <= own + 1e-5), "{own} is not the greatest of {cosines:?}");
        inertia += 2.0 - 2.0 * own;
    }
    assert!((plain.inertia / inertia - 1.0).abs() < 1e-4, "{} is not {inertia}", plain.inertia);
}
