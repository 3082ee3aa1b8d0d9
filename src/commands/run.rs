//! `gleaner run`: the loop.

use std::process::ExitCode;

use anyhow::Context;

use super::Configured;
use crate::config::Config;
use crate::service::{self, Ended};

/// Arguments of `gleaner run`.
pub type Arguments = Configured;

/// Runs `gleaner run`: until a stop rule applies (exit code 0) or a signal comes (0 as well: the next start continues).
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match serve(config(arguments)?)? {
        Ended::Stopped(outcome) => println!("ended by {}", outcome.reason),
        Ended::Interrupted => println!("interrupted; the same command continues the run"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the loop on this thread until it ends or is asked to.
pub(super) fn serve(config: Config) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    Ok(runtime.block_on(service::run(config))?)
}

/// The config, with paths that stay true wherever they are used.
pub(super) fn config(arguments: &Configured) -> anyhow::Result<Config> {
    arguments.load()?.absolute().context("the working directory cannot be told")
}
