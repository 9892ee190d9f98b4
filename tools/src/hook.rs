//! Commands that are told of what happened.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Runs the command in a shell, with a line of JSON on its standard input, and waits for its end.
pub(crate) fn tell(command: &str, words: &Value) -> Result<()> {
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
