//! Arranging ten million candidates.

use std::collections::BTreeMap;
use std::mem;

use crate::draw::Draws;

/// Brings `ids` into the order of their levels, and at random within a level.
///
/// There are far fewer levels than ids: counting puts each id into its tier with two walks through the table that
/// `level` looks into, where sorting by level would jump about in it some twenty times.
pub(super) fn arrange(ids: Vec<u32>, level: impl Fn(u32) -> i32, draws: Draws) -> Vec<u32> {
    let mut places: BTreeMap<i32, usize> = BTreeMap::new();
    for &id in &ids {
        *places.entry(level(id)).or_default() += 1;
    }
    let mut from = 0;
    for place in places.values_mut() {
        let count = mem::replace(place, from);
        from += count;
    }
    let mut order = vec![0; ids.len()];
    for id in ids {
        let place = places.entry(level(id)).or_default();
        if let Some(free) = order.get_mut(*place) {
            *free = id;
        }
        *place += 1;
    }
    // Each place now stands at the end of its tier.
    let mut from = 0;
    for to in places.into_values() {
        draws.shuffle(order.get_mut(from..to).unwrap_or_default());
        from = to;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Stream;

    #[test]
    fn tiers_are_those_of_a_sort_by_level_and_draw() {
        let draws = Draws::new(5, 2, Stream::Scan);
        let level = |id: u32| [3, -1, 7, 0][id as usize % 4];
        let ids: Vec<u32> = (10..5000).rev().collect();
        let mut sorted = ids.clone();
        sorted.sort_by_key(|&id| (level(id), draws.bits(u64::from(id)), id));
        assert_eq!(arrange(ids, level, draws), sorted);
        assert!(arrange(Vec::new(), level, draws).is_empty());
    }
}
