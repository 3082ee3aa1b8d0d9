//! The work: shared out among threads, bounded, and cut into products.

use gleaner::cluster::Distance::{Cosine, Euclidean};
use gleaner::cluster::{Options, kmeans, kmeans_after, nearest_others};

use super::points::{assert_consistent, blobs, noise};

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
fn more_centroids_than_one_product_holds() {
    let points = noise(3000 * 3, 10);
    let clusters = kmeans(&points, 3, &Options { starts: 1, iterations: 2, ..Options::new(1500, 1, 0) }).unwrap();
    assert!(clusters.groups > 1400, "{}", clusters.groups);
    assert_consistent(&points, &clusters);
}
