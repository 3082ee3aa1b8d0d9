//! Shares, counts and draws without replacement.

use super::Member;
use crate::draw::Draws;

/// `share` brought into `[0, 1]`; 0 if it is not a number.
pub(super) fn bounded(share: f64) -> f64 {
    if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
}

/// `share` of `count`, halves rounded up.
///
/// A share such as 0.145 is not exact in binary, and 0.145 × 100 comes out just below 14.5; the largest error that two
/// roundings can make is added first, so that decimal halves are rounded as a person expects.
pub(super) fn rounded(count: usize, share: f64) -> usize {
    let exact = count as f64 * bounded(share) * (1.0 + 2.0 * f64::EPSILON);
    ((exact + 0.5).floor() as usize).min(count)
}

/// [`rounded`], but at least one of anything that is there.
pub(super) fn rounded_at_least_one(count: usize, share: f64) -> usize {
    rounded(count, share).max(1).min(count)
}

/// Keeps `count` of `items` at random without replacement: those with the smallest draws, equal draws by id. All of them
/// if there are no more. What remains is in no particular order.
///
/// Linear in the number of items, since ten million of them need no sorting to find the smallest.
pub(super) fn keep<T>(items: &mut Vec<T>, count: usize, draws: &Draws, id: impl Fn(&T) -> u32) {
    if count < items.len() {
        items.select_nth_unstable_by_key(count, |item| (draws.bits(u64::from(id(item))), id(item)));
        items.truncate(count);
    }
}

/// The items by group and sample, each sample once (in its lowest group).
pub(super) fn by_group<T: Clone>(items: &[T], member: impl Fn(&T) -> Member) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort_unstable_by_key(|item| (member(item).sample, member(item).cluster));
    items.dedup_by_key(|item| member(item).sample);
    items.sort_unstable_by_key(member);
    items
}

/// The groups of what [`by_group`] returns, one slice each.
pub(super) fn groups<T>(items: &[T], member: impl Fn(&T) -> Member) -> impl Iterator<Item = &[T]> {
    items.chunk_by(move |a, b| member(a).cluster == member(b).cluster)
}
