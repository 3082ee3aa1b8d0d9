//! The section `train`: the built-in trainer's recipe.

use super::problem::Fault;
use super::reader::Section;
use super::sections::{LARGEST_BATCH, MOST_THREADS};
use super::tree::Node;
use super::values::{BELOW_ONE, POSITIVE, Read, SHARE};
use super::words::TrainPrecision;

/// The built-in trainer's settings: stochastic gradient descent with momentum.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TrainConfig {
    /// Images a step; at least 1.
    pub batch: u32,
    /// The highest learning rate; above 0.
    pub learning_rate: f64,
    /// In [0, 1).
    pub momentum: f64,
    /// In [0, 1].
    pub weight_decay: f64,
    /// Share of the planned work in which the learning rate rises, in [0, 1).
    pub warmup: f64,
    /// 0 = all cores.
    pub threads: u32,
    /// How wide the numbers are in convolutions and matrix products.
    pub precision: TrainPrecision,
    /// Patterns of weights that stay as they are; none for none.
    pub freeze: Option<Vec<String>>,
    /// Patterns of the only weights that train; none for all.
    pub only: Option<Vec<String>>,
}

pub(super) fn train(s: &Section<'_>) -> TrainConfig {
    TrainConfig {
        batch: s.count("batch", 128, 1..=LARGEST_BATCH),
        learning_rate: s.number("learning_rate", 0.05, POSITIVE),
        momentum: s.number("momentum", 0.9, BELOW_ONE),
        weight_decay: s.number("weight_decay", 0.0005, SHARE),
        warmup: s.number("warmup", 0.05, BELOW_ONE),
        threads: s.count("threads", 0, 0..=MOST_THREADS),
        precision: s.word("precision", TrainPrecision::Fp32),
        freeze: s.optional("freeze", "[\"features.*\"]", patterns),
        only: s.optional("only", "[\"classifier.*\"]", patterns),
    }
}

/// Patterns of names of weights.
fn patterns(node: &Node) -> Read<Vec<String>> {
    let items = node.items("a list of patterns")?;
    if items.is_empty() {
        return Err(Fault::new("is an empty list", "leave the key out to train everything"));
    }
    items.iter().map(|item| item.text().map(str::to_owned).map_err(|fault| fault.of_item(item.place))).collect()
}
