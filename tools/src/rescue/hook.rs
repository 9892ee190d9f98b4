//! Who wants to know at once that an object is bad.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use pseudotape_rescue::BadObject;
use serde_json::json;

use super::desk::Desk;
use super::report::errno_name;
use crate::cli::RescueOptions;
use crate::copying::tape::name_of;

/// Runs the command in a shell, with JSON about the object on its standard input, and waits for its end.
pub(crate) fn tell(
    command: &str,
    options: &RescueOptions,
    desk: &Desk,
    bad: &BadObject,
) -> Result<()> {
    let words = json!({
        "object": bad.object.0,
        "file": bad.file,
        "tries": bad.attempt.tries,
        "tries_in_all": bad.tries,
        "errno": bad.attempt.errno,
        "error": errno_name(bad.attempt.errno),
        "drive": bad.drive,
        "when": bad.attempt.when,
        "source": name_of(&options.source),
        "target": options.target.as_ref().map(name_of),
        "map": desk.map,
    });
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(std::io::stderr()))
        .spawn()
        .context("can't start /bin/sh")?;
    let written = match child.stdin.take() {
        Some(mut input) => writeln!(input, "{words}"),
        None => Ok(()),
    };
    let ended = child.wait().context("can't wait for it")?;
    // One that does not read has done its work all the same.
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(error).context("can't write to it");
    }
    ensure!(ended.success(), "'{command}' ended with {ended}");
    Ok(())
}
