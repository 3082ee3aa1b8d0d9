//! Candidates of which the same is known, and where they stand in the random order.

use crate::mine::history::Traits;

/// Candidates of which the same is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) label: u32,
    /// Its part of `by_cell`: from, the next one to be taken, and the end.
    pub(super) from: u32,
    pub(super) next: u32,
    pub(super) to: u32,
    /// Images that the scan has come to, those counted in that cannot be read.
    pub(super) looked: u32,
}

/// Candidates of equal precedence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tier {
    /// Its part of `samples`, and of the cells.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) cells: (usize, usize),
    /// The place up to which its random order has been planned.
    pub(super) next: usize,
    /// How many of its candidates the random share has come to.
    pub(super) walked: usize,
    /// How many were planned, by whatever reason.
    pub(super) taken: usize,
}

/// How many candidates of a tier were planned so far.
pub(super) fn planned_in(tier: &Tier, cells: &[Cell]) -> usize {
    let cells = cells.get(tier.cells.0..tier.cells.1).unwrap_or_default();
    cells.iter().map(|cell| (cell.next - cell.from) as usize).sum()
}

/// The cells with their parts of the list of places, and that list.
pub(super) fn grouped(cell_of: &[u32], traits: &[Traits]) -> (Vec<Cell>, Vec<u32>) {
    let empty = |traits: &Traits| Cell { label: traits.label(), from: 0, next: 0, to: 0, looked: 0 };
    let mut cells: Vec<Cell> = traits.iter().map(empty).collect();
    for &cell in cell_of {
        if let Some(cell) = cells.get_mut(cell as usize) {
            cell.to += 1;
        }
    }
    let mut from = 0;
    for cell in &mut cells {
        let size = cell.to;
        // The end moves on while places are put in.
        (cell.from, cell.next, cell.to) = (from, from, from);
        from += size;
    }
    let mut by_cell = vec![0; cell_of.len()];
    for (place, &cell) in (0u32..).zip(cell_of) {
        if let Some(cell) = cells.get_mut(cell as usize)
            && let Some(slot) = by_cell.get_mut(cell.to as usize)
        {
            *slot = place;
            cell.to += 1;
        }
    }
    (cells, by_cell)
}
