//! The room `watch` on real folders, with real events, and clocks that the tests set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backlog;
mod events;
mod patterns;
mod quiet;
mod rejecting;
mod scene;
