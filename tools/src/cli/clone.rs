//! `pseudotape vault clone`.

use std::fmt;

use clap::{Args, ValueEnum};
use pseudotape_sink::Sink;
use pseudotape_vault::Label;

/// Why a volume is cloned (EN-01).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloneReason {
    /// Something on it can't be read.
    #[default]
    Read,
    /// Writing it failed: what was not ended by a filemark is no file.
    Write,
}

impl CloneReason {
    pub(crate) fn word(self) -> &'static str {
        match self {
            CloneReason::Read => "read",
            CloneReason::Write => "write",
        }
    }
}

impl fmt::Display for CloneReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} error", self.word())
    }
}

#[derive(Debug, Args)]
pub(crate) struct CloneVolume {
    /// The damaged volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// The blank scratch volume that takes its place.
    #[arg(long, value_name = "LABEL")]
    pub to: Label,
    /// Why: a persistent read error, or a fatal write error.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub reason: CloneReason,
    /// Another copy of the volume, or another drive with it: what the volume's own image does not give is read there.
    /// Again for another one: the one that reads best is named first, and one that can't be opened is passed over.
    #[arg(long, value_name = "SRC")]
    pub from: Vec<Sink>,
    /// How often each object is read with one source, in all runs together.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tries: u32,
    /// The copy is one, though it has another label than the volume, or nothing shows that it was not written since.
    /// Blocks that differ are refused nevertheless.
    #[arg(long, requires = "from")]
    pub same_tape: bool,
    /// Also onto a volume of another kind or of less capacity.
    #[arg(long)]
    pub force_type: bool,
    /// A command that the shell runs when the clone begins and when it ends, with JSON on its standard input.
    #[arg(long, value_name = "CMD")]
    pub ticket_hook: Option<String>,
    /// A command that the shell runs for each bad tape file, at once, with JSON about it on its standard input.
    #[arg(long, value_name = "CMD")]
    pub on_bad: Option<String>,
    /// Ends when the clone is written; the same command without it reads it back and gives it the label.
    #[arg(long)]
    pub hold: bool,
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = pseudotape_human::parse_label)]
    pub by: Option<String>,
}
