//! The commands, and how each ends.

mod changer;
mod client;
mod generate;
#[cfg(test)]
mod json_test;
mod show;
mod verdict;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use pseudotape_control::Readiness;
use pseudotape_control::mirror::{Request, default_socket};
use pseudotape_human::{
    EXIT_FAILED, EXIT_FOUND, EXIT_WELL, Screen, asks_for_json, end_of_usage, error_line, explain,
};

use crate::cli::{self, Asked, Command, TrustOptions};
use crate::{config, daemon};

use client::Client;
use verdict::{Failed, Verdict};

/// How messages begin.
const PROGRAM: &str = "pseudotape-mirror";

/// Does what the command line asks, prints the result or the error, and returns the exit code.
#[must_use]
pub fn run(arguments: &[OsString]) -> ExitCode {
    let json = asks_for_json(arguments);
    let asked = match cli::parse(arguments) {
        Ok(asked) => asked,
        Err(error) => return end_of_usage(PROGRAM, &error, json),
    };
    let json = asked.json;
    match dispatch(asked) {
        Ok(Verdict::Well) => ExitCode::from(EXIT_WELL),
        Ok(Verdict::Degraded) => ExitCode::from(EXIT_FOUND),
        Err(error) => {
            // What the daemon failed at may succeed when it is started again.
            let (code, words) = match error.downcast_ref::<Failed>() {
                Some(Failed) => (EXIT_FOUND, explain(error.chain().skip(1))),
                None => (EXIT_FAILED, explain(error.chain())),
            };
            // Who reads a pipe no longer ("| head") needs no message about it.
            if !is_broken_pipe(&error) {
                eprint!("{}", error_line(PROGRAM, &words, code, json));
            }
            ExitCode::from(code)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn dispatch(asked: Asked) -> anyhow::Result<Verdict> {
    let client = Client::new(asked.control.clone(), asked.drive, asked.timeout);
    let screen = Screen::from_environment().with_json(asked.json);
    match asked.command {
        Command::Run(options) => {
            // Before anything is opened that could get the number of an inherited descriptor.
            let readiness = Readiness::inherited(options.ready_fd)?;
            let config = config::read(&options, asked.control.as_deref())?;
            let ended = daemon::run(&config, readiness).context(Failed)?;
            Ok(match ended {
                daemon::Ending::Well => Verdict::Well,
                daemon::Ending::Degraded => Verdict::Degraded,
            })
        }
        Command::Status(options) => watch::run(&options, &client, &screen),
        Command::Load(options) => {
            let legs = options.legs.iter().map(|text| client::leg_volume(text));
            let legs = legs.collect::<anyhow::Result<_>>()?;
            client.order(&Request::Load { legs }, &screen)
        }
        Command::Unload(options) => {
            let force = options.force;
            client.order(&Request::Unload { force }, &screen)
        }
        Command::Resync(options) => client.order(&Request::Resync { leg: options.leg }, &screen),
        Command::Drop(options) => client.order(&Request::Drop { leg: options.leg }, &screen),
        Command::Return(options) => client.order(&client::return_of(&options)?, &screen),
        Command::Trust(options) => {
            let TrustOptions { leg, force } = options;
            client.order(&Request::Trust { leg, force }, &screen)
        }
        Command::Inject(options) => client.inject(options, &screen),
        Command::Changer(options) => {
            let control = asked.control.unwrap_or_else(default_socket);
            let socket = asked.changer;
            let socket = socket.unwrap_or_else(|| control.with_file_name("changer"));
            let timeout = asked.timeout.map(Duration::from_secs);
            changer::run(&options, &socket, timeout, &screen)
        }
        Command::Completions(options) => generate::completions(&options, &screen),
        Command::Man(options) => generate::man_pages(&options, &screen),
    }
}
