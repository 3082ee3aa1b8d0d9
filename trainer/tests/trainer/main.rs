//! Tests of the trainer. Expected values come from ONNX Runtime (`tests/fixtures/make.py`), from PyTorch and timm
//! (`tests/fixtures/recipes.py`, `tests/fixtures/families/make.py`), or from arithmetic done by hand; training is tested
//! through the real program.

// A helper of tests may fail as a test may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accumulate;
mod agreement;
mod beside;
mod buckets;
mod checker;
mod conformance;
mod doorstep;
mod families;
mod freezing;
mod fusion;
mod heads;
mod kinks;
mod learning;
mod loading;
mod mixing;
mod narrow;
mod npy;
mod recipe;
mod refusal;
mod round_trip;
mod runaway;
mod schedule;
mod scores;
mod sizes;
mod state;
mod step;
mod support;
mod trace;
