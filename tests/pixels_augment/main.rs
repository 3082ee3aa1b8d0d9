//! Random changes of images against Pillow and torchvision (tests/fixtures/augment/make.py), and what is drawn against
//! arithmetic.

#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests stand outside the test functions

mod fixtures;
mod operations;
mod parts;
mod together;
