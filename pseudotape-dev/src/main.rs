//! The device daemon.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::{config, run};

/// What is logged where `RUST_LOG` says nothing. fuser warns of unmounting what we have unmounted.
const LOG_FILTER: &str = "info,fuser=error";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(LOG_FILTER)).init();
    let result = config::read(&Arguments::parse()).and_then(|config| run::run(&config));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pseudotape-dev: {}", run::explain(&error));
            ExitCode::FAILURE
        }
    }
}
