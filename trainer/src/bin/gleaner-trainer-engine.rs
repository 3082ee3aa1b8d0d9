//! The engine of gleaner's trainer. It is linked against libtorch; `gleaner-trainer` finds that and starts this.

use clap::Parser;
use gleaner_trainer::cli::{Arguments, Command};
use gleaner_trainer::{check, forward, step};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Step(arguments) => step::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Forward(arguments) => forward::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", gleaner::causes::told(&error));
            ExitCode::FAILURE
        }
    }
}
