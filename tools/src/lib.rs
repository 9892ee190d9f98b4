//! The `pseudotape` command: makes, shows and checks tape images, and talks to the device daemon.
//!
//! Every subcommand is a module with one function that does the work and returns a
//! [`pseudotape_human::Report`], which prints for people or as JSON.

mod changer_serve;
mod cli;
mod client;
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

use std::io;
use std::process::ExitCode;

pub use cli::Cli;
pub use doctor::Machine;

use cli::Command;
use pseudotape_human::{Screen, explain, printable};

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

/// The exit code where a signal ended what a program was writing.
const EXIT_CUT: u8 = 3;
/// The exit code of usage errors and of what could not be done.
const EXIT_FAILED: u8 = 2;

/// Does what the command line asks, prints the result or the error, and returns the exit code.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    if let Command::Changer(options) = cli.command {
        let socket = cli.control;
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
    match dispatch(cli) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Found) => ExitCode::from(1),
        Ok(Verdict::Cut) => ExitCode::from(EXIT_CUT),
        Err(error) => {
            // Who reads a pipe no longer ("| head") needs no message about it.
            if !is_broken_pipe(&error) {
                eprintln!("pseudotape: {}", printable(&explain(error.chain())));
            }
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// What a program that is called `mtx` does, whatever else it could do.
#[must_use]
pub fn run_as_mtx(arguments: Vec<String>) -> ExitCode {
    mtx::run(arguments, pseudotape_control::default_socket())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn dispatch(cli: Cli) -> anyhow::Result<Verdict> {
    let screen = Screen::from_environment().with_json(cli.json);
    let daemon = client::Daemon::new(cli.control, cli.timeout);
    match cli.command {
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
        Command::Library(options) => library::run(&options, &daemon, &screen),
        Command::Vault(options) => vault::run(&options, &screen),
        Command::Farm(options) => farm::run(&options, &screen),
        Command::Changer(_) => unreachable!("run has done it"),
        Command::Serve(options) => serve::run(&options, &screen),
        Command::Doctor(options) => doctor::run(&options, &daemon, &screen),
        Command::Completions(options) => generate::completions(&options, &screen),
        Command::Man(options) => generate::man_pages(&options, &screen),
        Command::WriteProtect(options) => image::write_protect::run(&options, &daemon, &screen),
    }
}
