//! `gleaner mine`: from a checkpoint to the next list, once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::Configured;
use crate::service::{Mined, Run};

/// Arguments of `gleaner mine`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    configured: Configured,
    /// The checkpoint; its name must follow checkpoint.pattern [default: the newest in the watched folder]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// Runs `gleaner mine`: validates the checkpoint, scans, clusters, selects and publishes, exactly as the service does.
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut run = Run::open(super::run::config(&arguments.configured)?)?;
    // The ledger remembers where it lies, and is read from other working directories too.
    let checkpoint = arguments.checkpoint.as_deref().map(std::path::absolute).transpose();
    match run.mine(checkpoint.context("the working directory cannot be told")?.as_deref())? {
        Mined::Published(list) => println!("{}", list.display()),
        Mined::Ended(outcome) => println!("ended by {}", outcome.reason),
    }
    Ok(ExitCode::SUCCESS)
}
