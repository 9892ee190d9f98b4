//! EN-04, EN-10. Who is told of a clone, by a command in the shell.

use anyhow::{Context, Result};
use pseudotape_rescue::BadObject;
use pseudotape_vault::TapeFile;
use serde_json::json;

use super::papers::{Inventory, Progress};
use crate::hook::tell;

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
