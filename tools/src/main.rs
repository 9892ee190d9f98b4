//! The `pseudotape` command.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_tools::Cli;

fn main() -> ExitCode {
    pseudotape_tools::run(Cli::parse())
}
