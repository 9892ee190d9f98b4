//! `pseudotape-mirror changer`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use pseudotape_control::call;
use pseudotape_human::{Report, Screen, printable};

use super::client::Done;
use super::verdict::Verdict;
use crate::changer::messages::{LegsStatus, Request, Response};
use crate::cli::{ChangerCommand, ChangerOptions};

/// How long a question may take: the mirror gives up a leg that is silent after 30 s, and says which one.
const QUESTION: Duration = Duration::from_secs(60);
/// How long it may take to settle: each cartridge is moved.
const ORDER: Duration = Duration::from_secs(24 * 3600);

pub(super) fn run(
    options: &ChangerOptions,
    socket: &Path,
    timeout: Option<Duration>,
    screen: &Screen,
) -> Result<Verdict> {
    match &options.command {
        ChangerCommand::Status => {
            let answer = call(socket, &Request::Legs, timeout.unwrap_or(QUESTION))?;
            let Response::Legs { legs } = answer else {
                return Err(refused(answer));
            };
            screen.show(&legs)?;
            Ok(
                match legs.problem.is_none() && legs.out_of_step.is_empty() {
                    true => Verdict::Well,
                    false => Verdict::Degraded,
                },
            )
        }
        ChangerCommand::Settle { leg } => {
            let leg = leg.clone();
            let answer = call(socket, &Request::Settle { leg }, timeout.unwrap_or(ORDER))?;
            let Response::Library(pseudotape_control::Response::Done { message }) = answer else {
                return Err(refused(answer));
            };
            screen.show(&Done { message })?;
            Ok(Verdict::Well)
        }
    }
}

fn refused(answer: Response) -> anyhow::Error {
    match answer {
        Response::Library(pseudotape_control::Response::Error { message }) => {
            anyhow::anyhow!(message)
        }
        _ => anyhow::anyhow!("the mirror answered something else"),
    }
}

impl Report for LegsStatus {
    fn text(&self, _: &Screen) -> String {
        shown(self)
    }
}

fn shown(status: &LegsStatus) -> String {
    let mut text = format!("changer {}\n", printable(&status.name));
    let mut line = |line: &str| writeln!(text, "{line}").expect("a String takes everything");
    for (leg, libraries) in &status.legs {
        line(&format!("leg {leg}: {}", printable(&libraries.join(", "))));
    }
    for pairing in status.pairing.iter().flat_map(|pairing| pairing.lines()) {
        line(&printable(pairing));
    }
    if let Some(problem) = &status.problem {
        line(&format!("can't be asked: {}", printable(problem)));
    }
    for element in &status.out_of_step {
        let says = printable(&element.says);
        line(&format!(
            "element {} is out of step: {says}",
            element.element
        ));
    }
    if !status.out_of_step.is_empty() {
        line("'pseudotape-mirror changer settle LEG' says which leg is right");
    }
    text
}
