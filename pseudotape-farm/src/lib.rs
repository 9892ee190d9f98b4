//! The server of a disk farm: it does for other hosts, one session for each client, what `pseudotape farm` does on its
//! own host (docs/FARM-PROTOCOL.md).

mod cli;
mod generate;
mod listen;
mod script;
mod serve;
mod sessions;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use pseudotape_human::{
    EXIT_FAILED, EXIT_FOUND, EXIT_WELL, Screen, asks_for_json, end_of_usage, error_line, explain,
};

use cli::{Cli, Command};

/// How messages begin.
const PROGRAM: &str = "pseudotape-farm";

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// All is well: exit code 0.
    Well,
    /// A session did not go in order: exit code 1.
    OutOfOrder,
}

/// Answers a shell that asks this process what can stand on its line; `false` where none does.
#[must_use]
pub fn answers_shell() -> bool {
    pseudotape_human::answers_shell(Cli::command(), &|_| None)
}

/// Does what the command line asks, and returns the exit code.
#[must_use]
pub fn run(arguments: &[OsString]) -> ExitCode {
    let json = asks_for_json(arguments);
    let asked = match Cli::try_parse_from(arguments) {
        Ok(asked) => asked,
        Err(error) => return end_of_usage(PROGRAM, &error, json),
    };
    let screen = Screen::from_environment().with_json(asked.json);
    let done = match asked.command {
        Command::Serve(options) => serve::run(&options),
        Command::Sessions(options) => sessions::list(&options, &screen),
        Command::End(options) => sessions::end(&options, &screen),
        Command::Completions(options) => generate::completions(&options, &screen),
        Command::Man(options) => generate::man_pages(&options, &screen),
    };
    match done {
        Ok(Verdict::Well) => ExitCode::from(EXIT_WELL),
        Ok(Verdict::OutOfOrder) => ExitCode::from(EXIT_FOUND),
        Err(error) => {
            let words = explain(error.chain());
            eprint!("{}", error_line(PROGRAM, &words, EXIT_FAILED, asked.json));
            ExitCode::from(EXIT_FAILED)
        }
    }
}
