//! EN-04, EN-10. Who is told of a clone, by a command in the shell.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use pseudotape_rescue::BadObject;
use pseudotape_vault::TapeFile;
use serde_json::{Value, json};

use super::papers::{Inventory, Progress};

/// Runs the command, with a line of JSON on its standard input, and waits for its end.
fn tell(command: &str, words: &Value) -> Result<()> {
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

pub(super) fn begins(command: &str, inventory: &Inventory, progress: &Progress) -> Result<()> {
    let words = json!({
        "event": "open",
        "incident": progress.incident,
        "label": inventory.label,
        "identity": inventory.identity,
        "reason": progress.reason,
    });
    tell(command, &words).context("--ticket-hook")
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) good: usize,
    pub(super) left_out: usize,
}

pub(super) fn ends(
    command: &str,
    inventory: &Inventory,
    progress: &Progress,
    counts: Counts,
) -> Result<()> {
    let words = json!({
        "event": "close",
        "incident": progress.incident,
        "label": inventory.label,
        "identity": inventory.identity,
        "reason": progress.reason,
        "good": counts.good,
        "left_out": counts.left_out,
    });
    tell(command, &words).context("--ticket-hook")
}

/// Of a bad tape file; `object`: where it was met, if it was met just now.
pub(super) fn bad(
    command: &str,
    inventory: &Inventory,
    progress: &Progress,
    file: &TapeFile,
    object: Option<&BadObject>,
) -> Result<()> {
    let words = json!({
        "incident": progress.incident,
        "label": inventory.label,
        "identity": inventory.identity,
        "file": file.number,
        "first_object": file.first_object,
        "blocks": file.blocks,
        "bytes": file.bytes,
        "digest": file.digest.map(|digest| digest.to_string()),
        "object": object.map(|bad| bad.object.0),
        "errno": object.map(|bad| bad.attempt.errno),
        "drive": object.map(|bad| bad.drive.clone()),
    });
    tell(command, &words).context("--on-bad")
}
