//! The rounds of an order: how long each is, and which images it takes.

use super::Order;
use super::cells::planned_in;
use crate::mine::allot::{Stock, allot};
use crate::mine::likely::Tried;

/// Fewest images of the first round, which is random.
const FIRST: usize = 256;
/// Where much is wanted the first round is longer: the finds wanted, divided by this.
const LESSONS: usize = 64;
/// A later round is as long as all before it together, divided by this: rounds grow, so that there are few of them however
/// long the scan is, and still half of what a round goes by has been learnt not long ago.
const GROWTH: usize = 2;

/// An image of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    /// Its place in the random order.
    pub(super) place: u32,
    /// Whether it was taken because it was the next there.
    pub(super) walked: bool,
}

impl Order {
    /// The next round, at most `at_most` images; none if all were visited. Before the first round and between two,
    /// everything of the last one is to be made [known](Self::learn).
    pub fn next_round(&mut self, at_most: usize) -> Vec<u32> {
        self.round.clear();
        self.known = 0;
        while self.round.len() < at_most && self.tier < self.tiers.len() {
            if self.random < 1.0 {
                self.plan_round(at_most);
            } else {
                self.walk(usize::MAX, at_most);
            }
            match self.tiers.get(self.tier) {
                Some(tier) if tier.taken < tier.to - tier.from => break,
                // Where nothing is learnt there is nothing to wait for either.
                _ => self.tier += 1,
            }
            if self.random < 1.0 && !self.round.is_empty() {
                break;
            }
        }
        self.round.iter().filter_map(|pick| self.samples.get(pick.place as usize).copied()).collect()
    }

    /// The next `count` images of the random order, or as many as there are, with their cells: they count as visited. As for
    /// a [round](Self::next_round), everything of the last one is to be known.
    pub(in crate::mine) fn take(&mut self, count: usize) -> Vec<(u32, usize)> {
        self.round.clear();
        self.known = 0;
        while self.round.len() < count && self.tier < self.tiers.len() {
            self.walk(usize::MAX, count);
            if self.tiers.get(self.tier).is_some_and(|tier| tier.taken == tier.to - tier.from) {
                self.tier += 1;
            }
        }
        let samples: Vec<u32> =
            self.round.iter().filter_map(|pick| self.samples.get(pick.place as usize).copied()).collect();
        samples.into_iter().map(|sample| (sample, self.learn(None))).collect()
    }

    /// Plans a round in the present tier.
    fn plan_round(&mut self, at_most: usize) {
        let size = (self.looked / GROWTH).max(self.quota / LESSONS).max(FIRST).min(at_most);
        let Some(&tier) = self.tiers.get(self.tier) else { return };
        if self.looked == 0 {
            self.walk(usize::MAX, size);
            return;
        }
        let random = (self.random * (tier.taken + size) as f64).ceil() as usize;
        self.walk(tier.from.saturating_add(random), size);
        self.likelihood.fit(&self.tried);
        let likely = self.likelihood.probabilities();
        let stock: Vec<Stock> = (tier.cells.0..tier.cells.1)
            .filter_map(|at| {
                let (cell, tried, &likely) = (self.cells.get(at)?, self.tried.get(at)?, likely.get(at)?);
                Some(Stock { label: cell.label, left: cell.to - cell.next, found: tried.found, likely })
            })
            .collect();
        // What candidates of other precedence have brought is not wanted again.
        let found = |tried: &[Tried]| tried.iter().map(|tried| tried.found as usize).sum::<usize>();
        let here = found(self.tried.get(tier.cells.0..tier.cells.1).unwrap_or_default());
        let quota = (self.quota + here).saturating_sub(found(&self.tried));
        let counts = allot(&stock, quota, size - self.round.len());
        // The likeliest of all classes first, in case that the quota is full before the round is over.
        let mut best: Vec<usize> =
            (0..stock.len()).filter(|&at| counts.get(at).is_some_and(|&count| count > 0)).collect();
        best.sort_by(|&a, &b| {
            let likely = |at: usize| stock.get(at).map_or(0.0, |stock| stock.likely);
            likely(b).total_cmp(&likely(a))
        });
        for at in best {
            let count = counts.get(at).copied().unwrap_or(0);
            let Some(cell) = self.cells.get_mut(tier.cells.0 + at) else { continue };
            let until = cell.next.saturating_add(count).min(cell.to);
            let places = self.by_cell.get(cell.next as usize..until as usize).unwrap_or_default();
            self.round.extend(places.iter().map(|&place| Pick { place, walked: false }));
            cell.next = until;
        }
        let planned = self.round.len();
        if let Some(tier) = self.tiers.get_mut(self.tier) {
            tier.taken = planned_in(tier, &self.cells);
        }
        if planned == 0 {
            // Nothing more is expected anywhere: on in the random order, in case that the model is wrong.
            self.walk(usize::MAX, size);
        }
    }

    /// Walks on in the random order of the present tier, up to the place `until`, and plans what was not planned yet, as
    /// long as the round is shorter than `longest`.
    fn walk(&mut self, until: usize, longest: usize) {
        let Some(tier) = self.tiers.get_mut(self.tier) else { return };
        while tier.next < until.min(tier.to) && self.round.len() < longest {
            let place = tier.next;
            tier.next += 1;
            let cell = self.cell_of.get(place).and_then(|&cell| self.cells.get_mut(cell as usize));
            // A cell is taken in the same order: what comes before its next one was planned already.
            if let Some(cell) = cell.filter(|cell| self.by_cell.get(cell.next as usize) == Some(&(place as u32))) {
                cell.next += 1;
                self.round.push(Pick { place: place as u32, walked: true });
            }
        }
        tier.taken = planned_in(tier, &self.cells);
    }
}
