//! How likely each kind of candidate is to be a find, learnt from what the scan has seen so far.
//!
//! Candidates of which the same is known form a cell, and a cell is described by a few traits, each of which has one of a
//! small number of levels: its class, what the model last took it for, how long ago that was, and so on. The probability
//! of a find is an additive logistic model of the levels,
//!
//! logit p = b + Σ over the traits of w(trait, level),
//!
//! with a ridge penalty on the w: what the scan has not seen yet counts as average. It is fitted by Newton steps, one
//! coordinate after another (as in chapter 6 of Hastie, Tibshirani and Wainwright, "Statistical Learning with
//! Sparsity", 2015). Every sum is taken in one fixed order, so the fit depends on nothing but its input.

/// Weight of the penalty `RIDGE / 2 × w²`: a third of an image's worth of doubt for each level.
const RIDGE: f64 = 0.3;
/// How often every coordinate is moved; each fit begins where the last one ended.
const SWEEPS: usize = 8;
/// The longest step of a coordinate: a Newton step from where the curve is flat leads anywhere.
const LONGEST: f64 = 2.0;

/// What was seen of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tried {
    /// Images scored.
    pub(super) scored: u32,
    /// Finds among them.
    pub(super) found: u32,
}

/// The model of all cells.
#[derive(Debug)]
pub(super) struct Likelihood {
    bias: f64,
    /// For each trait, a weight for each level.
    weights: Vec<Vec<f64>>,
    /// Cell by cell, the level of each trait.
    levels: Vec<u32>,
}

impl Likelihood {
    /// A model that knows nothing yet. `levels` holds `traits` levels for each cell, one cell after another.
    pub(super) fn new(levels: Vec<u32>, traits: usize) -> Self {
        let count =
            |index: usize| levels.iter().skip(index).step_by(traits.max(1)).max().map_or(0, |&top| top as usize + 1);
        let weights = (0..traits).map(|index| vec![0.0; count(index)]).collect();
        Self { bias: 0.0, weights, levels }
    }

    /// Learns from `tried`, cell by cell, all that was seen in this scan.
    pub(super) fn fit(&mut self, tried: &[Tried]) {
        let traits = self.weights.len();
        let mut cells: Vec<Fitted<'_>> = (tried.iter().zip(self.levels.chunks_exact(traits.max(1))))
            .filter(|(tried, _)| tried.scored > 0)
            .map(|(tried, levels)| Fitted {
                levels,
                scored: f64::from(tried.scored),
                found: f64::from(tried.found),
                logit: logit(self.bias, &self.weights, levels),
            })
            .collect();
        for _ in 0..SWEEPS {
            self.bias += Fitted::steps(&mut cells, 1, 0.0, None, |_| 0).first().copied().unwrap_or(0.0);
            for (index, weights) in self.weights.iter_mut().enumerate() {
                let level = |cell: &Fitted<'_>| cell.levels.get(index).map_or(0, |&level| level as usize);
                let steps = Fitted::steps(&mut cells, weights.len(), RIDGE, Some(weights), level);
                weights.iter_mut().zip(steps).for_each(|(weight, step)| *weight += step);
            }
        }
    }

    /// The probability of a find in each cell.
    pub(super) fn probabilities(&self) -> Vec<f64> {
        let cells = self.levels.chunks_exact(self.weights.len().max(1));
        cells.map(|levels| sigmoid(logit(self.bias, &self.weights, levels))).collect()
    }
}

struct Fitted<'a> {
    levels: &'a [u32],
    scored: f64,
    found: f64,
    logit: f64,
}

impl Fitted<'_> {
    /// One Newton step for each of `count` weights, of which each cell has the one that `level` names; the cells follow.
    fn steps(
        cells: &mut [Self],
        count: usize,
        ridge: f64,
        weights: Option<&[f64]>,
        level: impl Fn(&Self) -> usize,
    ) -> Vec<f64> {
        let mut slopes = vec![0.0; count];
        let mut curves = vec![ridge.max(1e-9); count];
        for cell in &*cells {
            let p = sigmoid(cell.logit);
            if let (Some(slope), Some(curve)) = (slopes.get_mut(level(cell)), curves.get_mut(level(cell))) {
                *slope += cell.found - cell.scored * p;
                *curve += cell.scored * p * (1.0 - p);
            }
        }
        for (slope, weight) in slopes.iter_mut().zip(weights.unwrap_or_default()) {
            *slope -= ridge * weight;
        }
        let steps: Vec<f64> =
            slopes.iter().zip(&curves).map(|(slope, curve)| (slope / curve).clamp(-LONGEST, LONGEST)).collect();
        for cell in cells {
            cell.logit += steps.get(level(cell)).copied().unwrap_or(0.0);
        }
        steps
    }
}

fn logit(bias: f64, weights: &[Vec<f64>], levels: &[u32]) -> f64 {
    let weight = |(weights, &level): (&Vec<f64>, &u32)| weights.get(level as usize).copied().unwrap_or(0.0);
    bias + weights.iter().zip(levels).map(weight).sum::<f64>()
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_is_where_the_slope_is_zero() {
        // Two traits of two levels; 40 images tried in each of the four cells.
        let mut model = Likelihood::new(vec![0, 0, 0, 1, 1, 0, 1, 1], 2);
        let tried = [4, 12, 20, 36].map(|found| Tried { scored: 40, found });
        (0..500).for_each(|_| model.fit(&tried));
        let p = model.probabilities();
        // At the optimum the slope in every weight is zero: what the model expects of a level is what was found there,
        // less the penalty's pull.
        let surplus =
            |cells: [usize; 2]| cells.iter().map(|&at| f64::from(tried[at].found) - 40.0 * p[at]).sum::<f64>();
        assert!((surplus([0, 1]) + surplus([2, 3])).abs() < 1e-6);
        for (cells, weight) in [
            ([0, 1], model.weights[0][0]),
            ([2, 3], model.weights[0][1]),
            ([0, 2], model.weights[1][0]),
            ([1, 3], model.weights[1][1]),
        ] {
            assert!((surplus(cells) - RIDGE * weight).abs() < 1e-6, "{cells:?}");
        }
        assert!(p[0] < p[1] && p[1] < p[2] && p[2] < p[3], "{p:?}");
    }

    #[test]
    fn what_was_not_seen_counts_as_average() {
        let mut model = Likelihood::new(vec![0, 1, 2], 1);
        model.fit(&[Tried { scored: 50, found: 40 }, Tried { scored: 50, found: 10 }, Tried::default()]);
        let p = model.probabilities();
        assert!((p[0] - 0.8).abs() < 0.01 && (p[1] - 0.2).abs() < 0.01 && (p[2] - 0.5).abs() < 0.01, "{p:?}");
    }

    #[test]
    fn finds_only_and_none_at_all_stay_numbers() {
        let mut model = Likelihood::new(vec![0, 1], 1);
        (0..20).for_each(|_| model.fit(&[Tried { scored: 1000, found: 1000 }, Tried::default()]));
        assert!(model.probabilities().iter().all(|p| p.is_finite() && *p > 0.5));
    }
}
