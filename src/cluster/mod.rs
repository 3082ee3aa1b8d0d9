//! Groups of similar embeddings, and the nearest others.
//!
//! Patent application CN112733932A aggregates the extracted images by similarity (its step S4) and allows the
//! aggregation to be inexact. Here that is k-means: a seeded k-means++ start, Lloyd's iterations on samples that grow up to
//! a bound, and one assignment of everything by matrix multiplication ([`kmeans`]); from epoch to epoch the centroids go
//! on from where they were ([`kmeans_after`]). [`nearest_others`] then finds, among images that
//! were scanned but not extracted, those that resemble each group most, and [`near_duplicates`] the pairs within a group that
//! are nearly the same.
//!
//! Results depend on the embeddings, the options and the processor's instruction set (with or without fused
//! multiply-add), never on the number of threads: work is cut into blocks of fixed membership and every sum is taken in
//! one fixed order.

mod assign;
mod duplicates;
mod fit;
mod frame;
mod kmeans;
mod others;
mod start;

pub use duplicates::{NearDuplicate, near_duplicates};
pub use frame::Points;
pub use kmeans::{Clusters, Options, kmeans, kmeans_after};
pub use others::nearest_others;

/// How alike two embeddings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// By the straight line between them.
    Euclidean,
    /// By the angle between them, whatever their lengths.
    Cosine,
}

/// Why embeddings could not be grouped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// Zero groups were asked for.
    #[error("cannot form 0 groups of {points} embeddings; set cluster.groups to 1 or more")]
    NoGroups {
        /// How many embeddings there were.
        points: usize,
    },
    /// The embeddings have no dimensions.
    #[error("embeddings of 0 dimensions cannot be grouped; choose a model output with at least one value per image")]
    NoDimensions,
    /// The values are not a whole number of rows.
    #[error("{what} hold {values} values, which is not a whole number of rows of {dims}")]
    Ragged {
        /// Which table it is.
        what: &'static str,
        /// How many values it holds.
        values: usize,
        /// The length of a row.
        dims: usize,
    },
    /// More rows than a sample number can count.
    #[error("{rows} embeddings are more than a 32-bit sample number can count; group fewer images at a time")]
    TooMany {
        /// How many rows there were.
        rows: usize,
    },
    /// A row that the table does not have.
    #[error("row {row} of the {what} was asked for, which have {rows} rows")]
    NoRow {
        /// Which table it is.
        what: &'static str,
        /// The row, counted from 0.
        row: u32,
        /// How many rows there are.
        rows: usize,
    },
    /// A value is NaN or infinite. The lowest such row is named.
    #[error(
        "row {row} of the {what} has the value {value} in dimension {dimension}; \
         embeddings must be finite: the checkpoint that made them is broken"
    )]
    NotFinite {
        /// Which table it is.
        what: &'static str,
        /// The row, counted from 0.
        row: usize,
        /// The dimension, counted from 0.
        dimension: usize,
        /// NaN or an infinity, as text.
        value: String,
    },
    /// There is not one count for each centroid.
    #[error("{counts} counts were given for {centroids} centroids; there must be one for each")]
    Counts {
        /// How many counts there were.
        counts: usize,
        /// How many centroids there were.
        centroids: usize,
    },
}
