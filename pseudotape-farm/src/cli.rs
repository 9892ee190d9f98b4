//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use pseudotape_farm_net::Person;
use pseudotape_human::Shell;

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 the client went in order; 1 it did not, or was refused; 2 the command line is wrong, or there is no such root.";

const EXAMPLES: &str = "\
For one key of ssh, and nothing else (a line of authorized_keys on this host):
  restrict,command=\"pseudotape-farm serve --stdio --root /srv/farm --user ada@depot\" ssh-ed25519 ...
Who may come at all says the access list of the farm, which lets nobody in before somebody is on it:
  pseudotape farm acl add ada@depot --root /srv/farm
On the other host:
  pseudotape farm ls --root ssh:HOST:";

/// Serves a disk farm to other hosts.
#[derive(Debug, Parser)]
#[command(name = "pseudotape-farm", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// Prints JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves a farm: one client on standard input and output, as sshd starts it.
    #[command(after_help = EXAMPLES)]
    Serve(ServeOptions),
    /// Prints the script that completes the command line in a shell.
    Completions(CompletionsOptions),
    /// Writes the man pages into a folder.
    Man(ManOptions),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("way").required(true).args(["stdio"]))]
pub(crate) struct ServeOptions {
    /// Serves one client on standard input and output.
    #[arg(long)]
    pub stdio: bool,
    /// The folder with the volumes. A client that means another one is refused.
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
    /// Who the client is, for a key that is somebody's [default: the user of this process, at the host that ssh names].
    #[arg(long, value_name = "USER@HOST")]
    pub user: Option<Person>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// For this shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// The folder, which has to be there.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}
