//! The commands, one file each.

pub mod check;
pub mod control;
pub mod explain;
pub mod mine;
pub mod model;
pub mod run;
pub mod score;
pub mod status;

use std::env;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, ConfigError};
use crate::progress::LogWriter;

/// What `gleaner` can be asked to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the loop: choose, train, watch for the checkpoint, score, choose again, until a stop rule applies
    ///
    /// SIGTERM and SIGINT end it within five seconds, and the same command continues the run. SIGHUP has it read the config
    /// anew and take over what may change meanwhile: stop, hooks, checkpoint.quiet, checkpoint.poll, and how patient it is
    /// with the trainer. At a terminal SIGHUP ends the program as ever.
    Run(run::Arguments),
    /// From a checkpoint to the next epoch's list, once, without a service
    Mine(mine::Arguments),
    /// Score a list of images with a checkpoint, without any state
    Score(score::Arguments),
    /// Check a config, its pool, its model and the native libraries, and name every problem at once
    Check(Configured),
    /// Say where a run stands
    Status(status::Arguments),
    /// Tell everything that is known of one image, and why it is on the last list or is not
    ///
    /// Everything comes from the state folder and the last manifest, also while the service runs; what they do not hold is
    /// said to be unknown.
    Explain(explain::Arguments),
    /// Repeat a finished run with policy `uniform` at the same cost, and print both beside each other
    ///
    /// The control takes the config that the run was opened with (config.json in its state folder), with policy `uniform`, a
    /// plan of exactly the work that the run has spent, scans included, and folders of its own. Only that plan ends it:
    /// stop.accuracy, stop.patience and stop.epochs would end it at another cost, and are left out. It knows its end from the
    /// start, so that its learning rate comes down in time even where a stop rule has ended the run before that: where this
    /// is unfair, it is so to the run. Like `gleaner run` it may be interrupted at any time; the same command goes on. Start
    /// it in the folder in which the run was started.
    Control(control::Arguments),
    /// Make a starting graph, say what a graph takes and gives and which weights train, or give it other classes
    Model(model::Arguments),
}

/// The arguments of every command that reads a config.
#[derive(Args, Clone, Debug)]
pub struct Configured {
    /// The config (YAML)
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Set a key of the config from here, as in --set mine.quota=0.2; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Configured {
    /// Reads the config with its overrides.
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config, &self.set)
    }
}

/// Ends the program quietly when whoever reads its output has gone, as `head` does. Not for the service, which goes on.
pub fn end_with_the_reader() {
    // SAFETY: no handler of ours is replaced, and the default one runs no code of this program.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Sends the log to standard error: `RUST_LOG` chooses what, information and worse by default.
pub fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ort=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(LogWriter::default);
    let log = log.with_target(false).with_ansi(std::io::stderr().is_terminal());
    // The journal writes its own time before every line.
    if env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().init();
    } else {
        log.init();
    }
}
