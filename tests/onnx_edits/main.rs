//! What the edits for scoring make of a model, judged by ONNX Runtime: a graph that takes bytes must give what the
//! graph before gave for numbers that `pixels` normalised, and one in half precision nearly so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod folding;
mod half;
mod runtime;
