//! Lloyd's iterations on samples that grow.
//!
//! Far from the end a few points per centroid show as well as all of them where it belongs, so most iterations are made
//! on few points, and each larger sample goes on from where the smaller one led.

use ndarray::Array2;
use rayon::prelude::*;

use super::assign::{Centroids, Near, inertia};
use super::frame::{Frame, Table, add};
use super::kmeans::Options;
use super::start;
use crate::draw::Draws;

/// Points per centroid in the first sample: with 8 the inertia on embeddings of Fashion-MNIST was 1% higher, with 32 not
/// lower.
const FIRST: usize = 16;
/// No fewer points than this in the first sample, where there are so many.
const FIRST_LEAST: usize = 2048;
/// How many times larger each sample is than the one before.
const GROWTH: usize = 4;
/// An iteration that lowers the inertia by less than this share was the last on its sample.
const SETTLED: f64 = 0.005;
/// The same on the first sample, where iterations cost little and decide between the starts.
const SETTLED_FIRST: f64 = 0.0005;
/// Iterations between two decisions which starts drop out.
const LAP: usize = 2;
/// Centroids of the last epoch are given up if fresh starts lead to an inertia lower by more than this share. Over eight
/// checkpoints of a convnet on Fashion-MNIST they cost 0 to 3% with 64 groups and 0 to 10% with 16.
const OUTDATED: f64 = 0.1;
/// Distances of the start are taken one by one, which takes this many times as long as a multiply-add in a product.
const SINGLY: u64 = 4;

/// What centroids are fitted on.
pub(super) struct Fit<'a> {
    pub(super) table: &'a Table<'a>,
    pub(super) frame: &'a Frame,
    /// The sample, in random order.
    pub(super) rows: &'a [u32],
    pub(super) options: &'a Options,
    pub(super) draws: &'a Draws,
    /// Multiply-adds that may still be made.
    pub(super) work: u64,
}

/// Where it led.
pub(super) struct Fitted {
    pub(super) centroids: Centroids,
    /// Of the rows that it was fitted on last.
    pub(super) nearest: Vec<Near>,
    pub(super) iterations: usize,
    /// Whether it went on from the given centroids.
    pub(super) continued: bool,
}

impl Fitted {
    /// The sum of squared distances.
    fn inertia(&self) -> f64 {
        inertia(&self.nearest)
    }
}

impl Fit<'_> {
    /// Fits up to `groups` centroids; there must be at least one row.
    pub(super) fn run(mut self, groups: usize, given: Option<Array2<f32>>) -> Fitted {
        // A start and three iterations may take half of what there is.
        let each = self.cost(1, groups).saturating_mul(start::TRIALS as u64 * SINGLY + 3);
        let affordable = usize::try_from(self.work / 2 / each.max(1)).unwrap_or(usize::MAX);
        let wanted = groups.saturating_mul(FIRST).max(FIRST_LEAST).min(self.rows.len());
        let mut size = wanted.min(affordable).max(groups);
        let first = self.rows.get(..size).unwrap_or(self.rows);
        let points = self.frame.block(self.table, first.iter().map(|&row| row as usize));
        let mut best = match given {
            Some(given) => {
                let going_on = self.start(&points, first, groups, Some(&given), 0);
                let going_on = self.lloyd(first, going_on, self.options.iterations, SETTLED_FIRST);
                let fresh = self.race(&points, first, groups, each);
                let outdated = fresh.inertia() < (1.0 - OUTDATED) * going_on.inertia();
                if outdated { fresh } else { Fitted { continued: true, ..going_on } }
            }
            None => self.race(&points, first, groups, each),
        };
        while size < self.rows.len() {
            size = size.saturating_mul(GROWTH).min(self.rows.len());
            let rows = self.rows.get(..size).unwrap_or(self.rows);
            // One iteration, or there is no point in looking.
            if self.work < self.cost(2 * size, best.centroids.len()) {
                break;
            }
            let (before, continued) = (best.iterations, best.continued);
            let larger = self.look(rows, best.centroids);
            best = self.lloyd(rows, larger, self.options.iterations, SETTLED);
            best.iterations += before;
            best.continued = continued;
        }
        best
    }

    /// Several starts: after every few iterations the worse half drops out.
    fn race(&mut self, points: &Array2<f32>, rows: &[u32], groups: usize, each: u64) -> Fitted {
        let mut best = self.start(points, rows, groups, None, 0);
        let mut others = Vec::new();
        for start in 1..self.options.starts {
            if self.work < each.saturating_mul(rows.len() as u64) {
                break;
            }
            others.push(self.start(points, rows, groups, None, start));
        }
        let mut made = 0;
        while !others.is_empty() {
            let lap = LAP.min(self.options.iterations - made);
            made += lap;
            let runners: Vec<Fitted> = std::iter::once(best).chain(others).collect();
            others = runners.into_iter().map(|run| self.lloyd(rows, run, lap, SETTLED_FIRST)).collect();
            // A stable sort: of equally good ones the first is kept.
            others.sort_by(|a, b| a.inertia().total_cmp(&b.inertia()));
            let kept = if lap == 0 { 1 } else { others.len().div_ceil(2) };
            others.truncate(kept);
            best = others.remove(0);
        }
        self.lloyd(rows, best, self.options.iterations - made, SETTLED_FIRST)
    }

    /// Multiply-adds of one distance from each of so many rows to each centroid.
    fn cost(&self, rows: usize, groups: usize) -> u64 {
        (rows as u64).saturating_mul(groups as u64).saturating_mul(self.table.dims() as u64)
    }

    /// `given` centroids, as far as there are any, and points of the first sample.
    fn start(
        &mut self,
        points: &Array2<f32>,
        rows: &[u32],
        groups: usize,
        given: Option<&Array2<f32>>,
        start: u32,
    ) -> Fitted {
        let standing = given.map_or(0, Array2::nrows);
        let groups = groups.min(rows.len().max(standing));
        let missing = groups.saturating_sub(standing);
        let taken = self.cost(rows.len(), missing).saturating_mul(start::TRIALS as u64 * SINGLY);
        self.work = self.work.saturating_sub(taken);
        self.look(
            rows,
            Centroids::new(self.frame, start::centroids(self.frame, points, groups, given, start, self.draws)),
        )
    }

    fn look(&mut self, rows: &[u32], centroids: Centroids) -> Fitted {
        self.work = self.work.saturating_sub(self.cost(rows.len(), centroids.len()));
        let nearest = centroids.nearest_rows(self.table, self.frame, rows);
        Fitted { centroids, nearest, iterations: 0, continued: false }
    }

    /// Moves each centroid to the mean of its points until that changes little, or `most` iterations are made, or the
    /// work is used up.
    fn lloyd(&mut self, rows: &[u32], mut run: Fitted, most: usize, settled: f64) -> Fitted {
        let cost = self.cost(rows.len(), run.centroids.len());
        for _ in 0..most {
            if self.work < cost {
                break;
            }
            let next =
                self.look(rows, Centroids::new(self.frame, self.means(rows, &run.nearest, run.centroids.values())));
            let done = next.inertia() >= (1.0 - settled) * run.inertia();
            run = Fitted { iterations: run.iterations + 1, ..next };
            if done {
                break;
            }
        }
        run
    }

    /// The mean of each group's points. A group without points moves to the point furthest from its centroid that has
    /// company there, as in scikit-learn.
    fn means(&self, rows: &[u32], nearest: &[Near], before: &Array2<f32>) -> Array2<f32> {
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); before.nrows()];
        for (&row, near) in rows.iter().zip(nearest) {
            members[near.group as usize].push(row);
        }
        if members.iter().any(Vec::is_empty) {
            let mut furthest: Vec<(&Near, u32)> =
                nearest.iter().zip(rows.iter().copied()).filter(|(near, _)| near.distance > 0.0).collect();
            furthest.sort_unstable_by(|(a, row), (b, other)| b.distance.total_cmp(&a.distance).then(row.cmp(other)));
            let mut furthest = furthest.into_iter();
            for empty in 0..members.len() {
                if !members[empty].is_empty() {
                    continue;
                }
                let Some((near, row)) = furthest.find(|(near, _)| members[near.group as usize].len() > 1) else {
                    break;
                };
                members[near.group as usize].retain(|&member| member != row);
                members[empty].push(row);
            }
        }
        let dims = self.table.dims();
        let means: Vec<Option<Vec<f32>>> = members
            .par_iter()
            .map(|members| {
                let (mut sum, mut framed) = (vec![0.0f64; dims], vec![0.0f32; dims]);
                for &row in members {
                    self.frame.write(self.table, row as usize, &mut framed);
                    add(&mut sum, &framed);
                }
                if members.is_empty() { None } else { self.frame.centroid(&sum, members.len()) }
            })
            .collect();
        let mut centroids = before.clone();
        for (mut centroid, mean) in centroids.rows_mut().into_iter().zip(means) {
            if let Some(mean) = mean {
                centroid.iter_mut().zip(mean).for_each(|(value, mean)| *value = mean);
            }
        }
        centroids
    }
}
