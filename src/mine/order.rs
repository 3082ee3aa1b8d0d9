//! The order in which the scan visits images.

use super::tiers::arrange;
use crate::draw::Draws;

/// Every image that the last epoch did not train on, in random order.
///
/// `last_trained[id]` is the last epoch that trained on an image, -1 for never; `epoch` is that of the list just trained on.
pub fn at_random(last_trained: &[i32], epoch: u32, draws: Draws) -> Vec<u32> {
    let mut order = candidates(last_trained, epoch);
    draws.shuffle(&mut order);
    order
}

/// The same images, those first that were seen longest ago, never coming before all; random among equals.
///
/// Being trained on and being scored both count as being seen: either way something recent is known of the image.
pub fn stalest_first(last_trained: &[i32], last_scored: &[i32], epoch: u32, draws: Draws) -> Vec<u32> {
    let seen = |id: u32| {
        let at = id as usize;
        let trained = last_trained.get(at).copied().unwrap_or(-1);
        trained.max(last_scored.get(at).copied().unwrap_or(-1))
    };
    arrange(candidates(last_trained, epoch), seen, draws)
}

fn candidates(last_trained: &[i32], epoch: u32) -> Vec<u32> {
    let now = i32::try_from(epoch).unwrap_or(i32::MAX);
    (0u32..).zip(last_trained).filter(|&(_, &trained)| trained != now).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Stream;

    #[test]
    fn the_current_subset_is_not_scanned() {
        let mut order = at_random(&[-1, 4, 3, 4, -1], 4, Draws::new(1, 4, Stream::Scan));
        order.sort_unstable();
        assert_eq!(order, [0, 2, 4]);
    }

    #[test]
    fn never_seen_comes_before_long_ago() {
        //           id:  0   1  2   3  4  5
        let trained = [-1, 0, 2, -1, 1, 3];
        let scored = [-1, 2, -1, 0, -1, -1];
        let order = stalest_first(&trained, &scored, 3, Draws::new(1, 3, Stream::Scan));
        // Last seen: 0 never, 3 in epoch 0, 4 in epoch 1, 1 and 2 in epoch 2; 5 is the current subset.
        assert_eq!(&order[..3], [0, 3, 4]);
        let mut rest = order[3..].to_vec();
        rest.sort_unstable();
        assert_eq!(rest, [1, 2]);
    }

    #[test]
    fn another_epoch_brings_another_order() {
        let trained = vec![-1; 100];
        let of = |epoch| at_random(&trained, epoch, Draws::new(1, epoch, Stream::Scan));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
