//! The `pseudotape` command: makes, shows and checks tape images, and talks to the device daemon.
//!
//! Every subcommand is a module with one function that does the work and returns a
//! [`pseudotape_human::Report`], which prints for people or as JSON.

mod changer_serve;
mod cli;
mod client;
mod completion;
mod content;
mod copying;
mod doctor;
mod ending;
mod farm;
mod generate;
mod hook;
mod image;
mod inject;
mod library;
mod mtx;
mod options;
mod progress;
mod rescue;
pub mod rmt;
mod serve;
mod serve_drive;
mod status;
mod vault;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

pub use cli::command;
pub use completion::{answers_shell, server_answers_shell};
pub use doctor::Machine;

use cli::{Asked, Command};
use pseudotape_human::{
    EXIT_CUT, EXIT_FAILED, EXIT_FOUND, EXIT_UNREACHED, EXIT_WELL, Screen, asks_for_json,
    end_of_usage, error_line, explain,
};

/// How messages begin.
const PROGRAM: &str = "pseudotape";

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well: exit code 0.
    Well,
    /// Damage, or something missing, was found and reported: exit code 1.
    Found,
    /// A signal ended what a program was writing: exit code 3.
    Cut,
}

/// Does what the command line asks, prints the result or the error, and returns the exit code.
#[must_use]
pub fn run(arguments: &[OsString]) -> ExitCode {
    let json = asks_for_json(arguments);
    let asked = match cli::parse(arguments) {
        Ok(asked) => asked,
        Err(error) => return end_of_usage(PROGRAM, &error, json),
    };
    if let Command::Changer(options) = asked.command {
        let socket = asked.control;
        let socket = socket.unwrap_or_else(pseudotape_control::default_socket);
        return match options.words.split_first() {
            Some((word, rest)) if word == "serve" => {
                env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
                    .init();
                changer_serve::run(rest, mtx::default_device(socket))
            }
            _ => mtx::run(options.words, socket),
        };
    }
    let json = asked.json;
    match dispatch(asked) {
        Ok(Verdict::Well) => ExitCode::from(EXIT_WELL),
        Ok(Verdict::Found) => ExitCode::from(EXIT_FOUND),
        Ok(Verdict::Cut) => ExitCode::from(EXIT_CUT),
        Err(error) => {
            // Who reads a pipe no longer ("| head") needs no message about it.
            if !is_broken_pipe(&error) {
                let words = explain(error.chain());
                eprint!("{}", error_line(PROGRAM, &words, exit_code(&error), json));
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What a program that is called `mtx` does, whatever else it could do.
#[must_use]
pub fn run_as_mtx(arguments: Vec<String>) -> ExitCode {
    mtx::run(arguments, pseudotape_control::default_socket())
}

fn exit_code(error: &anyhow::Error) -> u8 {
    use pseudotape_farm_net::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::Unreachable { .. }) => EXIT_UNREACHED,
        _ => EXIT_FAILED,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn dispatch(asked: Asked) -> anyhow::Result<Verdict> {
    let screen = Screen::from_environment().with_json(asked.json);
    let daemon = client::Daemon::new(asked.control, asked.timeout);
    match asked.command {
        Command::Create(options) => image::create::run(&options, &screen),
        Command::Info(options) => image::info::run(&options, &screen),
        Command::Ls(options) => image::ls::run(&options, &screen),
        Command::Dump(options) => image::dump::run(&options, &screen),
        Command::Verify(options) => image::verify::run(&options, &screen),
        Command::Copy(options) => copying::copy::run(&options, &screen),
        Command::Rescue(options) => rescue::run(&options, &screen),
        Command::Compare(options) => copying::compare::run(&options, &screen),
        Command::Status(options) => status::run(&options, &daemon, &screen),
        Command::Load(options) => client::load(&options, &daemon, &screen),
        Command::Unload(options) => client::unload(&options, &daemon, &screen),
        Command::AcceptLoss(options) => image::accept_loss::run(&options, &screen),
        Command::Reset(options) => client::reset(&options, &daemon, &screen),
        Command::Inject(options) => inject::run(&options, &daemon, &screen),
        Command::Options(options) => options::run(&options, &daemon, &screen),
        Command::Library(options) => {
            library::run(&options, asked.cabinet.as_deref(), &daemon, &screen)
        }
        Command::Vault(options) => vault::run(&options, asked.vault, &screen),
        Command::Farm(options) => farm::run(options, asked.vault, &screen),
        Command::Changer(_) => unreachable!("run has done it"),
        Command::Serve(options) => serve::run(&options, &screen),
        Command::Doctor(options) => doctor::run(&options, &daemon, &screen),
        Command::Completions(options) => generate::completions(&options, &screen),
        Command::Man(options) => generate::man_pages(&options, &screen),
        Command::WriteProtect(options) => image::write_protect::run(&options, &daemon, &screen),
    }
}
