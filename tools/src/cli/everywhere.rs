//! Options of several commands, and which commands mean them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, value_parser};
use pseudotape_human::offered::{check, offer, said};

const HEADING: &str = "Options of many commands";

/// What was asked for, and the options that stand anywhere on the command line.
#[derive(Debug)]
pub struct Asked {
    pub(crate) command: super::Command,
    /// Control socket of the daemon.
    pub(crate) control: Option<PathBuf>,
    /// Prints the result as JSON.
    pub(crate) json: bool,
    /// How long to wait for the daemon, in seconds.
    pub(crate) timeout: Option<u64>,
    /// Which library is meant.
    pub(crate) cabinet: Option<String>,
    /// The directory of the vault.
    pub(crate) vault: Option<PathBuf>,
}

/// The whole command line: each command has the options that mean something to it.
#[must_use]
pub fn command() -> Command {
    let command = offer(super::Cli::command(), &everywhere(), &means);
    let command = command.mut_subcommand("library", |library| {
        offer(library, &[library_option()], &|path, _| {
            !matches!(path, "create" | "pairing")
        })
    });
    let command = command.mut_subcommand("farm", |farm| {
        offer(farm, &[vault_option()], &|path, _| {
            let adds = matches!(path, "copy" | "add" | "compare-add" | "merge");
            adds || matches!(
                path,
                "refs" | "refer" | "purge" | "serial" | "drop-original"
            )
        })
    });
    command.mut_subcommand("vault", |vault| {
        offer(vault, &[vault_option()], &|path, _| path != "catalog-of")
    })
}

/// Reads a command line.
pub fn parse(arguments: &[OsString]) -> Result<Asked, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    check(&mut command(), &matches, &everywhere(), &means)?;
    asked(&matches)
}

fn asked(matches: &ArgMatches) -> Result<Asked, clap::Error> {
    Ok(Asked {
        command: super::Cli::from_arg_matches(matches)?.command,
        control: said(matches, "control"),
        json: said(matches, "json").unwrap_or(false),
        timeout: said(matches, "timeout"),
        cabinet: said(matches, "library"),
        vault: said(matches, "vault"),
    })
}

fn everywhere() -> [Arg; 3] {
    [
        Arg::new("control")
            .long("control")
            .value_name("SOCKET")
            .value_parser(value_parser!(PathBuf))
            .help_heading(HEADING)
            .help(
                "Control socket of the daemon [default: $PSEUDOTAPE_CONTROL, else $XDG_RUNTIME_DIR/pseudotape/control, \
                 else /run/pseudotape/control]",
            ),
        Arg::new("timeout")
            .long("timeout")
            .value_name("SECONDS")
            .value_parser(value_parser!(u64).range(1..=86_400))
            .help_heading(HEADING)
            .help(
                "How long to wait for the daemon [default: 60 for status, 10 for doctor, 300 for what may have to write \
                 to the host's disk first]",
            ),
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help_heading(HEADING)
            .help("Prints the result as JSON, and an error as JSON on standard error (docs/JSON.md)"),
    ]
}

fn library_option() -> Arg {
    Arg::new("library")
        .long("library")
        .value_name("NAME")
        .help("Which library, where the daemon has several")
}

fn vault_option() -> Arg {
    Arg::new("vault")
        .long("vault")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("The directory of the vault [default: $PSEUDOTAPE_VAULT]")
}

/// Whether the command with this path means an option of [`everywhere`].
fn means(path: &str, option: &str) -> bool {
    let asks_daemon = match path {
        "status" | "load" | "unload" | "write-protect" | "reset" | "inject" | "options"
        | "doctor" => true,
        "library create" | "library pairing" => false,
        _ => path.starts_with("library "),
    };
    match (option, path) {
        // What mtx prints, and a script of a shell, is no JSON.
        ("json", "changer" | "completions") => false,
        ("json", _) => true,
        ("control", "changer") => true,
        _ => asks_daemon,
    }
}
