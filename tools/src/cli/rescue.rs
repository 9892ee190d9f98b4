//! `pseudotape rescue`.

use std::path::PathBuf;

use clap::Args;
use pseudotape_sink::Sink;

#[derive(Debug, Args)]
#[command(after_help = super::TAPES)]
pub(crate) struct RescueOptions {
    /// The tape to read: the damaged one, or another copy of it.
    #[arg(value_name = "SRC")]
    pub source: Sink,
    /// The tape to write; an image whose name ends in .ptape is made where it is not there. An image holds the objects
    /// under their own numbers, and those that can't be read as errors.
    #[arg(value_name = "DST", required_unless_present = "raw_file")]
    pub target: Option<Sink>,
    /// The map of what is good, bad and not tried [default: DST.rescue, where DST is an image].
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// How often each object is read with one source, in all runs together.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tries: u32,
    /// Which partition of SRC [default: its only one].
    #[arg(long, value_name = "N")]
    pub partition: Option<u8>,
    /// SRC has another label than what was read before, and is a copy of it all the same. Blocks that differ are
    /// refused nevertheless.
    #[arg(long)]
    pub same_tape: bool,
    /// Reads DST through first, and from SRC again what DST has lost since it was rescued: by damage, or because the
    /// image of what was found later is gone.
    #[arg(long)]
    pub reread_lost: bool,
    /// A command that the shell runs for each bad object, at once, with JSON about it on its standard input.
    #[arg(long, value_name = "CMD")]
    pub on_bad: Option<String>,
    /// Puts what was found later into its places on DST also while something is missing.
    #[arg(long)]
    pub finish: bool,
    /// Where DST is no image: writes it also while something is missing, which is left out.
    #[arg(long)]
    pub leave_out: bool,
    /// Where DST is no image: writes over what is recorded on it.
    #[arg(long)]
    pub force: bool,
    /// Draws what is good, bad and not tried: on the screen, or into an SVG file.
    #[arg(long, value_name = "FILE.svg", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub picture: Option<PathBuf>,
    /// Writes the bytes of this tape file of SRC, counted from 0, to --output, and keeps no map but the one of its
    /// holes: OUT.map, which ddrescue and its viewers read. A file with holes is OUT.partial.
    #[arg(
        long,
        value_name = "N",
        requires = "output",
        conflicts_with_all = ["target", "map", "on_bad", "finish", "leave_out", "force", "same_tape", "picture", "reread_lost"]
    )]
    pub raw_file: Option<u64>,
    /// Where --raw-file writes.
    #[arg(short, long, value_name = "OUT", requires = "raw_file")]
    pub output: Option<PathBuf>,
    /// The SHA-256 that the file of --raw-file must have; with another one it is OUT.partial, too.
    #[arg(long, value_name = "HEX", requires = "raw_file", value_parser = parse_sha256)]
    pub sha256: Option<String>,
}

fn parse_sha256(text: &str) -> Result<String, String> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digits {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("a SHA-256 has 64 hexadecimal digits".to_owned()),
    }
}
