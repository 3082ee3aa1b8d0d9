//! The nearest centroid of every row, by matrix multiplication.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::frame::{BLOCK, Frame, Table};

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
    norms: Vec<f32>,
}

impl Centroids {
    pub(super) fn new(values: Array2<f32>) -> Self {
        let norms = values.rows().into_iter().map(|row| squared(row.iter())).collect();
        Self { values, norms }
    }

    pub(super) fn values(&self) -> &Array2<f32> {
        &self.values
    }

    pub(super) fn len(&self) -> usize {
        self.norms.len()
    }

    /// The nearest centroid of each row of `block`. There must be at least one centroid.
    pub(super) fn nearest(&self, block: ArrayView2<'_, f32>) -> Vec<Near> {
        let mut nearest = vec![Near { group: 0, distance: f32::INFINITY }; block.nrows()];
        let tiles = self.values.axis_chunks_iter(Axis(0), TILE).zip(self.norms.chunks(TILE));
        for (tile, (centroids, norms)) in tiles.enumerate() {
            let products = block.dot(&centroids.t());
            for (near, products) in nearest.iter_mut().zip(products.rows()) {
                for (group, (&product, norm)) in products.iter().zip(norms).enumerate() {
                    // |x|² is the same for every centroid and is added once, at the end.
                    let distance = norm - 2.0 * product;
                    if distance < near.distance {
                        *near = Near { group: (tile * TILE + group) as u32, distance };
                    }
                }
            }
        }
        for (near, row) in nearest.iter_mut().zip(block.rows()) {
            near.distance = (near.distance + squared(row.iter())).max(0.0);
        }
        nearest
    }

    /// The nearest centroid of each row of `points`, which are already framed.
    pub(super) fn nearest_framed(&self, points: &Array2<f32>) -> Vec<Near> {
        let blocks: Vec<_> = points.axis_chunks_iter(Axis(0), BLOCK).collect();
        blocks.into_par_iter().flat_map_iter(|block| self.nearest(block)).collect()
    }

    /// The nearest centroid of each of the given rows of `table`.
    pub(super) fn nearest_rows(&self, table: &Table<'_>, frame: &Frame, rows: &[u32]) -> Vec<Near> {
        rows.par_chunks(BLOCK)
            .flat_map_iter(|rows| self.nearest(frame.block(table, rows.iter().map(|&row| row as usize)).view()))
            .collect()
    }

    /// The group of every row of `table` and the exact sum of the squared distances, in `frame`.
    pub(super) fn assign(&self, table: &Table<'_>, frame: &Frame) -> (Vec<u32>, f64) {
        let count = table.rows();
        let blocks: Vec<(Vec<u32>, f64)> = (0..count.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let start = block * BLOCK;
                let rows = frame.block(table, start..(start + BLOCK).min(count));
                let groups: Vec<u32> = self.nearest(rows.view()).into_iter().map(|near| near.group).collect();
                let inertia = rows.rows().into_iter().zip(&groups).map(|(row, &group)| {
                    let centroid = self.values.slice(s![group as usize, ..]);
                    row.iter().zip(centroid).map(|(x, c)| f64::from(x - c).powi(2)).sum::<f64>()
                });
                let inertia = inertia.sum();
                (groups, inertia)
            })
            .collect();
        let inertia = blocks.iter().map(|(_, inertia)| inertia).sum();
        (blocks.into_iter().flat_map(|(groups, _)| groups).collect(), inertia)
    }
}

fn squared<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.map(|&value| f64::from(value).powi(2)).sum::<f64>() as f32
}
