//! The next subset: counts, probabilities and order.

mod confidence;
mod members;
mod patent;
mod published;
mod random;
mod weights;
