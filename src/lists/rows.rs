//! What a list is made of.

use std::ffi::{OsStr, OsString};

use crate::systemd;

/// One image of a list.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The path to write: absolute, or as it stood in the pool's list. Raw bytes, not necessarily UTF-8.
    pub path: &'a OsStr,
    /// The class index.
    pub label: u32,
    /// Why the image is here, one of [`STRATA`](super::STRATA).
    pub stratum: &'static str,
    /// The group of similar images it was drawn from.
    pub cluster: Option<u32>,
    /// The class that the model took it for.
    pub predicted: Option<u32>,
    /// The predicted class's probability.
    pub confidence: Option<f32>,
    /// The label's probability less the highest probability among the other classes; negative where the model is wrong.
    pub margin: Option<f32>,
    /// How much the image counts in the loss: 1, or the inverse of the share it stands for.
    pub weight: f32,
}

/// The rows of a list, which are asked for one at a time and more than once.
///
/// A table of rows will do. A list of a million images is better made row by row as it is written: no table of it, and no
/// path, is held in memory then.
pub trait Rows {
    /// How many rows there are.
    fn count(&self) -> usize;

    /// The row at `at`, the same whenever it is asked for; none from [`count`](Self::count) on. `room` is a place for a path
    /// that is put together for this row; what is in it before means nothing.
    fn row<'a>(&'a self, at: usize, room: &'a mut OsString) -> Option<Row<'a>>;
}

impl Rows for Vec<Row<'_>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn row<'a>(&'a self, at: usize, _room: &'a mut OsString) -> Option<Row<'a>> {
        self.get(at).copied()
    }
}

impl<const COUNT: usize> Rows for [Row<'_>; COUNT] {
    fn count(&self) -> usize {
        COUNT
    }

    fn row<'a>(&'a self, at: usize, _room: &'a mut OsString) -> Option<Row<'a>> {
        self.get(at).copied()
    }
}

/// Does something with every row in turn, up to the first error.
pub(super) fn each<E>(rows: &dyn Rows, mut work: impl FnMut(usize, &Row<'_>) -> Result<(), E>) -> Result<(), E> {
    let mut room = OsString::new();
    (0..rows.count()).try_for_each(|at| {
        systemd::alive();
        rows.row(at, &mut room).map_or(Ok(()), |row| work(at, &row))
    })
}
