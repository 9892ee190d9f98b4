//! The device daemon.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::{config, run};

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let result = config::read(&Arguments::parse()).and_then(|config| run::run(&config));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pseudotape-dev: {}", run::explain(&error));
            ExitCode::FAILURE
        }
    }
}
