//! The rmt server: tapes for programs on other machines.

use std::process::ExitCode;

use clap::Parser;
use pseudotape_human::{EXIT_CUT, EXIT_FAILED, explain, printable};
use pseudotape_tools::rmt::{Arguments, Ending, Task, run};

fn main() -> ExitCode {
    if pseudotape_tools::server_answers_shell() {
        return ExitCode::SUCCESS;
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let task = match Task::read(&Arguments::parse()) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("pseudotape-rmt: {}", printable(&explain(error.chain())));
            // The unit does not start it again.
            return ExitCode::from(EXIT_FAILED);
        }
    };
    match run(task) {
        Ok(Ending::Well) => ExitCode::SUCCESS,
        Ok(Ending::Cut) => ExitCode::from(EXIT_CUT),
        Err(error) => {
            eprintln!("pseudotape-rmt: {}", printable(&explain(error.chain())));
            ExitCode::FAILURE
        }
    }
}
