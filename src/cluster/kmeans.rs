//! Lloyd's k-means on a bounded sample, then one assignment of everything.

use indicatif::HumanCount;
use ndarray::{Array2, Axis};

use super::assign::{Centroids, inertia};
use super::fit::Fit;
use super::frame::{Frame, Table};
use super::{ClusterError, Distance, Points};
use crate::draw::{Draws, Stream};
use crate::systemd;

/// How to group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many groups are wanted. There are fewer where there are fewer different embeddings.
    pub groups: usize,
    /// How alike two embeddings are.
    pub distance: Distance,
    /// The most Lloyd iterations on each sample size; fewer when the groups hardly improve any more.
    pub iterations: usize,
    /// How many times to start, on the first few rows of the sample; the best run is kept. 0 counts as 1.
    pub starts: u32,
    /// The most embeddings that centroids are fitted on. Everything is assigned, whatever this is.
    pub sample: usize,
    /// The most multiply-adds that the fit and the assignment may take together. It is work that is counted, and not
    /// time, so that the same groups come out on a slow machine, on a busy one and on a fast one.
    pub work: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, so that each has groups of its own.
    pub epoch: u32,
}

impl Options {
    /// The defaults: Euclidean; 8 starts, fewer with more than 32 groups and 4 from 64 on, where one badly placed centroid
    /// matters less; 10 iterations; a sample of 8,192 embeddings or 128 per group, whichever is more; and as much work as
    /// that takes.
    ///
    /// More than 128 points per centroid lower the inertia by less than one hundredth; fewer than about forty leave it to
    /// chance.
    pub fn new(groups: usize, seed: u64, epoch: u32) -> Self {
        Self {
            groups,
            distance: Distance::Euclidean,
            iterations: 10,
            starts: (256 / u32::try_from(groups.max(1)).unwrap_or(u32::MAX)).clamp(4, 8),
            sample: groups.saturating_mul(128).max(8_192),
            work: u64::MAX,
            seed,
            epoch,
        }
    }
}

/// Groups of similar embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// The group of each embedding, in `0..groups`.
    pub assignment: Vec<u32>,
    /// The centroids, `groups` rows of `dims`; of length one under [`Distance::Cosine`].
    pub centroids: Vec<f32>,
    /// The length of an embedding.
    pub dims: usize,
    /// How many groups there are: at most as many as were wanted, none only if there were no embeddings. Each has
    /// members, unless it is one that was continued.
    pub groups: usize,
    /// Whether the groups are those of the given centroids, number by number.
    pub continued: bool,
    /// The sum of the squared distances of all embeddings to their centroids. Under [`Distance::Cosine`] of the embeddings
    /// brought to length one: a squared distance is then 2 - 2 cos.
    pub inertia: f64,
    /// How many Lloyd iterations the best run made, on samples of all sizes.
    pub iterations: usize,
}

impl Clusters {
    /// How many groups have members.
    pub fn in_use(&self) -> usize {
        let mut used = vec![false; self.groups];
        for &group in &self.assignment {
            if let Some(used) = used.get_mut(group as usize) {
                *used = true;
            }
        }
        used.into_iter().filter(|&used| used).count()
    }

    /// No groups of no embeddings.
    pub fn none(dims: usize) -> Self {
        let (assignment, centroids) = (Vec::new(), Vec::new());
        Self { assignment, centroids, dims, groups: 0, continued: false, inertia: 0.0, iterations: 0 }
    }
}

/// Groups `points`, rows of `dims` values, by k-means.
///
/// The centroids are fitted on a random sample of at most `options.sample` rows (at least one): a run can end in a poor
/// local optimum however many iterations it makes, so there are several on the first few rows of the sample, and the one
/// with the lowest sum of squared distances goes on with more of it. Then every row is given to its nearest centroid, the
/// lowest-numbered of equally near ones. Groups that nothing is nearest to are dropped and the rest renumbered in order.
///
/// Under [`Distance::Cosine`] rows are compared by their directions (Dhillon and Modha, "Concept Decompositions for Large
/// Sparse Text Data Using Clustering", 2001). A row of zeros has none: its cosine with everything counts as 0. It moves no
/// centroid and is in group 0.
///
/// The assignment of everything is deducted from `options.work` first, and made in any case; the fit gets what is left. If
/// that is not enough for a start, the centroids are rows drawn at random.
///
/// # Errors
/// Fails on a table that is not a whole number of rows, on NaN and infinite values anywhere in it (the lowest such row is
/// named), on rows that it does not have, and when no groups are wanted of some points.
pub fn kmeans<'a>(points: impl Into<Points<'a>>, dims: usize, options: &Options) -> Result<Clusters, ClusterError> {
    kmeans_after(&[], points, dims, options)
}

/// The same, going on from the `centroids` of an earlier grouping, so that the numbers of its groups keep their meaning.
///
/// They are the start, filled up with new ones where there are too few of them. A group that loses all its points while
/// centroids are fitted begins anew at the point furthest from its centroid, under its old number; one that nothing is
/// nearest to in the end stays where it was, without members. If there are more centroids than groups are wanted, or if
/// fresh starts do better by more than 10% on the first few rows, the embeddings are not what they were, and
/// everything is numbered anew ([`Clusters::continued`] tells).
///
/// # Errors
/// The same, also of the centroids.
pub fn kmeans_after<'a>(
    centroids: &[f32],
    points: impl Into<Points<'a>>,
    dims: usize,
    options: &Options,
) -> Result<Clusters, ClusterError> {
    let table = Table::new(points, dims, "embeddings")?;
    let given = Table::new(centroids, dims, "centroids")?;
    if table.rows() == 0 {
        return Ok(Clusters::none(dims));
    }
    if options.groups == 0 {
        return Err(ClusterError::NoGroups { points: table.rows() });
    }
    systemd::status(&format!("grouping {} images", HumanCount(table.rows() as u64)));
    let draws = Draws::new(options.seed, options.epoch, Stream::Centroids);
    let rows = sample(table.rows(), options.sample.max(1), &draws);
    let frame = Frame::new(options.distance, &table, &rows, Some(&given));
    let rows: Vec<u32> = rows.into_iter().filter(|&row| !frame.is_blank(&table, row as usize)).collect();
    let given =
        (1..=options.groups).contains(&given.rows()).then(|| frame.block(&given, 0..given.rows())).filter(|given| {
            given.rows().into_iter().all(|row| options.distance != Distance::Cosine || row.iter().any(|&x| x != 0.0))
        });
    if rows.is_empty() {
        let nothing = Centroids::new(&frame, Array2::zeros((1, dims)));
        return Ok(finish(&table, &frame, nothing, None, (0, false)));
    }
    let groups = options.groups.min(rows.len().max(given.as_ref().map_or(0, Array2::nrows)));
    let assigning = (table.rows() as u64).saturating_mul(groups as u64).saturating_mul(dims as u64);
    let work = options.work.saturating_sub(assigning);
    let fitted = Fit { table: &table, frame: &frame, rows: &rows, options, draws: &draws, work }.run(groups, given);
    // Where the sample is everything, the last look at it was the assignment.
    let looked = (fitted.nearest.len() == table.rows()).then(|| {
        let mut nearest = fitted.nearest.clone();
        rows.iter().zip(fitted.nearest).for_each(|(&row, near)| nearest[row as usize] = near);
        nearest
    });
    Ok(finish(&table, &frame, fitted.centroids, looked, (fitted.iterations, fitted.continued)))
}

/// Assigns everything.
fn finish(
    table: &Table<'_>,
    frame: &Frame,
    centroids: Centroids,
    nearest: Option<Vec<super::assign::Near>>,
    (iterations, continued): (usize, bool),
) -> Clusters {
    let nearest = nearest.unwrap_or_else(|| {
        let every: Vec<u32> = (0..table.rows() as u32).collect();
        centroids.nearest_rows(table, frame, &every)
    });
    let inertia = frame.undo_squared(inertia(&nearest));
    let mut assignment: Vec<u32> = nearest.into_iter().map(|near| near.group).collect();
    let kept = if continued { (0..centroids.len()).collect() } else { drop_empty(&mut assignment, centroids.len()) };
    let centroids = frame.undo(&centroids.values().select(Axis(0), &kept));
    Clusters { assignment, centroids, dims: table.dims(), groups: kept.len(), continued, inertia, iterations }
}

/// At most `most` of the numbers below `rows`, in random order.
fn sample(rows: usize, most: usize, draws: &Draws) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> = (0..rows as u32).map(|id| (draws.bits(u64::from(id)), id)).collect();
    if most < keyed.len() {
        keyed.select_nth_unstable(most);
        keyed.truncate(most);
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, id)| id).collect()
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
