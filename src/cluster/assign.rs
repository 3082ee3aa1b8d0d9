//! The nearest centroid of every row, by matrix multiplication.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::frame::{BLOCK, Frame, Table, squared_distance};
use crate::systemd;

/// Centroids per matrix product, which bounds the memory of one.
const TILE: usize = 1024;

/// The nearest centroid of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Near {
    /// The centroid's number; of equally near ones the lowest.
    pub(super) group: u32,
    /// The squared distance.
    pub(super) distance: f32,
}

/// Centroids with what every distance to them needs.
pub(super) struct Centroids {
    values: Array2<f32>,
    /// `-2c`, of which products are taken: `|x - c|² = |x|² + (|c|² + x·(-2c))`, and `|x|²` does not tell centroids apart.
    doubled: Array2<f32>,
    norms: Vec<f32>,
}

impl Centroids {
    pub(super) fn new(frame: &Frame, values: Array2<f32>) -> Self {
        let square = |&value: &f32| f64::from(value).powi(2);
        let norm = |row: ArrayView1<'_, f32>| match frame {
            Frame::Shifted { .. } => row.iter().map(square).sum::<f64>() as f32,
            // But for rounding, which would decide where rows without a direction go.
            Frame::Directions => 1.0,
        };
        let norms = values.rows().into_iter().map(norm).collect();
        Self { doubled: &values * -2.0, values, norms }
    }

    pub(super) fn values(&self) -> &Array2<f32> {
        &self.values
    }

    pub(super) fn len(&self) -> usize {
        self.norms.len()
    }

    /// The nearest centroid of each row of `points`, which are framed already. There must be at least one centroid.
    pub(super) fn nearest(&self, points: &Array2<f32>) -> Vec<Near> {
        let mut products = self.products();
        points.axis_chunks_iter(Axis(0), BLOCK).flat_map(|block| self.nearest_of_block(block, &mut products)).collect()
    }

    /// The nearest centroid of each of the given rows of `table`. There must be at least one centroid.
    pub(super) fn nearest_rows(&self, table: &Table<'_>, frame: &Frame, rows: &[u32]) -> Vec<Near> {
        let room = || (Array2::zeros((BLOCK, table.dims())), self.products());
        let blocks: Vec<Vec<Near>> = (rows.par_chunks(BLOCK))
            .map_init(room, |(framed, products), rows| {
                frame.fill(table, rows.iter().map(|&row| row as usize), framed);
                self.nearest_of_block(framed.slice(s![..rows.len(), ..]), products)
            })
            .collect();
        blocks.concat()
    }

    /// Room for the products of a block with a tile.
    fn products(&self) -> Array2<f32> {
        Array2::zeros((BLOCK, self.len().min(TILE)))
    }

    fn nearest_of_block(&self, block: ArrayView2<'_, f32>, products: &mut Array2<f32>) -> Vec<Near> {
        systemd::alive();
        let mut nearest = vec![Near { group: 0, distance: f32::INFINITY }; block.nrows()];
        let tiles = self.doubled.axis_chunks_iter(Axis(0), TILE).zip(self.norms.chunks(TILE));
        for (tile, (centroids, norms)) in tiles.enumerate() {
            let mut products = products.slice_mut(s![..block.nrows(), ..norms.len()]);
            general_mat_mul(1.0, &block, &centroids.t(), 0.0, &mut products);
            for (near, products) in nearest.iter_mut().zip(products.rows()) {
                let (lowest, group) = lowest_sum(products.as_slice().unwrap_or(&[]), norms);
                if lowest < near.distance {
                    *near = Near { group: (tile * TILE + group) as u32, distance: lowest };
                }
            }
        }
        for (near, row) in nearest.iter_mut().zip(block.rows()) {
            let centroid = self.values.row(near.group as usize);
            near.distance = squared_distance(row.as_slice().unwrap_or(&[]), centroid.to_slice().unwrap_or(&[]));
        }
        nearest
    }
}

/// The sum of squared distances.
pub(super) fn inertia(nearest: &[Near]) -> f64 {
    nearest.iter().map(|near| f64::from(near.distance)).sum()
}

/// The lowest of `a + b`, place by place, and the first place where it stands. In two goes without branches, which a
/// processor does on many values at once.
fn lowest_sum(a: &[f32], b: &[f32]) -> (f32, usize) {
    const LANES: usize = 16;
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let mut lows = [f32::INFINITY; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((low, a), b) in lows.iter_mut().zip(a).zip(b) {
            let sum = a + b;
            *low = if sum < *low { sum } else { *low };
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a + b);
    let low = lows.into_iter().chain(rest).fold(f32::INFINITY, f32::min);
    let here =
        |(a, b): (&[f32; LANES], &[f32; LANES])| a.iter().zip(b).fold(false, |here, (a, b)| here | (a + b == low));
    let start = a_lanes.iter().zip(b_lanes).position(here).unwrap_or(a_lanes.len()) * LANES;
    let within = a.iter().zip(b).skip(start).position(|(a, b)| a + b == low).unwrap_or(0);
    (low, start + within)
}

#[cfg(test)]
mod tests {
    use super::lowest_sum;

    #[test]
    fn the_first_of_equally_low_sums_is_found_wherever_it_stands() {
        for length in [1, 15, 16, 17, 40] {
            for place in 0..length {
                // 5 everywhere, but 1 + 1 at `place` and, where there is room, once more behind it.
                let a: Vec<f32> =
                    (0..length).map(|at| if at == place || at == place + 3 { 1.0 } else { 2.0 }).collect();
                let b: Vec<f32> = a.iter().map(|value| value * 2.0 - 1.0).collect();
                assert_eq!(lowest_sum(&a, &b), (2.0, place), "{place} of {length}");
            }
        }
    }
}
