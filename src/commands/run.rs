//! `gleaner run`: the loop.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::Configured;
use crate::causes;
use crate::config::Config;
use crate::ledger::Outcome;
use crate::service::{self, Ended, Reread};

/// Arguments of `gleaner run`.
pub type Arguments = Configured;

/// Runs `gleaner run`: until a stop rule applies (exit code 0) or a signal comes (0 as well: the next start continues).
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let again = arguments.clone();
    let reread: Reread = Arc::new(move || config(&again).map_err(|error| causes::told(&error)));
    let interrupted = || println!("interrupted; the same command continues the run");
    if let Some(outcome) = serve(config(arguments)?, Some(reread), interrupted)? {
        println!("ended by {}", outcome.reason);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the loop on this thread until it ends, or is asked to: then `interrupted` says so, and there is no outcome.
pub(super) fn serve(config: Config, reread: Option<Reread>, interrupted: impl Fn()) -> anyhow::Result<Option<Outcome>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    let ended = runtime.block_on(service::run(config, reread));
    // Dropped, it would wait for work that was left alone.
    runtime.shutdown_background();
    match ended? {
        Ended::Stopped(outcome) => return Ok(Some(outcome)),
        Ended::Interrupted => interrupted(),
        Ended::Abandoned => {
            interrupted();
            leave();
        }
    }
    Ok(None)
}

/// Ends the process well while threads of it are still at work, under whose feet the libraries must not be cleared away.
fn leave() -> ! {
    let _ = io::stdout().flush();
    // SAFETY: it takes no pointer, runs no code of this program, and does not return.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(0)
    }
}

/// The config, with paths that stay true wherever they are used.
pub(super) fn config(arguments: &Configured) -> anyhow::Result<Config> {
    arguments.load()?.absolute().context("the working directory cannot be told")
}
