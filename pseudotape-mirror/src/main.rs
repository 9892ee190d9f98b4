//! The mirror daemon and its commands.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_mirror::cli::Cli;
use pseudotape_mirror::command;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    command::run(Cli::parse())
}
