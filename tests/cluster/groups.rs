//! The groups that are found: as good as those of scikit-learn, and those that are there.

use gleaner::cluster::{Options, kmeans};

use super::points::{assert_consistent, assert_one_group_a_blob, blobs, separated};

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
fn two_by_two_by_hand() {
    // On a line: {0, 2} and {10, 14} have the means 1 and 12 and the inertia 1 + 1 + 4 + 4.
    let clusters = kmeans(&[0.0, 10.0, 2.0, 14.0], 1, &Options::new(2, 1, 0)).unwrap();
    let [a, b, c, d] = clusters.assignment[..] else { panic!("four points") };
    assert!(a == c && b == d && a != b, "{:?}", clusters.assignment);
    assert_eq!(clusters.centroids[a as usize], 1.0);
    assert_eq!(clusters.centroids[b as usize], 12.0);
    assert_eq!(clusters.inertia, 10.0);
}
