//! The command line, shared by the doorstep and the engine.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// gleaner's own training step: trains an ONNX graph in libtorch and writes the next ONNX checkpoint.
#[derive(Debug, Parser)]
#[command(name = "gleaner-trainer", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the trainer can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trains one pass over a manifest and writes the next checkpoint
    Step(StepArguments),
    /// Tries whether a graph can be trained as a config says, on a batch of empty images; writes nothing
    Check(CheckArguments),
    /// Runs a graph forward in evaluation mode and writes each output as a .npy file
    Forward(ForwardArguments),
}

/// One training step: a pass over one epoch's manifest.
#[derive(Debug, Args)]
pub struct StepArguments {
    /// gleaner's configuration; `pool`, `pixels` and `train` are read from it
    #[arg(long, value_name = "CONFIG.yaml")]
    pub config: PathBuf,
    /// Overrides one setting of the configuration, for example `--set train.batch=64`; may be repeated
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub overrides: Vec<String>,
    /// The epoch's manifest: order,path,label,stratum,cluster,predicted,confidence,margin,weight
    #[arg(long, value_name = "LIST.csv")]
    pub manifest: PathBuf,
    /// The checkpoint or starting graph to train on from
    #[arg(long, value_name = "IN.onnx")]
    pub checkpoint_in: PathBuf,
    /// Where the trained checkpoint appears, whole, when the step has succeeded
    #[arg(long, value_name = "OUT.onnx")]
    pub checkpoint_out: PathBuf,
    /// The number of this epoch
    #[arg(long)]
    pub epoch: u32,
    /// The run's seed: the order of the images, augmentation and Dropout follow from it and from the epoch
    #[arg(long)]
    pub seed: u64,
    /// Images visited by all epochs before this one
    #[arg(long, value_name = "IMAGES", default_value_t = 0.0)]
    pub work_done: f64,
    /// Images that the whole run will visit; the learning rate falls to zero there. 0: it stays constant
    #[arg(long, value_name = "IMAGES", default_value_t = 0.0)]
    pub work_planned: f64,
    /// Writes images, seconds (and how many of them it waited for images), loss and learning rate to this JSON file
    #[arg(long, value_name = "FILE.json", env = "GLEANER_REPORT")]
    pub report: Option<PathBuf>,
    /// Tells in this JSON file, while it trains, how far it is: images of how many, seconds, loss
    #[arg(long, value_name = "FILE.json", env = "GLEANER_PROGRESS")]
    pub progress: Option<PathBuf>,
}

/// A trial of a graph with the settings of a config.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// gleaner's configuration; `pixels` and `train` are read from it
    #[arg(long, value_name = "CONFIG.yaml")]
    pub config: PathBuf,
    /// Overrides one setting of the configuration, for example `--set train.batch=64`; may be repeated
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub overrides: Vec<String>,
    /// The ONNX graph
    #[arg(value_name = "MODEL.onnx")]
    pub model: PathBuf,
}

/// A forward pass in evaluation mode, to compare the trainer with other runtimes.
#[derive(Debug, Args)]
pub struct ForwardArguments {
    /// The ONNX graph
    #[arg(value_name = "MODEL.onnx")]
    pub model: PathBuf,
    /// An input of the graph as a .npy file of 32-bit floats or 64-bit integers; repeated for further inputs
    #[arg(long, value_name = "NAME=FILE.npy", required = true)]
    pub input: Vec<String>,
    /// The folder in which every output appears as NAME.npy, in its own type
    #[arg(short, long, value_name = "FOLDER")]
    pub output: PathBuf,
    /// Writes every value that a node computes, and index.json, which tells each value's file, node and operator
    #[arg(long)]
    pub all: bool,
}
