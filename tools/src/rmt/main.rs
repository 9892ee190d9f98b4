//! The rmt server: tapes for programs on other machines.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_tools::rmt::{Arguments, run};

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pseudotape-rmt: {error:#}");
            ExitCode::FAILURE
        }
    }
}
