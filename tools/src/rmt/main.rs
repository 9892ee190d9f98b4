//! The rmt server: tapes for programs on other machines.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_tools::rmt::{Arguments, Ending, Task, run};

/// The exit code of a wrong command line or configuration, which is clap's own: the unit does not start it again.
const WRONG_USAGE: u8 = 2;

/// The exit code where a signal ended what a client was writing.
const EXIT_CUT: u8 = 3;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let task = match Task::read(&Arguments::parse()) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("pseudotape-rmt: {error:#}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match run(task) {
        Ok(Ending::Well) => ExitCode::SUCCESS,
        Ok(Ending::Cut) => ExitCode::from(EXIT_CUT),
        Err(error) => {
            eprintln!("pseudotape-rmt: {error:#}");
            ExitCode::FAILURE
        }
    }
}
