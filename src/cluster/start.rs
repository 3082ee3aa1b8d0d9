//! Where the centroids start: greedy k-means++.
//!
//! Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding" (SODA 2007): each next centroid is a point
//! drawn with a probability in proportion to its squared distance to the nearest centroid so far. Of several points drawn
//! this way the one that lowers the sum of these distances most is taken, as their section on experiments suggests.

use ndarray::{Array2, ArrayView1, Axis, concatenate};
use rayon::prelude::*;

use super::assign::Centroids;
use super::frame::{BLOCK, Frame, squared_distance};
use crate::draw::Draws;
use crate::systemd;

/// Ids that one start has to itself. The first as many are the numbers of points.
const IDS: u64 = 1 << 32;

/// How many points are tried for each centroid. More starts with fewer trials lead further than the 2 + ln k trials of
/// scikit-learn in the same time.
pub(super) const TRIALS: usize = 2;

/// `given` and further rows of `points`, all different, up to `groups`; fewer when there are fewer different rows. Another
/// `start`, counted from 0, finds others.
pub(super) fn centroids(
    frame: &Frame,
    points: &Array2<f32>,
    groups: usize,
    given: Option<&Array2<f32>>,
    start: u32,
    draws: &Draws,
) -> Array2<f32> {
    let ids = IDS * (1 + u64::from(start));
    let standing = given.map_or(0, Array2::nrows);
    let mut chosen: Vec<usize> = Vec::with_capacity(groups);
    let mut nearest = given.filter(|_| standing > 0 && standing < groups).map_or_else(
        || vec![1.0f32; points.nrows()],
        |given| Centroids::new(frame, given.clone()).nearest(points).into_iter().map(|near| near.distance).collect(),
    );
    while standing + chosen.len() < groups {
        systemd::alive();
        let fresh = standing + chosen.len() == 0;
        let cumulative = cumulate(&nearest);
        let total = cumulative.last().copied().unwrap_or(0.0);
        if total <= 0.0 {
            break;
        }
        // The first draw is uniform, where trying several would only favour the middle of the data.
        let trials = if fresh { 1 } else { TRIALS };
        let first = ids + (chosen.len() as u64) * 1024;
        let candidates: Vec<usize> = (0..trials as u64)
            .map(|trial| {
                let target = draws.unit(first + trial) * total;
                // `target` may round up to the total itself, one past the last point.
                cumulative.partition_point(|&sum| sum <= target).min(points.nrows().saturating_sub(1))
            })
            .collect();
        let tried = closer(points, &candidates, &nearest, fresh);
        let mut best: Option<(f64, usize, Vec<f32>)> = None;
        for (candidate, closer) in candidates.into_iter().zip(tried) {
            let sum = closer.iter().map(|&distance| f64::from(distance)).sum();
            if best.as_ref().is_none_or(|(lowest, ..)| sum < *lowest) {
                best = Some((sum, candidate, closer));
            }
        }
        let Some((_, candidate, closer)) = best else { break };
        chosen.push(candidate);
        nearest = closer;
    }
    let chosen = points.select(Axis(0), &chosen);
    match given {
        // Both have as many columns as the points.
        Some(given) => concatenate(Axis(0), &[given.view(), chosen.view()]).unwrap_or(chosen),
        None => chosen,
    }
}

/// Running sums, in the order of the points.
fn cumulate(weights: &[f32]) -> Vec<f64> {
    let add = |sum: &mut f64, &weight: &f32| {
        *sum += f64::from(weight);
        Some(*sum)
    };
    weights.iter().scan(0.0, add).collect()
}

/// For each candidate: for each point the lower of its entry in `nearest` and its squared distance to the candidate; the
/// latter alone if `fresh`.
fn closer(points: &Array2<f32>, candidates: &[usize], nearest: &[f32], fresh: bool) -> Vec<Vec<f32>> {
    let centres: Vec<Vec<f32>> = candidates.iter().map(|&row| points.index_axis(Axis(0), row).to_vec()).collect();
    let blocks: Vec<_> = points.axis_chunks_iter(Axis(0), BLOCK).zip(nearest.chunks(BLOCK)).collect();
    let one = |point: ArrayView1<'_, f32>, centre: &[f32], nearest: f32| {
        let distance = point.as_slice().map_or(0.0, |point| squared_distance(point, centre));
        if fresh { distance } else { distance.min(nearest) }
    };
    // A block stays in the processor's cache for all candidates.
    let parts: Vec<Vec<Vec<f32>>> = blocks
        .into_par_iter()
        .map(|(block, nearest)| {
            let rows = || block.rows().into_iter().zip(nearest);
            centres.iter().map(|centre| rows().map(|(point, &nearest)| one(point, centre, nearest)).collect()).collect()
        })
        .collect();
    let mut joined = vec![Vec::with_capacity(nearest.len()); candidates.len()];
    for part in &parts {
        for (joined, part) in joined.iter_mut().zip(part) {
            joined.extend_from_slice(part);
        }
    }
    joined
}
