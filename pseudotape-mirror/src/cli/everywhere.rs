//! Options of several commands, and which commands mean them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches, value_parser};
use pseudotape_human::offered::{check, offer, said};

const HEADING: &str = "Options of many commands";

/// What was asked for, and the options that stand anywhere on the command line.
#[derive(Debug)]
pub struct Asked {
    pub(crate) command: super::Command,
    /// Control socket of the mirror.
    pub(crate) control: Option<PathBuf>,
    /// The drive of the device daemon that is the mirror.
    pub(crate) drive: Option<u32>,
    /// How long to wait for the mirror, in seconds.
    pub(crate) timeout: Option<u64>,
    /// Prints the result as JSON.
    pub(crate) json: bool,
    /// The socket of a mirror of changers.
    pub(crate) changer: Option<PathBuf>,
}

/// The whole command line: each command has the options that mean something to it.
#[must_use]
pub fn command() -> Command {
    let command = offer(super::Cli::command(), &everywhere(), &means);
    command.mut_subcommand("changer", |changer| {
        offer(changer, &[changer_option()], &|_, _| true)
    })
}

/// Reads a command line.
pub fn parse(arguments: &[OsString]) -> Result<Asked, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    check(&mut command(), &matches, &everywhere(), &means)?;
    Ok(Asked {
        command: super::Cli::from_arg_matches(&matches)?.command,
        control: said(&matches, "control"),
        drive: said(&matches, "drive"),
        timeout: said(&matches, "timeout"),
        json: said(&matches, "json").unwrap_or(false),
        changer: said(&matches, "changer"),
    })
}

fn everywhere() -> [Arg; 4] {
    [
        Arg::new("control")
            .long("control")
            .value_name("SOCKET")
            .value_parser(value_parser!(PathBuf))
            .help_heading(HEADING)
            .help(
                "Control socket of the mirror [default: $PSEUDOTAPE_MIRROR_CONTROL, else \
                 $XDG_RUNTIME_DIR/pseudotape-mirror/control, else /run/pseudotape-mirror/control]",
            ),
        Arg::new("drive")
            .long("drive")
            .value_name("N")
            .value_parser(value_parser!(u32))
            .help_heading(HEADING)
            .help(
                "The drive of pseudotape-dev that is the mirror (legs=...), asked on the control socket of that daemon \
                 [default: the mirror daemon; where none runs, the only such drive]",
            ),
        Arg::new("timeout")
            .long("timeout")
            .value_name("SECONDS")
            .value_parser(value_parser!(u64).range(1..=31_536_000))
            .help_heading(HEADING)
            .help(
                "How long to wait for the mirror [default: 60 for status; the others wait as long as it takes]",
            ),
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help_heading(HEADING)
            .help("Prints the result as JSON, and an error as JSON on standard error (docs/JSON.md)"),
    ]
}

fn changer_option() -> Arg {
    Arg::new("changer")
        .long("changer")
        .value_name("SOCKET")
        .value_parser(value_parser!(PathBuf))
        .help("Its socket [default: 'changer' beside the control socket of the mirror]")
}

/// Whether the command with this path means an option of [`everywhere`].
fn means(path: &str, option: &str) -> bool {
    match (path, option) {
        ("completions", _) => false,
        ("man", option) => option == "json",
        ("run", option) => option == "control",
        (path, "drive") => !path.starts_with("changer"),
        _ => true,
    }
}
