//! What is done to a subset before it is published.

use super::pick::keep;
use super::{Choice, proportion, settle};
use crate::draw::{Draws, Stream};

/// At most `at_most` of the choices, uniformly at random, so that an epoch does not exceed the planned work.
///
/// Every choice has the same probability of staying, so the strata keep their proportions in expectation, and weights stay
/// right relative to each other: they are left as they are. The inclusion probabilities fall by the share that stays.
pub fn cut(choices: &[Choice], at_most: usize, seed: u64, epoch: u32) -> Vec<Choice> {
    let mut choices = settle(choices.to_vec());
    let stays = proportion(at_most, choices.len());
    choices.iter_mut().for_each(|choice| choice.inclusion *= stays);
    keep(&mut choices, at_most, &Draws::new(seed, epoch, Stream::Cut), |choice| choice.sample);
    settle(choices)
}

/// The choices in the order in which they are published: random, and a different one in each epoch.
pub fn order(choices: &[Choice], seed: u64, epoch: u32) -> Vec<Choice> {
    let draws = Draws::new(seed, epoch, Stream::Order);
    let mut choices = settle(choices.to_vec());
    choices.sort_unstable_by_key(|choice| (draws.bits(u64::from(choice.sample)), choice.sample));
    choices
}
