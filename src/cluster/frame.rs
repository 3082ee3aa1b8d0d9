//! Checked tables of embeddings, and the coordinates that distances are computed in.

use ndarray::Array2;
use rayon::prelude::*;

use super::ClusterError;

/// Rows in one unit of work. Fixed, because results must not depend on how many threads share the work.
pub(super) const BLOCK: usize = 512;

/// A table of finite embeddings, one row per image.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    values: &'a [f32],
    dims: usize,
    largest: f32,
}

impl<'a> Table<'a> {
    /// Checks the shape and that every value is finite; `what` names the table in errors.
    pub(super) fn new(values: &'a [f32], dims: usize, what: &'static str) -> Result<Self, ClusterError> {
        if dims == 0 {
            return Err(ClusterError::NoDimensions);
        }
        if !values.len().is_multiple_of(dims) {
            return Err(ClusterError::Ragged { what, values: values.len(), dims });
        }
        let rows = values.len() / dims;
        if u32::try_from(rows).is_err() {
            return Err(ClusterError::TooMany { rows });
        }
        let chunks = || values.par_chunks(1 << 16).enumerate();
        let bad = chunks().find_map_first(|(chunk, values)| {
            values.iter().position(|value| !value.is_finite()).map(|at| (chunk << 16) + at)
        });
        if let Some(at) = bad {
            let value = values.get(at).copied().unwrap_or(f32::NAN).to_string();
            return Err(ClusterError::NotFinite { what, row: at / dims, dimension: at % dims, value });
        }
        let largest = chunks()
            .map(|(_, values)| values.iter().fold(0.0f32, |largest, value| largest.max(value.abs())))
            .reduce(|| 0.0, f32::max);
        Ok(Self { values, dims, largest })
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.dims
    }

    fn row(&self, row: usize) -> &'a [f32] {
        let start = row.saturating_mul(self.dims);
        self.values.get(start..start.saturating_add(self.dims)).unwrap_or(&[])
    }
}

/// Shifted and scaled coordinates.
///
/// `|x|² - 2x·c + |c|²` loses its digits when all embeddings lie far from the origin, and overflows when they are large.
/// So a mean is subtracted first, and everything is scaled by a power of two (which rounds nothing) to at most 1.
pub(super) struct Frame {
    mean: Vec<f64>,
    scale: f64,
}

impl Frame {
    /// The frame centred on the mean of `rows` of `table`, in which `table` and everything up to `largest` fits.
    pub(super) fn new(table: &Table<'_>, rows: &[u32], others: Option<&Table<'_>>) -> Self {
        let mut mean = vec![0.0f64; table.dims];
        for &row in rows {
            for (sum, &value) in mean.iter_mut().zip(table.row(row as usize)) {
                *sum += f64::from(value);
            }
        }
        let count = rows.len().max(1) as f64;
        mean.iter_mut().for_each(|sum| *sum /= count);
        let largest = f64::from(others.map_or(table.largest, |others| others.largest.max(table.largest)));
        let scale = if largest > 0.0 { 2f64.powi(-(2.0 * largest).log2().ceil() as i32) } else { 1.0 };
        Self { mean, scale }
    }

    /// The given rows of `table` in this frame.
    pub(super) fn block(&self, table: &Table<'_>, rows: impl ExactSizeIterator<Item = usize>) -> Array2<f32> {
        let mut block = Array2::zeros((rows.len(), table.dims));
        for (mut framed, row) in block.rows_mut().into_iter().zip(rows) {
            for ((framed, &value), mean) in framed.iter_mut().zip(table.row(row)).zip(&self.mean) {
                *framed = ((f64::from(value) - mean) * self.scale) as f32;
            }
        }
        block
    }

    /// Framed centroids in the embeddings' own coordinates, row by row.
    pub(super) fn undo(&self, framed: &Array2<f32>) -> Vec<f32> {
        let mut values = Vec::with_capacity(framed.len());
        for row in framed.rows() {
            values
                .extend(row.iter().zip(&self.mean).map(|(&value, mean)| (f64::from(value) / self.scale + mean) as f32));
        }
        values
    }

    /// A sum of squared distances in the embeddings' own coordinates.
    pub(super) fn undo_squared(&self, framed: f64) -> f64 {
        framed / (self.scale * self.scale)
    }
}
