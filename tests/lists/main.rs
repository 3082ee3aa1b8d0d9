//! Subset files, through real folders. The expected bytes were written by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod formats;
mod manifests;
mod publishing;
mod rows;
#[path = "../small_disk/mod.rs"]
mod small_disk;
