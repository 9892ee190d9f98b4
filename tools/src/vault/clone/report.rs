//! What a clone says of itself.

use std::fmt::Write;

use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, printable};
use serde::Serialize;

use super::papers::Tried;

/// A tape file of the clone.
#[derive(Debug, Serialize)]
pub(super) struct Good {
    pub(super) file: u64,
    pub(super) first_object: u64,
    pub(super) old_file: u64,
    pub(super) old_first_object: u64,
    pub(super) blocks: u64,
    pub(super) bytes: u64,
    pub(super) digest: Option<String>,
}

/// A tape file that is not on it.
#[derive(Debug, Serialize)]
pub(super) struct LeftOut {
    pub(super) file: u64,
    pub(super) first_object: u64,
    pub(super) blocks: u64,
    pub(super) bytes: u64,
    pub(super) digest: Option<String>,
    pub(super) state: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct CloneReport {
    pub(super) label: String,
    pub(super) incident: String,
    pub(super) reason: String,
    pub(super) inventory: String,
    /// The clone has the label; else it waits.
    pub(super) in_place: bool,
    /// The source's label now.
    pub(super) kept_as: String,
    /// From where it was read.
    pub(super) sources: Vec<Tried>,
    pub(super) files: Vec<Good>,
    pub(super) left_out: Vec<LeftOut>,
    /// Where copies of it are that were made before anything of it was bad, where it misses something.
    pub(super) copies: Option<String>,
}

impl CloneReport {
    /// Something was wanted, and is not on the clone.
    pub(super) fn misses_something(&self) -> bool {
        let wanted = |file: &LeftOut| matches!(file.state, "bad" | "missing");
        self.left_out.iter().any(wanted)
    }
}

impl Report for CloneReport {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a String takes everything");
        for file in &self.left_out {
            line(format!(
                "{}: tape file {} (object {}, {} in {}) is not on the clone",
                screen.paint(Paint::Bad, file.state),
                file.file,
                file.first_object,
                HumanBytes(file.bytes),
                counted(file.blocks, "block"),
            ));
        }
        let moved = self.files.iter().filter(|file| file.file != file.old_file);
        for file in moved {
            line(format!(
                "tape file {} is file {} now",
                file.old_file, file.file
            ));
        }
        if let Some(places) = &self.copies {
            line(format!(
                "copies of before are on {}: when the image of '{}' was moved elsewhere, 'pseudotape vault recall' brings one",
                printable(places),
                printable(&self.kept_as)
            ));
        }
        let label = printable(&self.label);
        let files = counted(self.files.len() as u64, "tape file");
        line(match self.in_place {
            true => format!(
                "{}: {label} is the clone now, with {files}; the damaged volume is kept as '{}'",
                screen.paint(Paint::Good, "cloned"),
                printable(&self.kept_as)
            ),
            false => format!(
                "written: {files}; the same command without --hold reads them back, and gives the label {label}"
            ),
        });
        text
    }
}
