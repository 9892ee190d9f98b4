//! The device daemon.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pseudotape_control::Readiness;
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::run::Ended;
use pseudotape_dev::{config, manual, run};
use pseudotape_human::{explain, printable};

/// What is logged where `RUST_LOG` says nothing. fuser warns of unmounting what we have unmounted.
const LOG_FILTER: &str = "info,fuser=error";

/// The exit code of a wrong command line or configuration, which is clap's own: the unit does not start it again.
const WRONG_USAGE: u8 = 2;

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
    if let Some(directory) = &arguments.man {
        return match manual::write(directory).and_then(|pages| print_paths(&pages)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("pseudotape-dev: {}", printable(&explain(error.chain())));
                ExitCode::FAILURE
            }
        };
    }
    // Before anything is opened that could get the number of an inherited descriptor.
    let readiness = Readiness::inherited(arguments.ready_fd).map_err(anyhow::Error::from);
    let (readiness, config) = match readiness.and_then(|r| Ok((r, config::read(&arguments)?))) {
        Ok(both) => both,
        Err(error) => {
            eprintln!("pseudotape-dev: {}", printable(&explain(error.chain())));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match run::run(&config, readiness) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::ProgramCut) => ExitCode::from(PROGRAM_CUT),
        Err(error) => {
            eprintln!("pseudotape-dev: {}", printable(&explain(error.chain())));
            ExitCode::FAILURE
        }
    }
}

fn print_paths(paths: &[PathBuf]) -> anyhow::Result<()> {
    let lines = paths.iter().map(|path| format!("{}\n", path.display()));
    std::io::stdout().write_all(lines.collect::<String>().as_bytes())?;
    Ok(())
}
