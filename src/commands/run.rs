//! `gleaner run`: the loop.

use std::process::ExitCode;

use anyhow::Context;

use super::Configured;
use crate::service::{self, Ended, Invocation};

/// Arguments of `gleaner run`.
pub type Arguments = Configured;

/// Runs `gleaner run`: until a stop rule applies (exit code 0) or a signal comes (0 as well: the next start continues).
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    match runtime.block_on(service::run(invocation(arguments)?))? {
        Ended::Stopped(outcome) => println!("ended by {}", outcome.reason),
        Ended::Interrupted => println!("interrupted; the same command continues the run"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The config with everything a trainer needs to read it too.
pub(super) fn invocation(arguments: &Configured) -> anyhow::Result<Invocation> {
    let config = arguments.load()?.absolute().context("the working directory cannot be told")?;
    let file = std::path::absolute(&arguments.config).context("the working directory cannot be told")?;
    Ok(Invocation { config, file, overrides: arguments.set.clone() })
}
