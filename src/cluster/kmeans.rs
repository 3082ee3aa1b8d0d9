//! Lloyd's k-means on a bounded sample, then one assignment of everything.

use ndarray::{Array2, Axis};

use super::ClusterError;
use super::assign::{Centroids, Near};
use super::frame::{Frame, Table};
use super::start;
use crate::draw::{Draws, Stream};

/// How to group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many groups are wanted. There are fewer where there are fewer different embeddings.
    pub groups: usize,
    /// The most Lloyd iterations; fewer when the groups stop changing.
    pub iterations: usize,
    /// How many times to start; the best run is kept. 0 counts as 1.
    pub starts: u32,
    /// The most embeddings that centroids are fitted on. Everything is assigned, whatever this is.
    pub sample: usize,
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, so that each has groups of its own.
    pub epoch: u32,
}

impl Options {
    /// The defaults: 3 starts and 10 iterations on the larger of 20,000 and 64 per group.
    ///
    /// 20,000 is 312 for each of the default 64 groups; more than a few hundred points per centroid hardly move it, and
    /// fewer than about forty leave it to chance.
    pub fn new(groups: usize, seed: u64, epoch: u32) -> Self {
        Self { groups, iterations: 10, starts: 3, sample: groups.saturating_mul(64).max(20_000), seed, epoch }
    }
}

/// Groups of similar embeddings. No group is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// The group of each embedding, in `0..groups`.
    pub assignment: Vec<u32>,
    /// The centroids, `groups` rows of `dims`.
    pub centroids: Vec<f32>,
    /// The length of an embedding.
    pub dims: usize,
    /// How many groups there are: at most as many as were wanted, none only if there were no embeddings.
    pub groups: usize,
    /// The sum of the squared distances of all embeddings to their centroids.
    pub inertia: f64,
    /// How many Lloyd iterations the best run made.
    pub iterations: usize,
}

/// Groups `points`, rows of `dims` values, by k-means.
///
/// The centroids are fitted on a random sample of at most `options.sample` rows (at least one). A run can end in a poor
/// local optimum however many iterations it makes, so there are several, and the one with the lowest sum of squared
/// distances is kept. Then every row is given to its nearest centroid, the lowest-numbered of equally near ones. Groups
/// that nothing is nearest to are dropped and the rest renumbered in order.
///
/// # Errors
/// Fails on a table that is not a whole number of rows, on NaN and infinite values (the lowest such row is named), and
/// when no groups are wanted of some points.
pub fn kmeans(points: &[f32], dims: usize, options: &Options) -> Result<Clusters, ClusterError> {
    let table = Table::new(points, dims, "embeddings")?;
    if table.rows() == 0 {
        let (assignment, centroids) = (Vec::new(), Vec::new());
        return Ok(Clusters { assignment, centroids, dims, groups: 0, inertia: 0.0, iterations: 0 });
    }
    if options.groups == 0 {
        return Err(ClusterError::NoGroups { points: table.rows() });
    }
    let draws = Draws::new(options.seed, options.epoch, Stream::Centroids);
    let rows = sample(table.rows(), options.sample.max(1), &draws);
    let frame = Frame::new(&table, &rows, None);
    let fitted_on = frame.block(&table, rows.iter().map(|&row| row as usize));
    let (centroids, iterations) = fit(&fitted_on, options, &draws);
    drop(fitted_on);

    let (mut assignment, inertia) = centroids.assign(&table, &frame);
    let kept = drop_empty(&mut assignment, centroids.len());
    let centroids = frame.undo(&centroids.values().select(Axis(0), &kept));
    let inertia = frame.undo_squared(inertia);
    Ok(Clusters { assignment, centroids, dims, groups: kept.len(), inertia, iterations })
}

/// At most `most` of the numbers below `rows`, at random, in ascending order.
fn sample(rows: usize, most: usize, draws: &Draws) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..rows as u32).collect();
    if most < ids.len() {
        ids.select_nth_unstable_by_key(most, |&id| (draws.bits(u64::from(id)), id));
        ids.truncate(most);
        ids.sort_unstable();
    }
    ids
}

/// The best of `options.starts` runs on `points` (the first of equally good ones), and how many iterations it took.
fn fit(points: &Array2<f32>, options: &Options, draws: &Draws) -> (Centroids, usize) {
    let groups = options.groups.min(points.nrows());
    let run = |start| lloyd(points, start::centroids(points, groups, start, draws), options.iterations);
    let mut best = run(0);
    for start in 1..options.starts {
        let other = run(start);
        if other.inertia < best.inertia {
            best = other;
        }
    }
    (best.centroids, best.iterations)
}

/// Where one start led.
struct Run {
    centroids: Centroids,
    inertia: f64,
    iterations: usize,
}

/// Moves each centroid to the mean of its points until no point changes its group or `iterations` are made.
fn lloyd(points: &Array2<f32>, start: Array2<f32>, iterations: usize) -> Run {
    let mut centroids = Centroids::new(start);
    let mut nearest = centroids.nearest_framed(points);
    let mut made = 0;
    while made < iterations {
        centroids = Centroids::new(means(points, &nearest, centroids.len()));
        let next = centroids.nearest_framed(points);
        made += 1;
        let settled = next.iter().zip(&nearest).all(|(next, before)| next.group == before.group);
        nearest = next;
        if settled {
            break;
        }
    }
    let inertia = nearest.iter().map(|near| f64::from(near.distance)).sum();
    Run { centroids, inertia, iterations: made }
}

/// The mean of each group's points. A group without points moves to the point furthest from its centroid that has
/// company there, as in scikit-learn.
fn means(points: &Array2<f32>, nearest: &[Near], groups: usize) -> Array2<f32> {
    let mut sums = Array2::<f64>::zeros((groups, points.ncols()));
    let mut counts = vec![0u32; groups];
    let mut add = |group: usize, point: usize, sign: f64| {
        let row = points.index_axis(Axis(0), point);
        sums.index_axis_mut(Axis(0), group).zip_mut_with(&row, |sum, &value| *sum += sign * f64::from(value));
    };
    for (point, near) in nearest.iter().enumerate() {
        let group = near.group as usize;
        add(group, point, 1.0);
        counts[group] += 1;
    }
    if counts.contains(&0) {
        let mut furthest: Vec<usize> = (0..nearest.len()).filter(|&point| nearest[point].distance > 0.0).collect();
        furthest.sort_unstable_by(|&a, &b| nearest[b].distance.total_cmp(&nearest[a].distance).then(a.cmp(&b)));
        let mut furthest = furthest.into_iter();
        for empty in 0..groups {
            if counts[empty] > 0 {
                continue;
            }
            let Some(point) = furthest.find(|&point| counts[nearest[point].group as usize] > 1) else { break };
            let old = nearest[point].group as usize;
            add(old, point, -1.0);
            add(empty, point, 1.0);
            counts[old] -= 1;
            counts[empty] = 1;
        }
    }
    for (mut sum, &count) in sums.rows_mut().into_iter().zip(&counts) {
        sum /= f64::from(count.max(1));
    }
    sums.mapv(|value| value as f32)
}

/// Renumbers the groups in use without gaps, and returns their old numbers.
fn drop_empty(assignment: &mut [u32], groups: usize) -> Vec<usize> {
    let mut used = vec![false; groups];
    for &group in assignment.iter() {
        used[group as usize] = true;
    }
    let kept: Vec<usize> = (0..groups).filter(|&group| used[group]).collect();
    let mut numbers = vec![0u32; groups];
    for (new, &old) in kept.iter().enumerate() {
        numbers[old] = new as u32;
    }
    assignment.iter_mut().for_each(|group| *group = numbers[*group as usize]);
    kept
}

#[cfg(test)]
mod tests {
    use super::drop_empty;

    #[test]
    fn groups_in_use_are_renumbered_in_order() {
        // Of the groups 0 to 5 only 1, 3 and 4 have points; they become 0, 1 and 2.
        let mut assignment = [4, 1, 3, 1];
        assert_eq!(drop_empty(&mut assignment, 6), [1, 3, 4]);
        assert_eq!(assignment, [2, 0, 1, 0]);
    }
}
