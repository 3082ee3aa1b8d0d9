//! Checked tables of embeddings, and the coordinates that distances are computed in.

use ndarray::Array2;
use rayon::prelude::*;

use super::{ClusterError, Distance};

/// Rows in one unit of work. Fixed, because results must not depend on how many threads share the work.
pub(super) const BLOCK: usize = 512;

/// Embeddings, row after row: all rows of a table, or some.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// The table.
    pub values: &'a [f32],
    /// The numbers of the rows that are meant, in the order in which they count; all if there are none.
    pub only: Option<&'a [u32]>,
}

impl<'a, T: AsRef<[f32]> + ?Sized> From<&'a T> for Points<'a> {
    fn from(values: &'a T) -> Self {
        Self { values: values.as_ref(), only: None }
    }
}

/// Finite embeddings, one row per image.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    points: Points<'a>,
    dims: usize,
    largest: f32,
}

impl<'a> Table<'a> {
    /// Checks the shape and that every value is finite; `what` names the table in errors.
    pub(super) fn new(points: impl Into<Points<'a>>, dims: usize, what: &'static str) -> Result<Self, ClusterError> {
        let points = points.into();
        let values = points.values;
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
        // Without the sign, the bits of floats are in the order of their values, NaN last: one look finds the largest
        // and whether all are finite.
        let magnitude = |value: &f32| (value.to_bits() & 0x7fff_ffff).cast_signed();
        let largest = values
            .par_chunks(1 << 16)
            .map(|values| {
                values.iter().map(magnitude).fold(0, |largest, bits| if bits > largest { bits } else { largest })
            })
            .reduce(|| 0, i32::max);
        let largest = f32::from_bits(largest.cast_unsigned());
        if !largest.is_finite()
            && let Some(at) = values.iter().position(|value| !value.is_finite())
        {
            let value = values.get(at).copied().unwrap_or(f32::NAN).to_string();
            return Err(ClusterError::NotFinite { what, row: at / dims, dimension: at % dims, value });
        }
        let outside = |row: &&u32| **row as usize >= rows;
        if let Some(&row) = points.only.and_then(|only| only.iter().find(outside)) {
            return Err(ClusterError::NoRow { what, row, rows });
        }
        Ok(Self { points, dims, largest })
    }

    pub(super) fn rows(&self) -> usize {
        self.points.only.map_or(self.points.values.len() / self.dims, <[u32]>::len)
    }

    pub(super) fn dims(&self) -> usize {
        self.dims
    }

    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        let row = self.points.only.map_or(Some(row), |only| only.get(row).map(|&row| row as usize));
        let start = row.unwrap_or(usize::MAX).saturating_mul(self.dims);
        self.points.values.get(start..start.saturating_add(self.dims)).unwrap_or(&[])
    }
}

/// The coordinates in which distances are straight lines.
pub(super) enum Frame {
    /// Shifted and scaled, for Euclidean distances.
    ///
    /// `|c|² - 2x·c` loses its digits when all embeddings lie far from the origin, and overflows when they are large. So
    /// everything is scaled by a power of two (which rounds nothing) to about 1, and a mean is subtracted.
    Shifted {
        /// In scaled coordinates.
        mean: Vec<f32>,
        scale: f32,
    },
    /// Rows of length one: the squared distance of two is 2 - 2 cos. Zero rows, which have no direction, stay zero.
    Directions,
}

impl Frame {
    /// The frame for `table`; the Euclidean one is centred on the mean of `rows`, and what is in `others` fits, too.
    pub(super) fn new(distance: Distance, table: &Table<'_>, rows: &[u32], others: Option<&Table<'_>>) -> Self {
        if distance == Distance::Cosine {
            return Self::Directions;
        }
        let largest = others.map_or(table.largest, |others| others.largest.max(table.largest));
        let exponent = if largest > 0.0 { -(2.0 * f64::from(largest)).log2().ceil() } else { 0.0 };
        // Within the exponents of normal numbers. At the upper end values become 4 instead of 1, which is as good.
        let scale = 2f64.powi(exponent.clamp(-126.0, 126.0) as i32);
        let sums: Vec<Vec<f64>> = (rows.par_chunks(BLOCK))
            .map(|rows| {
                let mut sums = vec![0.0f64; table.dims];
                for &row in rows {
                    add(&mut sums, table.row(row as usize));
                }
                sums
            })
            .collect();
        let mut mean = vec![0.0f64; table.dims];
        for sums in sums {
            mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum);
        }
        let count = rows.len().max(1) as f64;
        Self::Shifted { mean: mean.iter().map(|sum| (sum / count * scale) as f32).collect(), scale: scale as f32 }
    }

    /// Writes a row of `table` in this frame.
    pub(super) fn write(&self, table: &Table<'_>, row: usize, framed: &mut [f32]) {
        let row = table.row(row);
        match self {
            Self::Shifted { mean, scale } => {
                for ((framed, &value), mean) in framed.iter_mut().zip(row).zip(mean) {
                    *framed = value * scale - mean;
                }
            }
            Self::Directions => {
                let length = length(row);
                let inverse = if length > 0.0 { 1.0 / length } else { 0.0 };
                for (framed, &value) in framed.iter_mut().zip(row) {
                    *framed = (f64::from(value) * inverse) as f32;
                }
            }
        }
    }

    /// The given rows of `table` in this frame.
    pub(super) fn block(&self, table: &Table<'_>, rows: impl ExactSizeIterator<Item = usize>) -> Array2<f32> {
        let mut block = Array2::zeros((rows.len(), table.dims));
        self.fill(table, rows, &mut block);
        block
    }

    /// Writes the given rows of `table` in this frame into the first rows of `block`.
    pub(super) fn fill(&self, table: &Table<'_>, rows: impl Iterator<Item = usize>, block: &mut Array2<f32>) {
        for (mut framed, row) in block.rows_mut().into_iter().zip(rows) {
            if let Some(framed) = framed.as_slice_mut() {
                self.write(table, row, framed);
            }
        }
    }

    /// Whether a row says anything in this frame.
    pub(super) fn is_blank(&self, table: &Table<'_>, row: usize) -> bool {
        matches!(self, Self::Directions) && table.row(row).iter().all(|&value| value == 0.0)
    }

    /// What a centroid is made of the sum of its rows, or `None` if they cancel out.
    pub(super) fn centroid(&self, sum: &[f64], count: usize) -> Option<Vec<f32>> {
        let divisor = match self {
            Self::Shifted { .. } => count as f64,
            Self::Directions => sum.iter().map(|value| value * value).sum::<f64>().sqrt(),
        };
        // Rounding leaves this much of directions that cancel out.
        let least = if matches!(self, Self::Directions) { 1e-6 * count as f64 } else { 0.0 };
        (divisor > least).then(|| sum.iter().map(|value| (value / divisor) as f32).collect())
    }

    /// Framed centroids in the embeddings' own coordinates (directions stay directions), row by row.
    pub(super) fn undo(&self, framed: &Array2<f32>) -> Vec<f32> {
        match self {
            Self::Shifted { mean, scale } => (framed.rows().into_iter())
                .flat_map(|row| row.into_iter().zip(mean))
                .map(|(&value, &mean)| ((f64::from(value) + f64::from(mean)) / f64::from(*scale)) as f32)
                .collect(),
            Self::Directions => framed.iter().copied().collect(),
        }
    }

    /// A sum of squared distances in the embeddings' own coordinates.
    pub(super) fn undo_squared(&self, framed: f64) -> f64 {
        match self {
            Self::Shifted { scale, .. } => framed / f64::from(*scale).powi(2),
            Self::Directions => framed,
        }
    }
}

/// Adds a row to sums.
pub(super) fn add(sums: &mut [f64], row: &[f32]) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum += f64::from(value);
    }
}

/// In f64, where the square of no `f32` overflows or vanishes.
fn length(row: &[f32]) -> f64 {
    const LANES: usize = 4;
    let mut sums = [0.0f64; LANES];
    let (lanes, rest) = row.as_chunks::<LANES>();
    for values in lanes {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value).powi(2)).sum();
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// Taken from the differences themselves, so that it is exactly 0 for equal rows, and exact to rounding for near ones.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}
