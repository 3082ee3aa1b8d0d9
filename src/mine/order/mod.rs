//! The order in which the scan visits images: drawn at random, or in rounds, each to where the finds probably are.

mod cells;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use self::cells::{Cell, Tier, grouped, planned_in};
use super::allot::{Stock, allot};
use super::history::{TRAITS, Traits, levels};
use super::likely::{Likelihood, Tried};
use super::tiers::arrange;
use crate::draw::Draws;
use crate::ledger::{NEVER, Samples};

/// Fewest images of the first round, which is random.
const FIRST: usize = 256;
/// Where much is wanted the first round is longer: the finds wanted, divided by this.
const LESSONS: usize = 64;
/// A later round is as long as all before it together, divided by this: rounds grow, so that there are few of them however
/// long the scan is, and still half of what a round goes by has been learnt not long ago.
const GROWTH: usize = 2;

/// What comes before what, whatever is likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// Nothing.
    None,
    /// Images that were seen longest ago come first, never coming before all. Being trained on and being scored both
    /// count as being seen: either way something recent is known of the image.
    Stalest,
}

/// Every image that the last epoch did not train on, in the order in which it is to be visited.
///
/// The candidates stand in a random order. Those of which the same is known (class, last answer, age, streak, cluster)
/// form a cell. The first round takes the first of the random order and learns what share of each kind are finds. From
/// then on each round, half as long as all before it, goes to where the finds probably are, and to a share `random` of
/// images that are simply the next of the random order. Within a cell images are taken in the random order, too.
///
/// So the images that a scan has visited are, in each cell, the first ones of a random order, and a candidate's
/// probability of being among them is
///
/// max(W / N, V / n),
///
/// where W of all N candidates (of equal precedence) were walked through by the random share, and V of the n candidates
/// of its cell were visited. It is positive as soon as the random share has begun; 0 says that a scan ended before it
/// came to candidates of this precedence.
#[derive(Debug)]
pub struct Order {
    /// Samples, by precedence, then at random.
    samples: Vec<u32>,
    /// For each of them its cell.
    cell_of: Vec<u32>,
    /// Their places in `samples`, cell by cell, in order.
    by_cell: Vec<u32>,
    cells: Vec<Cell>,
    tiers: Vec<Tier>,
    tier: usize,
    tried: Vec<Tried>,
    likelihood: Likelihood,
    /// The round on its way, and how much of it is known.
    round: Vec<Pick>,
    known: usize,
    random: f64,
    quota: usize,
    /// Images that the scan has come to.
    looked: usize,
}

#[derive(Clone, Copy, Debug)]
struct Pick {
    /// Its place in the random order.
    place: u32,
    /// Whether it was taken because it was the next there.
    walked: bool,
}

/// How an order is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The epoch of the list that was trained on last: its images are no candidates.
    pub trained_on: u32,
    /// The epoch whose checkpoint scans.
    pub epoch: u32,
    /// What comes first, whatever is likely.
    pub precedence: Precedence,
    /// Images with an answer that is fewer epochs old, and still [holds](Samples::is_fresh), are no candidates; 0 for none
    /// such.
    pub stale: u32,
    /// The share that is drawn at random, whatever is likely, in (0, 1]; 1 for everything.
    pub random: f64,
    /// Finds wanted, at most.
    pub quota: usize,
}

impl Order {
    /// The order of all candidates among those of `samples` that are `allowed`. `label` tells a sample's class.
    pub fn new(
        plan: &Plan,
        samples: &Samples,
        allowed: impl Fn(u32) -> bool,
        label: impl Fn(u32) -> u32,
        draws: Draws,
    ) -> Self {
        let now = i32::try_from(plan.trained_on).unwrap_or(i32::MAX);
        let seen = |id: u32| {
            let at = id as usize;
            let of = |column: &[i32]| column.get(at).copied().unwrap_or(NEVER);
            match plan.precedence {
                Precedence::None => NEVER,
                Precedence::Stalest => of(&samples.last_trained).max(of(&samples.last_scored)),
            }
        };
        let wanted = |&(id, &trained): &(u32, &i32)| {
            trained != now && !samples.is_fresh(id, plan.epoch, plan.stale) && allowed(id)
        };
        let candidates: Vec<u32> = (0u32..).zip(&samples.last_trained).filter(wanted).map(|(id, _)| id).collect();
        let order = arrange(candidates, seen, draws);
        let learns = plan.random < 1.0;
        let mut known: HashMap<Traits, u32> = HashMap::new();
        let mut traits: Vec<Traits> = Vec::new();
        let mut cell_of = Vec::with_capacity(order.len());
        let mut tiers = Vec::new();
        let mut from = 0;
        for tier in order.chunk_by(|&a, &b| seen(a) == seen(b)) {
            known.clear();
            let cells_from = traits.len();
            for &id in tier {
                // Where nothing is learnt one cell of a tier is as good as many.
                let (id, label) = if learns { (id, label(id)) } else { (u32::MAX, 0) };
                let kind = Traits::of(samples, id, label, plan.epoch);
                let next = u32::try_from(traits.len()).unwrap_or(u32::MAX);
                cell_of.push(match known.entry(kind) {
                    Entry::Occupied(cell) => *cell.get(),
                    Entry::Vacant(place) => {
                        traits.push(kind);
                        *place.insert(next)
                    }
                });
            }
            let cells = (cells_from, traits.len());
            tiers.push(Tier { from, to: from + tier.len(), cells, next: from, walked: 0, taken: 0 });
            from += tier.len();
        }
        let (cells, by_cell) = grouped(&cell_of, &traits);
        Self {
            samples: order,
            cell_of,
            by_cell,
            tiers,
            tier: 0,
            tried: vec![Tried::default(); cells.len()],
            cells,
            likelihood: Likelihood::new(levels(traits), TRAITS),
            round: Vec::new(),
            known: 0,
            random: plan.random,
            quota: plan.quota,
            looked: 0,
        }
    }

    /// The number of candidates.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How many of them the scan has come to.
    pub fn visited(&self) -> usize {
        self.looked
    }

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

    /// Makes known what came of the next image of the round: whether it is a find, or nothing where it cannot be read.
    /// Returns the image's cell.
    pub fn learn(&mut self, find: Option<bool>) -> usize {
        let Some(&Pick { place, walked }) = self.round.get(self.known) else { return usize::MAX };
        self.known += 1;
        let cell = self.cell_of.get(place as usize).map_or(usize::MAX, |&cell| cell as usize);
        if let (Some(cell), Some(tried)) = (self.cells.get_mut(cell), self.tried.get_mut(cell)) {
            cell.looked += 1;
            tried.scored += u32::from(find.is_some());
            tried.found += u32::from(find == Some(true));
        }
        self.looked += 1;
        let tier = self.tiers.partition_point(|tier| tier.to <= place as usize);
        if let (true, Some(tier)) = (walked, self.tiers.get_mut(tier)) {
            tier.walked = place as usize + 1 - tier.from;
        }
        cell
    }

    /// The next `count` images of the random order, or as many as there are, with their cells: they count as visited. As for
    /// a [round](Self::next_round), everything of the last one is to be known.
    pub(super) fn take(&mut self, count: usize) -> Vec<(u32, usize)> {
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

    /// For each cell the probability that one of its candidates is visited.
    pub(super) fn inclusion_of_cells(&self) -> Vec<f32> {
        let mut inclusion = Vec::with_capacity(self.cells.len());
        for tier in &self.tiers {
            let random = tier.walked as f64 / (tier.to - tier.from).max(1) as f64;
            for cell in self.cells.get(tier.cells.0..tier.cells.1).unwrap_or_default() {
                let visited = f64::from(cell.looked) / f64::from((cell.to - cell.from).max(1));
                inclusion.push(random.max(visited) as f32);
            }
        }
        inclusion
    }

    /// For each candidate the probability that the scan came to it.
    pub fn inclusion(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        let of_cells = self.inclusion_of_cells();
        let of = move |&cell: &u32| of_cells.get(cell as usize).copied().unwrap_or(f32::NAN);
        self.samples.iter().copied().zip(self.cell_of.iter().map(of))
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
