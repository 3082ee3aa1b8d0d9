//! The doorstep of gleaner's trainer: reads the command line, finds libtorch, and becomes `gleaner-trainer-engine`.
//!
//! The engine is linked against libtorch, so the dynamic loader must know where libtorch stands before the engine's
//! `main` begins. That is this program's only work; it links nothing of libtorch, so that `--help`, `--version` and a
//! plain explanation of what is missing work on every machine.

mod cli;
mod doorstep;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let _: cli::Arguments = cli::Arguments::parse();
    let problem = match doorstep::open() {
        Ok(engine) => engine.enter(std::env::args_os().skip(1)),
        Err(problem) => problem,
    };
    eprintln!("error: {problem}");
    ExitCode::FAILURE
}
