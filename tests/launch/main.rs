//! The room `launch` with real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod endings;
mod failures;
mod reports;
mod service;
mod steps;
