//! How many images each batch has.

use gleaner_trainer::sizes::{Size, sizes};

/// The batches of each move of the weights.
fn moves(images: usize, batch: usize, accumulate: usize) -> Vec<Vec<usize>> {
    let sizes = sizes(images, batch, accumulate);
    assert!(sizes.last().is_none_or(|last| last.closes));
    sizes.split_inclusive(|size| size.closes).map(|group| group.iter().map(|size| size.images).collect()).collect()
}

#[test]
fn what_is_left_over_shares_with_the_batch_before() {
    assert_eq!(moves(20, 5, 1), [[5], [5], [5], [5]]);
    assert_eq!(moves(23, 5, 1), [[5], [5], [5], [4], [4]]);
    assert_eq!(moves(21, 5, 1), [[5], [5], [5], [3], [3]]);
    assert_eq!(moves(9, 5, 1), [[5], [4]]);
    let lists: Vec<usize> = moves(550, 32, 1).concat();
    assert_eq!((lists.len(), &lists[..16], &lists[16..]), (18, [32; 16].as_slice(), [19, 19].as_slice()));
}

#[test]
fn a_list_of_less_than_a_batch_is_one() {
    assert_eq!(moves(3, 5, 1), [[3]]);
    assert_eq!(moves(1, 5, 1), [[1]]);
    assert!(moves(0, 5, 1).is_empty());
}

#[test]
fn no_batch_is_a_single_image_unless_all_are() {
    assert_eq!(moves(3, 2, 1), [[3]]);
    assert_eq!(moves(5, 2, 1), [[2], [3]]);
    assert_eq!(moves(4, 1, 1), [[1], [1], [1], [1]]);
}

#[test]
fn batches_that_move_the_weights_together_are_shared_as_one_of_their_size() {
    assert_eq!(moves(10, 2, 2), [vec![2, 2], vec![3], vec![3]]);
    assert_eq!(moves(7, 3, 4), [[2, 2, 3]]);
    assert_eq!(moves(11, 2, 3), [vec![2, 2, 2], vec![2, 3]]);
    for images in 0..200 {
        for (batch, accumulate) in [(2, 3), (3, 2), (4, 5), (1, 7), (16, 4)] {
            let small: Vec<usize> = moves(images, batch, accumulate).iter().map(|group| group.iter().sum()).collect();
            let large: Vec<usize> = moves(images, batch * accumulate, 1).concat();
            assert_eq!((&small, small.iter().sum()), (&large, images), "{images} images, {accumulate} times {batch}");
            let sizes = sizes(images, batch, accumulate);
            assert!(
                sizes
                    .iter()
                    .all(|Size { images: size, .. }| (*size > 1 || batch == 1 || images == 1) && *size <= batch + 1)
            );
        }
    }
}
