//! Near-duplicates within groups.

use gleaner::cluster::Distance::{Cosine, Euclidean};
use gleaner::cluster::{ClusterError, NearDuplicate, near_duplicates};

use super::points::{noise, squared_distance};

/// Two groups of 40 rows in 8 dimensions, shuffled together, and rows 80 to 84, which are near rows 0 to 4 of group 0: at no
/// distance, and then ever further away.
fn twins() -> (Vec<f32>, Vec<u32>) {
    let mut points = noise(80 * 8, 21);
    let mut assignment: Vec<u32> = (0..80).map(|row| row % 2).collect();
    for step in 0..5 {
        let mut row = points[step * 2 * 8..][..8].to_vec();
        row[step] += 0.02 * step as f32;
        points.extend(row);
        assignment.push(0);
    }
    (points, assignment)
}

/// The sum of the squared distances to the mean.
fn spread(rows: &[&[f32]]) -> f64 {
    let count = rows.len() as f64;
    let mean: Vec<f32> =
        (0..rows[0].len()).map(|at| (rows.iter().map(|row| f64::from(row[at])).sum::<f64>() / count) as f32).collect();
    rows.iter().map(|row| squared_distance(row, &mean)).sum()
}

#[test]
fn near_duplicates_are_the_pairs_that_all_pairs_have() {
    let (points, assignment) = twins();
    let row = |row: u32| &points[row as usize * 8..][..8];
    let of = |group: u32| (0..85).filter(move |&at| (at < 80 && at % 2 == group) || (at >= 80 && group == 0));
    let spreads = [0, 1].map(|group| spread(&of(group).map(row).collect::<Vec<_>>()));
    let radius = (spreads.iter().sum::<f64>() / 85.0).sqrt();
    for share in [0.0, 0.03, 0.06, 0.3, 0.6] {
        let found = near_duplicates(&points, 8, Euclidean, &assignment, share, |_, _| true).unwrap();
        for group in 0..2 {
            let rows: Vec<u32> = of(group).collect();
            let apart = |a: u32, b: u32| squared_distance(row(a), row(b)).sqrt() / radius;
            let found: Vec<&NearDuplicate> = found.iter().filter(|pair| rows.contains(&pair.row)).collect();
            let left: Vec<u32> = found.iter().map(|pair| pair.row).collect();
            for pair in &found {
                assert!(rows.contains(&pair.of) && !left.contains(&pair.of), "{pair:?}");
                assert!((apart(pair.row, pair.of) - f64::from(pair.distance)).abs() < 1e-5, "{pair:?}");
                assert!(f64::from(pair.distance) <= share + 1e-6, "{pair:?} at {share}");
            }
            // Whoever is left is near nobody else who is.
            let kept: Vec<u32> = rows.iter().copied().filter(|row| !left.contains(row)).collect();
            for (at, &a) in kept.iter().enumerate() {
                assert!(kept[..at].iter().all(|&b| apart(a, b) > share), "{a} at {share}");
            }
            let expected = match (group, share) {
                (0, 0.0) => Some(1),
                (0, 0.03) => Some((0..5).filter(|step| 0.02 * f64::from(*step) <= 0.03 * radius).count()),
                (1, 0.0..0.1) => Some(0),
                _ => None,
            };
            assert!(expected.is_none_or(|expected| found.len() == expected), "group {group} at {share}: {found:?}");
        }
    }
}

#[test]
fn near_duplicates_by_angle_and_where_there_is_no_radius() {
    // Row 1 points where row 0 does, and is ten times as long; rows 2 and 3 point elsewhere.
    let points = [1.0, 2.0, 10.0, 20.0, 2.0, 1.0, -1.0, 0.5];
    let found = |distance| near_duplicates(&points, 2, distance, &[0; 4], 0.01, |_, _| true).unwrap();
    let pairs: Vec<[u32; 2]> =
        found(Cosine).iter().map(|pair| [pair.row.min(pair.of), pair.row.max(pair.of)]).collect();
    assert_eq!((pairs, found(Euclidean)), (vec![[0, 1]], vec![]));
    // All the same: the first stands for all, and their distances are 0 of nothing.
    let same = near_duplicates(&[3.0; 10], 2, Euclidean, &[7; 5], 0.1, |_, _| true).unwrap();
    assert_eq!(same, [1, 2, 3, 4].map(|row| NearDuplicate { row, of: 0, distance: 0.0 }));
    // Where rows 1 and 2 are told apart from all others by looking, the first stands for the rest, and 2 is found by 1.
    let apart = |a: u32, b: u32| [1, 2].contains(&a) == [1, 2].contains(&b);
    let found = near_duplicates(&[3.0; 10], 2, Euclidean, &[7; 5], 0.1, apart).unwrap();
    assert_eq!(found.iter().map(|pair| (pair.row, pair.of)).collect::<Vec<_>>(), [(2, 1), (3, 0), (4, 0)]);
    assert_eq!(near_duplicates(&[0.0; 0], 2, Euclidean, &[], 0.1, |_, _| true).unwrap(), []);
    assert!(matches!(
        near_duplicates(&points, 2, Euclidean, &[0; 3], 0.1, |_, _| true),
        Err(ClusterError::Ragged { .. })
    ));
    assert!(matches!(
        near_duplicates(&[f32::NAN; 2], 2, Cosine, &[0], 0.1, |_, _| true),
        Err(ClusterError::NotFinite { .. })
    ));
}
