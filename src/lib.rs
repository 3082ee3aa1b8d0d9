//! gleaner chooses what an image classifier trains on next.
//!
//! After every epoch it runs the newest checkpoint over the images that were not trained on, mines what the model does not
//! yet get confidently right, adds a share of the rest, and publishes the list that the next epoch trains on. Then it
//! starts the training step and waits for the next checkpoint.
//!
//! # The map of the house
//!
//! Data flows downward through this list; a room uses rooms that stand on a lower floor and never one beside it.
//!
//! | floor | room | owns |
//! | --- | --- | --- |
//! | entrance | [`commands`] | one file a command |
//! | loop | [`service`] | from checkpoint to list to training step, signals |
//! | stairs | [`settings`] | the config in the words of the rooms that carry it out |
//! | deciding | [`watch`] | when a checkpoint is whole, which is next, which is rejected |
//! | | [`mine`] | scan order, quota, budget; who disagrees with the label |
//! | | [`select`] | the next subset: shares, quotas, weights; pure functions of tables and a seed |
//! | | [`duplicates`] | images that are so alike that one stands for the other |
//! | | [`suspects`] | whose label is probably wrong, and what a person has said of it |
//! | | [`lists`] | subset files in every format, published atomically |
//! | doing | [`score`] | ONNX Runtime: batches in, predictions and embeddings out |
//! | | [`ledger`] | what happened (SQLite) and what is known of each sample (Parquet) |
//! | | [`launch`] | starting a training step and watching over it |
//! | first | [`prediction`] | what a model says of one image, held against its label |
//! | | [`cache`] | decoded images, kept between scans and training steps |
//! | ground | [`config`] | YAML to a validated, typed config |
//! | | [`pool`] | the samples: id, path, label |
//! | | [`pixels`] | image files to pixels: the one preprocessing, for scoring and for training |
//! | | [`onnx`] | reading, checking, editing and writing ONNX files; starting graphs |
//! | | [`cluster`] | groups of similar embeddings, and the nearest others |
//! | cellar | [`draw`] | random draws that depend on nothing but their key |
//! | | [`digest`] | SHA-256 of files and of what is being written |
//! | | [`files`] | publishing files so that nobody sees half of one |
//! | | [`libraries`] | where the native libraries are |
//! | | [`memory`] | how much memory there is |
//! | | [`spool`] | tables that may be too long for the memory |
//! | | [`progress`] | how far a long piece of work is |
//! | | [`systemd`] | what the service manager is told |
//! | | [`causes`] | an error and what it came of, for people |
//!
//! Training happens in another process, the package `gleaner-trainer` or a command of the user's: nothing here links
//! libtorch. It stands on this library's ground and first floor and [`settings`], so that both see the same images, reads the
//! manifest with [`lists`], and hands back what it saw of each image in the form of [`ledger`].

pub mod cache;
pub mod causes;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod digest;
pub mod draw;
pub mod duplicates;
pub mod files;
pub mod launch;
pub mod ledger;
pub mod libraries;
pub mod lists;
pub mod memory;
pub mod mine;
pub mod onnx;
pub mod pixels;
pub mod pool;
pub mod prediction;
pub mod progress;
pub mod score;
pub mod select;
pub mod service;
pub mod settings;
pub mod spool;
pub mod suspects;
pub mod systemd;
pub mod watch;
