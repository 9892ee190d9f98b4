//! The commands, and how each ends.

mod changer;
mod client;
mod generate;
mod show;
mod verdict;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use pseudotape_control::Readiness;
use pseudotape_human::{Screen, explain, printable};

use crate::cli::{Cli, Command, TrustOptions};
use crate::messages::Request;
use crate::{config, daemon};

use client::Client;
use verdict::{Refused, Verdict};

/// The exit code of usage errors, and where no mirror answers.
const EXIT_FAILED: u8 = 2;

/// Does what the command line asks, prints the result or the error, and returns the exit code.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Degraded) => ExitCode::from(1),
        Err(error) => {
            // Who reads a pipe no longer ("| head") needs no message about it.
            if !is_broken_pipe(&error) {
                eprintln!("pseudotape-mirror: {}", printable(&explain(error.chain())));
            }
            let refused = error.downcast_ref::<Refused>().is_some();
            ExitCode::from(if refused { 1 } else { EXIT_FAILED })
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn dispatch(cli: Cli) -> anyhow::Result<Verdict> {
    let client = Client::new(cli.control.clone(), cli.timeout);
    let screen = Screen::from_environment();
    match cli.command {
        Command::Run(options) => {
            // Before anything is opened that could get the number of an inherited descriptor.
            let readiness = Readiness::inherited(options.ready_fd)?;
            let config = config::read(&options, cli.control.as_deref())?;
            daemon::run(&config, readiness).map(|ending| match ending {
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
            let control = cli.control.as_deref();
            let timeout = cli.timeout.map(Duration::from_secs);
            changer::run(&options, control, timeout, &screen)
        }
        Command::Completions(options) => generate::completions(&options, &screen),
        Command::Man(options) => generate::man_pages(&options, &screen),
    }
}
