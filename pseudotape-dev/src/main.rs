//! The device daemon.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_control::Readiness;
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::run::Ended;
use pseudotape_dev::{config, run};
use pseudotape_human::explain;

/// What is logged where `RUST_LOG` says nothing. fuser warns of unmounting what we have unmounted.
const LOG_FILTER: &str = "info,fuser=error";

/// The exit code where a program still had a drive open and had written to it.
const PROGRAM_CUT: u8 = 3;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(LOG_FILTER)).init();
    // Serving threads pause for microseconds until a caller is asleep; the kernel's slack would make it 50.
    // All threads inherit this setting. Where it can't be made, calls of a whole piece are slower, nothing else.
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        log::debug!("can't set the timer slack: {error}");
    }
    let arguments = Arguments::parse();
    // Before anything is opened that could get the number of an inherited descriptor.
    let readiness = Readiness::inherited(arguments.ready_fd).map_err(anyhow::Error::from);
    let result = readiness.and_then(|readiness| run::run(&config::read(&arguments)?, readiness));
    match result {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::ProgramCut) => ExitCode::from(PROGRAM_CUT),
        Err(error) => {
            eprintln!("pseudotape-dev: {}", explain(error.chain()));
            ExitCode::FAILURE
        }
    }
}
