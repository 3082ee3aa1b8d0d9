//! Near-duplicates within a group.

use rayon::prelude::*;

use super::frame::{Points, Table};
use super::{ClusterError, Distance};
use crate::systemd;

/// How many images one is held against, at most: those whose distance to the middle of the group is nearest to its own.
const MOST: usize = 256;
/// How many of them are looked at that the model finds alike, at most.
const LOOKS: usize = 4;

/// Two images of a group that are nearly the same to the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearDuplicate {
    /// The row of the one.
    pub row: u32,
    /// The row of the other, which is nearer to the middle of their group, and no near-duplicate of a third.
    pub of: u32,
    /// How far they are apart, as a share of the radius of the groups.
    pub distance: f32,
}

/// Near-duplicates among `points`, rows of `dims` values of which `assignment` tells the group: pairs of a group that are
/// apart by at most `share` of the radius of the groups, which is the root of the mean squared distance of all rows to the
/// means of their groups. (A group's own radius would not do: where a group is two near-duplicates, it is half of what they
/// are apart.) By row.
///
/// No table of all pairs is made. By the triangle inequality two rows are at least as far apart as their distances to the
/// mean differ, so rows are sorted by that and each is held against those just before it ("pivot filtering": Chávez et al.,
/// "Searching in Metric Spaces", 2001), at most 256 of them: in a group so dense that this is not enough, pairs are missed.
/// Of the pairs that are near enough, `alike` (of two rows) says whether they are truly near-duplicates: it is asked about
/// four others of a row, at most.
///
/// # Errors
/// Tables that are not a whole number of rows, NaN and infinite values, and a group for more or fewer rows than there are.
pub fn near_duplicates<'a>(
    points: impl Into<Points<'a>>,
    dims: usize,
    distance: Distance,
    assignment: &[u32],
    share: f64,
    alike: impl Fn(u32, u32) -> bool + Sync,
) -> Result<Vec<NearDuplicate>, ClusterError> {
    let table = Table::new(points, dims, "embeddings")?;
    if assignment.len() != table.rows() {
        return Err(ClusterError::Ragged { what: "groups", values: assignment.len(), dims: table.rows() });
    }
    let mut rows: Vec<u32> = (0..table.rows() as u32).collect();
    let scales: Vec<f32> = match distance {
        Distance::Euclidean => Vec::new(),
        Distance::Cosine => rows.par_iter().map(|&row| to_unit_length(table.row(row as usize))).collect(),
    };
    let group = |row: &u32| assignment.get(*row as usize).copied();
    rows.sort_by_key(group);
    let groups: Vec<&[u32]> = rows.chunk_by(|a, b| group(a) == group(b)).collect();
    let groups: Vec<Group<'_>> = groups.par_iter().map(|rows| Group::new(&table, &scales, rows)).collect();
    let squared: f64 = groups.iter().map(|group| group.squared).sum();
    let radius = (squared / table.rows().max(1) as f64).sqrt();
    let found = groups.par_iter().map(|group| group.near(share, radius, &alike));
    let mut found: Vec<NearDuplicate> = found.collect::<Vec<_>>().concat();
    found.sort_by_key(|pair| pair.row);
    Ok(found)
}

/// What brings a row to length one; 0 where it has no length.
fn to_unit_length(row: &[f32]) -> f32 {
    let length = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 { (1.0 / length) as f32 } else { 0.0 }
}

/// The rows of a group.
struct Group<'a> {
    table: &'a Table<'a>,
    /// The distance to the mean, and the row; in this order.
    members: Vec<(f64, u32)>,
    /// For each row of the table what its values are multiplied with; empty for 1.
    scales: &'a [f32],
    /// The sum of the squared distances to the mean.
    squared: f64,
}

impl<'a> Group<'a> {
    fn new(table: &'a Table<'a>, scales: &'a [f32], rows: &[u32]) -> Self {
        let mut group = Self { table, scales, members: Vec::with_capacity(rows.len()), squared: 0.0 };
        let count = rows.len().max(1) as f64;
        let mut mean = vec![0.0; table.dims()];
        for &row in rows {
            group.values(row).zip(&mut mean).for_each(|(value, mean)| *mean += value / count);
        }
        for &row in rows {
            let squared: f64 = group.values(row).zip(&mean).map(|(value, mean)| (value - mean).powi(2)).sum();
            group.squared += squared;
            group.members.push((squared.sqrt(), row));
        }
        group.members.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        group
    }

    /// The values of a row, of length one where only the angle counts.
    fn values(&self, row: u32) -> impl Iterator<Item = f64> + use<'a> {
        let scale = self.scales.get(row as usize).copied().map_or(1.0, f64::from);
        self.table.row(row as usize).iter().map(move |&value| f64::from(value) * scale)
    }

    fn near(&self, share: f64, radius: f64, alike: &impl Fn(u32, u32) -> bool) -> Vec<NearDuplicate> {
        let reach = share * radius;
        let mut found = Vec::new();
        // Those that are near-duplicates of nobody before them, in the order of their distances to the mean.
        let mut first: Vec<(f64, u32)> = Vec::new();
        for &(from_mean, row) in &self.members {
            systemd::alive();
            let others = first.iter().rev().take(MOST).take_while(|(other, _)| from_mean - other <= reach);
            let apart = |&(_, other): &(f64, u32)| Some((other, self.apart(row, other, reach)?));
            match others.filter_map(apart).take(LOOKS).find(|&(other, _)| alike(row, other)) {
                Some((of, apart)) => {
                    let distance = if radius > 0.0 { apart / radius } else { 0.0 };
                    found.push(NearDuplicate { row, of, distance: distance as f32 });
                }
                None => first.push((from_mean, row)),
            }
        }
        found
    }

    /// The distance of two rows, if it is no more than `reach`.
    fn apart(&self, a: u32, b: u32, reach: f64) -> Option<f64> {
        let mut squared = 0.0;
        for (a, b) in self.values(a).zip(self.values(b)) {
            squared += (a - b) * (a - b);
            if squared > reach * reach {
                return None;
            }
        }
        Some(squared.sqrt())
    }
}
