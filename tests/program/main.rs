//! The real program from outside: every test works in a folder of its own, with real images, and looks only at what a
//! person sees: exit codes, messages, lists, `gleaner status --json`, and files that other tools can open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod augmented_scans;
mod bad_input;
mod beside;
mod big_pool;
mod checkpoints;
mod controlling;
mod devices;
mod duplicates;
mod explaining;
mod faults;
mod formats;
mod full_disk;
mod graphs;
mod greed;
mod groups;
mod heads;
mod hooks;
mod kill;
mod kills;
mod late_faults;
mod limits;
mod manager;
mod memory;
mod mislabelled;
mod naming;
mod news;
mod notices;
mod outsiders;
mod packaging;
mod phases;
mod policies;
mod rarity;
mod recovery;
mod reviews;
mod sameness;
mod scoring;
#[path = "../small_disk/mod.rs"]
mod small_disk;
mod steps;
mod suspects;
mod systemd;
mod tables;
mod trainers;
mod troubled_steps;
mod visits;
mod watching;
mod workshop;
