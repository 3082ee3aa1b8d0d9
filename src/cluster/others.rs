//! The nearest others: images outside the groups that resemble them most.

use super::assign::Centroids;
use super::frame::{Frame, Table};
use super::{ClusterError, Distance, Points};

/// For each centroid the numbers of the `counts[centroid]` candidates that resemble it most, nearest first. No candidate
/// is given twice, so a centroid gets fewer when the candidates run out.
///
/// `centroids` and `candidates` are rows of `dims` values, compared by `distance`; with [`Distance::Cosine`] their lengths do
/// not count, and rows of zeros resemble nothing more than anything else. Candidates are given out in rounds: every free candidate goes
/// to the nearest centroid that still has room (of equally near ones the lowest-numbered), and a centroid with more
/// comers than room keeps the nearest (of equally near ones the lowest-numbered). Thus a centroid is served from the
/// candidates that are nearer to it than to any other first, and only then from what others had no room for. There are at
/// most as many rounds as centroids, since each but the last fills one.
///
/// # Errors
/// Fails on tables that are not a whole number of rows, on NaN and infinite values, and unless there is one count for
/// each centroid.
pub fn nearest_others<'a>(
    centroids: &[f32],
    candidates: impl Into<Points<'a>>,
    dims: usize,
    distance: Distance,
    counts: &[usize],
) -> Result<Vec<Vec<u32>>, ClusterError> {
    let centroids = Table::new(centroids, dims, "centroids")?;
    let candidates = Table::new(candidates, dims, "candidates")?;
    if counts.len() != centroids.rows() {
        return Err(ClusterError::Counts { counts: counts.len(), centroids: centroids.rows() });
    }
    let every: Vec<u32> = (0..centroids.rows() as u32).collect();
    let frame = Frame::new(distance, &centroids, &every, Some(&candidates));
    let mut given = vec![Vec::new(); counts.len()];
    let mut free: Vec<u32> = (0..candidates.rows() as u32).collect();
    while !free.is_empty() {
        let open: Vec<usize> = (0..counts.len()).filter(|&group| given[group].len() < counts[group]).collect();
        if open.is_empty() {
            break;
        }
        let nearest = Centroids::new(&frame, frame.block(&centroids, open.iter().copied())).nearest_rows(
            &candidates,
            &frame,
            &free,
        );
        let mut comers: Vec<Vec<(f32, u32)>> = vec![Vec::new(); open.len()];
        for (near, &candidate) in nearest.iter().zip(&free) {
            comers[near.group as usize].push((near.distance, candidate));
        }
        free.clear();
        for (&group, mut comers) in open.iter().zip(comers) {
            comers.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let room = (counts[group] - given[group].len()).min(comers.len());
            free.extend(comers.split_off(room).into_iter().map(|(_, candidate)| candidate));
            given[group].extend(comers.into_iter().map(|(_, candidate)| candidate));
        }
        free.sort_unstable();
    }
    Ok(given)
}
