//! The optimiser of the built-in trainer, with the settings that it alone has.

use super::problem::Fault;
use super::reader::Section;
use super::tree::Node;
use super::values::{BELOW_ONE, POSITIVE, Read};
use super::words::OptimiserKind;

/// How a gradient moves the weights. In a config: the key `optimiser`, and its settings beside it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "optimiser")]
pub enum OptimiserConfig {
    /// Stochastic gradient descent.
    #[serde(rename = "sgd")]
    Sgd {
        /// In [0, 1).
        momentum: f64,
        /// Whether a weight moves by the velocity that the next gradient would find.
        nesterov: bool,
    },
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW {
        /// Of the means of the gradient and of its square, in [0, 1).
        betas: [f64; 2],
        /// Added to the root of the mean square; above 0.
        epsilon: f64,
    },
}

const OF_SGD: [&str; 2] = ["momentum", "nesterov"];
const OF_ADAMW: [&str; 2] = ["betas", "epsilon"];

pub(super) fn optimiser(s: &Section<'_>) -> OptimiserConfig {
    match s.word("optimiser", OptimiserKind::Sgd) {
        OptimiserKind::Sgd => {
            s.refuse(&OF_ADAMW, "optimiser: sgd", "optimiser: adamw");
            sgd(s)
        }
        OptimiserKind::AdamW => {
            s.refuse(&OF_SGD, "optimiser: adamw", "optimiser: sgd");
            let default = [0.9, 0.999];
            OptimiserConfig::AdamW {
                betas: s.or("betas", default, "[0.9, 0.999]", betas),
                epsilon: s.number("epsilon", 1e-8, POSITIVE),
            }
        }
    }
}

fn sgd(s: &Section<'_>) -> OptimiserConfig {
    let (momentum, nesterov) = (s.number("momentum", 0.9, BELOW_ONE), s.flag("nesterov", false));
    if let Some(entry) = s.entry("nesterov")
        && s.sound(&OF_SGD)
        && nesterov
        && momentum == 0.0
    {
        let remedy = "raise train.momentum, or write `nesterov: false`";
        s.blame("nesterov", entry.node.place, Fault::new("looks ahead along a momentum, and that is 0", remedy));
    }
    OptimiserConfig::Sgd { momentum, nesterov }
}

fn betas(node: &Node) -> Read<[f64; 2]> {
    let numbers = node.numbers("a list of two numbers", BELOW_ONE)?;
    <[f64; 2]>::try_from(numbers).map_err(|numbers| Fault::new(format!("has {} numbers, not two", numbers.len()), ""))
}
