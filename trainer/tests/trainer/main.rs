//! Tests of the trainer. Expected values come from ONNX Runtime (`tests/fixtures/make.py`) or from arithmetic done by
//! hand; training is tested through the real program.

// A helper of tests may fail as a test may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod conformance;
mod doorstep;
mod learning;
mod loading;
mod mixing;
mod npy;
mod refusal;
mod round_trip;
mod schedule;
mod scores;
mod step;
mod support;
mod untie;
