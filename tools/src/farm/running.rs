//! `remote`: a command of the farm's host.

use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;

use pseudotape_farm_net::{Client, Ended};
use pseudotape_human::{Report, Screen, printable};
use serde::Serialize;

use crate::Verdict;
use crate::cli::RunRemote;

/// How a command ended, and what it printed.
#[derive(Debug, Serialize)]
struct RanCommand {
    command: String,
    ended: &'static str,
    status: Option<u32>,
    output: String,
    errors: String,
}

impl Report for RanCommand {
    fn text(&self, _: &Screen) -> String {
        // It was printed when it came.
        String::new()
    }
}

pub(super) fn run(
    options: &RunRemote,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let arguments = options.arguments.iter();
    let arguments = arguments.map(|argument| argument.as_bytes().to_vec());
    let (mut output, mut errors, mut failed) = (Vec::new(), Vec::new(), Ok(()));
    let ended = client.run(&options.command, arguments.collect(), |is_error, bytes| {
        if screen.is_json() {
            let kept = if is_error { &mut errors } else { &mut output };
            kept.extend_from_slice(bytes);
            return;
        }
        let printed = match is_error {
            true => print(&mut io::stderr().lock(), io::stderr().is_terminal(), bytes),
            false => print(&mut io::stdout().lock(), io::stdout().is_terminal(), bytes),
        };
        if failed.is_ok() {
            failed = printed;
        }
    })?;
    failed?;
    let (word, status) = match ended {
        Ended::Exited(status) => ("exited", Some(status)),
        Ended::Killed(signal) => ("killed", Some(signal)),
        Ended::TooLong(_) => ("too long", None),
        Ended::TooMuch(_) => ("too much", None),
    };
    screen.show(&RanCommand {
        command: options.command.clone(),
        ended: word,
        status,
        output: String::from_utf8_lossy(&output).into_owned(),
        errors: String::from_utf8_lossy(&errors).into_owned(),
    })?;
    if ended == Ended::Exited(0) {
        return Ok(Verdict::Well);
    }
    if !screen.is_json() {
        eprintln!("pseudotape: {} {ended}", printable(&options.command));
    }
    Ok(Verdict::Found)
}

/// Prints what came. A terminal would obey another host: there it is shown in escapes, line by line.
fn print(to: &mut dyn Write, is_terminal: bool, bytes: &[u8]) -> io::Result<()> {
    if !is_terminal {
        to.write_all(bytes)?;
        return to.flush();
    }
    let text = String::from_utf8_lossy(bytes);
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => writeln!(to, "{}", printable(line))?,
            None => write!(to, "{}", printable(line))?,
        }
    }
    to.flush()
}
