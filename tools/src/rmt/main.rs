//! The rmt server: tapes for programs on other machines.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_tools::rmt::{Arguments, Ending, run};

/// The exit code where a signal ended what a client was writing.
const EXIT_CUT: u8 = 3;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match run(&Arguments::parse()) {
        Ok(Ending::Well) => ExitCode::SUCCESS,
        Ok(Ending::Cut) => ExitCode::from(EXIT_CUT),
        Err(error) => {
            eprintln!("pseudotape-rmt: {error:#}");
            ExitCode::FAILURE
        }
    }
}
