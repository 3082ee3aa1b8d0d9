//! Planned work: what an epoch costs, and how much is left.
//!
//! Work is counted in image visits of training. A scoring forward is charged at `plan.forward` visits; validation is not
//! charged, because whoever trains validates, with gleaner or without.

use crate::config::{Config, Policy};

/// Subsets that planned work is to be enough for, at least.
const ROUNDS: f64 = 10.0;
/// The quota where nothing else decides, as a share of the pool.
const QUOTA: f64 = 0.10;

/// The budget of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// All the work there is to do, if a budget was given.
    pub total: Option<f64>,
    /// Price of one scoring forward, in training visits.
    pub forward: f64,
}

impl Plan {
    /// The plan of a config for a pool of `pool` images: `plan.cost` full-data epochs.
    pub fn of(config: &Config, pool: u32) -> Self {
        Self { total: config.plan.cost.map(|epochs| epochs * f64::from(pool)), forward: config.plan.forward }
    }

    /// How large the next subset is to be, as a share of the pool, unless `mine.quota` says it.
    ///
    /// Under `confidence` a tenth of the planned work, so that the model can change its mind about an image several
    /// times; what it asks for may be less. The publication's step S3 wants "a preset number", and so does a fresh subset
    /// each time.
    pub fn quota(&self, config: &Config) -> f64 {
        config.mine.quota.unwrap_or_else(|| match (config.policy, config.plan.cost) {
            (Policy::Confidence, Some(cost)) => (cost / ROUNDS).min(1.0),
            _ => QUOTA,
        })
    }

    /// What so many visits and forwards cost.
    pub fn cost(&self, visits: u64, forwards: u64) -> f64 {
        visits as f64 + self.forward * forwards as f64
    }

    /// Work that is left after `spent`; infinite without a budget.
    pub fn left(&self, spent: f64) -> f64 {
        self.total.map_or(f64::INFINITY, |total| (total - spent).max(0.0))
    }

    /// Visits that can still be paid for after `spent`.
    pub fn visits_left(&self, spent: f64) -> usize {
        // Half a visit is forgiven: costs are sums of products and need not be whole.
        (self.left(spent) + 0.5).min(usize::MAX as f64) as usize
    }

    /// Whether the planned work is done, to within a hundredth: what is left then is not worth a step, and a scan that
    /// may take half of it each time would never come to its end.
    pub fn is_done(&self, spent: f64) -> bool {
        self.total.is_some_and(|total| self.left(spent) < total / 100.0)
    }

    /// Whether, after `spent`, only the share `finish` of the planned work is left, or less.
    pub fn finishes(&self, finish: f64, spent: f64) -> bool {
        // A hundredth more is not worth a list of its own.
        self.total.is_some_and(|total| finish > 0.0 && self.left(spent) <= (finish + 0.01) * total)
    }

    /// Work of the last part of the plan, the share `finish`, that is not to be spent before it begins.
    pub fn reserved(&self, finish: f64, spent: f64) -> f64 {
        if self.finishes(finish, spent) { 0.0 } else { finish * self.total.unwrap_or(0.0) }
    }

    /// Forwards that a scan may take, when `spent` is spent and it is to feed about `feeds` visits.
    ///
    /// Its cost stays within `budget` of what it feeds. Of the work that is left it takes at most the same proportion,
    /// `budget / (1 + budget)`, so that what it finds can still be trained on.
    pub fn forwards(&self, budget: f64, feeds: usize, spent: f64) -> usize {
        let left = self.left(spent) * budget / (1.0 + budget);
        ((feeds as f64 * budget).min(left) / self.forward).min(usize::MAX as f64) as usize
    }

    /// Whether what bounds [such a scan](Self::forwards) is the work that is left, and not its budget.
    pub fn runs_short(&self, budget: f64, feeds: usize, spent: f64) -> bool {
        self.left(spent) / (1.0 + budget) < feeds as f64
    }

    /// The whole work, for a learning-rate schedule, where the epoch that begins after `spent` visits trains on `visits`
    /// images: the budget, or else as many epochs of this size as `epochs` still allows, or 0 for not known.
    pub fn horizon(&self, epochs: Option<u32>, epoch: u32, spent: f64, visits: usize) -> f64 {
        match (self.total, epochs) {
            (Some(total), _) => total,
            (None, Some(epochs)) => spent + f64::from(epochs.saturating_sub(epoch).max(1)) * visits as f64,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { total: Some(1000.0), forward: 0.25 };

    #[test]
    fn costs_by_hand() {
        assert_eq!(PLAN.cost(100, 40), 110.0);
        assert_eq!(PLAN.left(110.0), 890.0);
        assert_eq!(PLAN.left(2000.0), 0.0);
        assert_eq!(PLAN.visits_left(899.75), 100);
        assert_eq!(Plan { total: None, forward: 0.25 }.visits_left(1e9), usize::MAX);
        assert!(!PLAN.is_done(990.0) && PLAN.is_done(990.5));
        assert!(!Plan { total: None, forward: 0.25 }.is_done(1e9));
        assert!(PLAN.finishes(0.25, 740.0) && !PLAN.finishes(0.25, 739.0) && !PLAN.finishes(0.0, 1000.0));
        assert_eq!(
            (PLAN.reserved(0.25, 100.0), PLAN.reserved(0.25, 750.0), PLAN.reserved(0.0, 0.0)),
            (250.0, 0.0, 0.0)
        );
        assert!(!Plan { total: None, forward: 0.25 }.finishes(0.9, 1e9));
    }

    #[test]
    fn a_scan_stays_within_its_budget_and_leaves_work_for_training() {
        // Feeding 100 visits with a budget of 1 allows a cost of 100, which is 400 forwards.
        assert_eq!(PLAN.forwards(1.0, 100, 0.0), 400);
        assert_eq!(PLAN.forwards(0.5, 100, 0.0), 200);
        // With 60 left the scan may cost 30 of it, which is 120 forwards.
        assert_eq!(PLAN.forwards(1.0, 100, 940.0), 120);
        assert_eq!(PLAN.forwards(0.0, 100, 0.0), 0);
        assert!(PLAN.runs_short(1.0, 100, 940.0) && !PLAN.runs_short(1.0, 100, 800.0));
        assert!(!PLAN.runs_short(0.0, 100, 0.0) && !Plan { total: None, forward: 0.25 }.runs_short(1.0, 100, 1e9));
    }

    #[test]
    fn a_schedule_knows_its_end() {
        assert_eq!(PLAN.horizon(Some(3), 0, 0.0, 10), 1000.0);
        let open = Plan { total: None, forward: 0.25 };
        assert_eq!(open.horizon(Some(5), 2, 40.0, 20), 100.0);
        assert_eq!(open.horizon(None, 2, 40.0, 20), 0.0);
    }
}
