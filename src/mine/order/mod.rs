//! The order in which the scan visits images: drawn at random, or in rounds, each to where the finds probably are.

mod cells;
mod rounds;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use self::cells::{Cell, Tier, grouped};
use self::rounds::Pick;
use super::history::{TRAITS, Traits, levels};
use super::likely::{Likelihood, Tried};
use super::tiers::arrange;
use crate::draw::Draws;
use crate::ledger::{NEVER, Samples};

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
}
