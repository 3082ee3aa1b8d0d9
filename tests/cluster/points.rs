//! Points to be grouped, and what must hold of their groups.

use gleaner::cluster::Clusters;
use gleaner::draw::{Draws, Stream};

/// The fixture of `tests/fixtures/cluster/make.py`: 1,500 rows of 32 values.
pub(crate) fn blobs() -> std::io::Result<Vec<f32>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cluster/blobs.f32");
    let bytes = std::fs::read(path)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// `count` uniform values in `[0, 1)`.
pub(crate) fn noise(count: u64, seed: u64) -> Vec<f32> {
    let draws = Draws::new(seed, 0, Stream::Weights);
    (0..count).map(|id| draws.unit(id) as f32).collect()
}

/// 7 blobs of `size` rows around 100 in dimension b, blob by blob in turn.
pub(crate) fn separated(size: usize) -> Vec<f32> {
    let mut points = noise(7 * 8 * size as u64, 1);
    for (row, point) in points.chunks_mut(8).enumerate() {
        point[row % 7] += 100.0;
    }
    points
}

pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// Every group is in use, every row is with its nearest centroid (to f32 rounding), and the inertia is theirs.
pub(crate) fn assert_consistent(points: &[f32], clusters: &Clusters) {
    let centroids: Vec<&[f32]> = clusters.centroids.chunks(clusters.dims).collect();
    assert_eq!(centroids.len(), clusters.groups);
    assert_eq!(clusters.assignment.len() * clusters.dims, points.len());
    let mut used = vec![false; clusters.groups];
    let mut inertia = 0.0;
    for (point, &group) in points.chunks(clusters.dims).zip(&clusters.assignment) {
        used[group as usize] = true;
        let distance = squared_distance(point, centroids[group as usize]);
        let nearest = centroids.iter().map(|centroid| squared_distance(point, centroid)).fold(f64::INFINITY, f64::min);
        assert!(distance <= nearest * (1.0 + 1e-5) + 1e-9, "{distance} is not the nearest, which is {nearest}");
        inertia += distance;
    }
    assert!(used.iter().all(|&used| used), "an empty group");
    assert!((clusters.inertia - inertia).abs() <= 1e-4 * inertia + 1e-9, "{} is not {inertia}", clusters.inertia);
}

pub(crate) fn assert_one_group_a_blob(assignment: &[u32]) {
    let mut names: Vec<u32> = assignment[..7].to_vec();
    assert!(assignment.iter().enumerate().all(|(row, &group)| group == names[row % 7]));
    names.sort_unstable();
    assert_eq!(names, [0, 1, 2, 3, 4, 5, 6]);
}
