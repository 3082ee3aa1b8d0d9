//! Decoded images, kept: through thick and thin the pixels are those that decoding gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests stand outside the test functions

mod damage;
mod images;
mod kills;
mod loading;
mod room;
mod sharing;
#[path = "../small_disk/mod.rs"]
mod small_disk;
