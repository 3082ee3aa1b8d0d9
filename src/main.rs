//! The outline of the program `gleaner`: one command a line, each with a file of its own in `commands`.

use std::process::ExitCode;

use clap::Parser;
use gleaner::commands::{self, Command};

/// Chooses what an image classifier trains on next: skips what it already knows, mines what it gets wrong.
#[derive(Parser)]
#[command(name = "gleaner", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    gleaner::score::settle_memory();
    commands::start_log();
    if !matches!(arguments.command, Command::Run(_) | Command::Control(_)) {
        commands::end_with_the_reader();
    }
    let outcome = match arguments.command {
        Command::Run(arguments) => commands::run::main(&arguments),
        Command::Mine(arguments) => commands::mine::main(&arguments),
        Command::Score(arguments) => commands::score::main(&arguments),
        Command::Check(arguments) => commands::check::main(&arguments),
        Command::Status(arguments) => commands::status::main(&arguments),
        Command::Explain(arguments) => commands::explain::main(&arguments),
        Command::Control(arguments) => commands::control::main(&arguments),
        Command::Model(arguments) => commands::model::main(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("gleaner: {}", gleaner::causes::told(&error));
        ExitCode::FAILURE
    })
}
