//! Groups of similar embeddings, against scikit-learn and against arithmetic.

use gleaner::cluster::Distance::{Cosine, Euclidean};
use gleaner::cluster::{
    ClusterError, Clusters, NearDuplicate, Options, Points, kmeans, kmeans_after, near_duplicates, nearest_others,
};
use gleaner::draw::{Draws, Stream};

/// The fixture of `tests/fixtures/cluster/make.py`: 1,500 rows of 32 values.
fn blobs() -> std::io::Result<Vec<f32>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cluster/blobs.f32");
    let bytes = std::fs::read(path)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// `count` uniform values in `[0, 1)`.
fn noise(count: u64, seed: u64) -> Vec<f32> {
    let draws = Draws::new(seed, 0, Stream::Weights);
    (0..count).map(|id| draws.unit(id) as f32).collect()
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// Every group is in use, every row is with its nearest centroid (to f32 rounding), and the inertia is theirs.
fn assert_consistent(points: &[f32], clusters: &Clusters) {
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

#[test]
fn inertia_is_that_of_scikit_learn() {
    let points = blobs().unwrap();
    // From blobs.json: the best of scikit-learn's KMeans with n_init=10.
    for (groups, theirs) in
        [(1, 158_216.913_975_184), (5, 109_488.794_238_134), (20, 57_225.220_978_826), (64, 49_205.656_821_047)]
    {
        let mut ours: Vec<f64> = (0..9)
            .map(|seed| {
                let clusters = kmeans(&points, 32, &Options::new(groups, seed, 0)).unwrap();
                assert_eq!(clusters.groups, groups);
                assert_consistent(&points, &clusters);
                clusters.inertia
            })
            .collect();
        ours.sort_by(f64::total_cmp);
        // These blobs overlap so much that scikit-learn's own best of ten differs by 3% from seed to seed.
        assert!(ours[4] <= 1.02 * theirs, "{groups} groups: the median of {ours:?} is more than 1.02 of {theirs}");
        assert!(ours[8] <= 1.05 * theirs, "{groups} groups: the worst of {ours:?} is more than 1.05 of {theirs}");
        if groups == 1 {
            assert!((ours[0] / theirs - 1.0).abs() < 1e-6, "one group has one solution: {ours:?}, {theirs}");
        }
    }
}

/// 7 blobs of `size` rows around 100 in dimension b, blob by blob in turn.
fn separated(size: usize) -> Vec<f32> {
    let mut points = noise(7 * 8 * size as u64, 1);
    for (row, point) in points.chunks_mut(8).enumerate() {
        point[row % 7] += 100.0;
    }
    points
}

fn assert_one_group_a_blob(assignment: &[u32]) {
    let mut names: Vec<u32> = assignment[..7].to_vec();
    assert!(assignment.iter().enumerate().all(|(row, &group)| group == names[row % 7]));
    names.sort_unstable();
    assert_eq!(names, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn separated_blobs_are_recovered() {
    let points = separated(300);
    for seed in 0..10 {
        // Centroids fitted on 200 of the 2,100 rows recover all of them too.
        for sample in [20_000, 200] {
            let clusters = kmeans(&points, 8, &Options { sample, ..Options::new(7, seed, 0) }).unwrap();
            assert_eq!(clusters.groups, 7);
            assert_one_group_a_blob(&clusters.assignment);
        }
    }
}

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
fn two_by_two_by_hand() {
    // On a line: {0, 2} and {10, 14} have the means 1 and 12 and the inertia 1 + 1 + 4 + 4.
    let clusters = kmeans(&[0.0, 10.0, 2.0, 14.0], 1, &Options::new(2, 1, 0)).unwrap();
    let [a, b, c, d] = clusters.assignment[..] else { panic!("four points") };
    assert!(a == c && b == d && a != b, "{:?}", clusters.assignment);
    assert_eq!(clusters.centroids[a as usize], 1.0);
    assert_eq!(clusters.centroids[b as usize], 12.0);
    assert_eq!(clusters.inertia, 10.0);
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

#[test]
fn threads_and_repetition_change_no_bit() {
    let points = noise(5000 * 12, 7);
    let last = noise(16 * 12, 13);
    let bits = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            [(Euclidean, 0), (Cosine, 0), (Euclidean, 16), (Cosine, 16)].map(|(distance, given)| {
                let options = Options { sample: 3000, distance, ..Options::new(16, 9, 2) };
                let clusters = kmeans_after(&last[..given * 12], &points, 12, &options).unwrap();
                assert_eq!(clusters.continued, given > 0);
                let others = nearest_others(&clusters.centroids, &points, 12, distance, &[200; 16]).unwrap();
                let centroids: Vec<u32> = clusters.centroids.iter().map(|value| value.to_bits()).collect();
                (clusters.assignment, centroids, clusters.inertia.to_bits(), others)
            })
        })
    };
    let one = bits(1);
    for threads in [1, 2, 3, 8] {
        assert_eq!(bits(threads), one, "{threads} threads");
    }
}

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
fn work_is_bounded_by_count() {
    let points = blobs().unwrap();
    let with = |work| kmeans(&points, 32, &Options { work, ..Options::new(20, 1, 0) }).unwrap();
    let (none, all) = (with(0), with(u64::MAX));
    // Everything is assigned even so.
    assert_consistent(&points, &none);
    assert_eq!(none.iterations, 0);
    assert!(none.inertia > 1.05 * all.inertia, "{} is hardly above {}", none.inertia, all.inertia);
    // The assignment takes 1,500 x 20 x 32 multiply-adds; as much again pays for no start on all points.
    let once = 1500 * 20 * 32;
    let some = with(20 * once);
    assert!(some.iterations < all.iterations, "{} of {}", some.iterations, all.iterations);
    assert!(some.inertia < none.inertia);
    assert_eq!(with(1000 * once), all, "what is more than enough changes nothing");
}

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

#[test]
fn others_by_direction() {
    let candidates = [100.0, 1.0, 0.1, 3.0, 2.0, 2.1, 0.0, 0.0];
    let others = |counts: &[usize]| nearest_others(&[5.0, 0.0, 0.0, 0.1], &candidates, 2, Cosine, counts).unwrap();
    // 100:1 is nearest to the first axis, the other two to the second, and 0:0 is as near to both.
    assert_eq!(others(&[1, 2]), [vec![0], vec![1, 2]]);
    assert_eq!(others(&[1, 3]), [vec![0], vec![1, 2, 3]]);
    assert_eq!(others(&[2, 1]), [vec![0, 3], vec![1]]);
    // By the straight line 0:0 is the nearest to the second, and of the three only 100:1 is nearer to the first.
    let straight = nearest_others(&[5.0, 0.0, 0.0, 0.1], &candidates, 2, Euclidean, &[1, 1]).unwrap();
    assert_eq!(straight, [vec![0], vec![3]]);
}

#[test]
fn epochs_and_seeds_group_anew() {
    let points = noise(5000 * 4, 8);
    let centroids = |seed, epoch| kmeans(&points, 4, &Options::new(16, seed, epoch)).unwrap().centroids;
    assert_ne!(centroids(1, 0), centroids(1, 1));
    assert_ne!(centroids(1, 0), centroids(2, 0));
}

#[test]
fn more_centroids_than_one_product_holds() {
    let points = noise(3000 * 3, 10);
    let clusters = kmeans(&points, 3, &Options { starts: 1, iterations: 2, ..Options::new(1500, 1, 0) }).unwrap();
    assert!(clusters.groups > 1400, "{}", clusters.groups);
    assert_consistent(&points, &clusters);
}

#[test]
fn others_by_hand() {
    // Centroids at 0, 10 and 100; candidates by number: 1, 2, 3, 4, 9, 12, 3.
    let candidates = [1.0, 2.0, 3.0, 4.0, 9.0, 12.0, 3.0];
    let others = |counts: &[usize]| nearest_others(&[0.0, 10.0, 100.0], &candidates, 1, Euclidean, counts).unwrap();
    // Own candidates only, nearest first, and of the two at 3 the lower-numbered.
    assert_eq!(others(&[3, 1, 0]), [vec![0, 1, 2], vec![4], vec![]]);
    assert_eq!(others(&[5, 2, 0]), [vec![0, 1, 2, 6, 3], vec![4, 5], vec![]]);
    // 10 has room for two more than its own and gets the nearest of what 0 had no room for: 4, then 3 (number 2).
    assert_eq!(others(&[2, 4, 0]), [vec![0, 1], vec![4, 5, 3, 2], vec![]]);
    // 100 has none of its own; all seven are given out once.
    assert_eq!(others(&[2, 2, 9]), [vec![0, 1], vec![4, 5], vec![3, 2, 6]]);
    assert_eq!(others(&[0, 0, 0]), [vec![], vec![], Vec::<u32>::new()]);
    // A candidate midway goes to the lower-numbered centroid.
    assert_eq!(nearest_others(&[0.0, 10.0], &[5.0], 1, Euclidean, &[1, 1]).unwrap(), [vec![0], vec![]]);
    assert_eq!(nearest_others(&[0.0, 10.0], &[], 1, Euclidean, &[1, 1]).unwrap(), [vec![], Vec::<u32>::new()]);
    assert_eq!(nearest_others(&[], &[5.0], 1, Euclidean, &[]).unwrap(), Vec::<Vec<u32>>::new());
}

#[test]
fn others_are_the_nearest_and_each_is_given_once() {
    let (centroids, candidates) = (noise(6 * 5, 11), noise(4000 * 5, 12));
    let counts = [10, 0, 300, 5000, 1, 40];
    let others = nearest_others(&centroids, &candidates, 5, Euclidean, &counts).unwrap();
    let mut given: Vec<u32> = others.iter().flatten().copied().collect();
    given.sort_unstable();
    assert_eq!(given, (0..4000).collect::<Vec<_>>(), "all are wanted, so all are given, each once");
    let distance = |centroid: usize, candidate: u32| {
        let row = candidate as usize * 5;
        squared_distance(&centroids[centroid * 5..][..5], &candidates[row..row + 5])
    };
    // Group 4 wants one: the nearest of those to which it is the nearest with room (all but group 1).
    let own = |candidate: &u32| {
        let nearest =
            [0, 2, 3, 4, 5].into_iter().min_by(|&a, &b| distance(a, *candidate).total_cmp(&distance(b, *candidate)));
        nearest == Some(4)
    };
    let expected = (0..4000).filter(own).min_by(|&a, &b| distance(4, a).total_cmp(&distance(4, b)));
    assert_eq!(others[4].first().copied(), expected);
    assert_eq!(others.iter().map(Vec::len).collect::<Vec<_>>(), [10, 0, 300, 3649, 1, 40]);
}

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
