//! The other images that are nearest to each group.

use gleaner::cluster::Distance::{Cosine, Euclidean};
use gleaner::cluster::nearest_others;

use super::points::{noise, squared_distance};

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
