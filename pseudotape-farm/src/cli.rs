//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use pseudotape_farm_net::{Commands, Hook, NoCommands, Person, TLS_PORT};
use pseudotape_farm_script::NoScript;
use pseudotape_human::Shell;

use crate::script::Told;

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 the client went in order; 1 it did not, or was refused; 2 the command line is wrong, or there is no such root.";

const EXAMPLES: &str = "\
For one key of ssh, and nothing else (a line of authorized_keys on this host):
  restrict,command=\"pseudotape-farm serve --stdio --root /srv/farm --user ada@depot\" ssh-ed25519 ...
Who may come at all says the access list of the farm, which lets nobody in before somebody is on it:
  pseudotape farm acl add ada@depot --root /srv/farm
On the other host:
  pseudotape farm ls --root ssh:HOST:
Over TLS it is a service; a client is who its certificate names, by an e-mail address or a common name USER@HOST:
  pseudotape-farm serve --listen 0.0.0.0 --cert cert.pem --key key.pem --client-ca ca.pem --root /srv/farm
  pseudotape farm ls --root tls:HOST:";

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
    /// Serves a farm: one client on standard input and output, as sshd starts it, or all that come over TLS.
    #[command(after_help = EXAMPLES)]
    Serve(Box<ServeOptions>),
    /// Lists who uses a farm from other hosts at this moment.
    Sessions(SessionsOptions),
    /// Ends a session, as if its link were cut. What its client was told as added is in the volume.
    End(EndOptions),
    /// Prints the script that completes the command line in a shell.
    Completions(CompletionsOptions),
    /// Writes the man pages into a folder.
    Man(ManOptions),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("way").required(true).args(["stdio", "listen", "accepted"]))]
#[command(group = ArgGroup::new("tls").args(["listen", "accepted"]).requires_all(["cert", "key", "client_ca"]))]
pub(crate) struct ServeOptions {
    /// Serves one client on standard input and output.
    #[arg(long)]
    pub stdio: bool,
    /// Serves over TLS all that come to this address: one of this host, 0.0.0.0 or [::] for all of them [default of the
    /// port: 22256]. Each has a process of its own.
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Serves the one whose connection is standard input.
    #[arg(long, hide = true)]
    pub accepted: bool,
    /// The folder with the volumes. A client that means another one is refused. Said several times, all are served.
    #[arg(long, value_name = "DIR", required = true)]
    pub root: Vec<PathBuf>,
    /// Each host has volumes of its own: they are in a folder of the root that has the name of the host, as --user or a
    /// certificate names it. Others read them (--owner) who are on the access list in that folder.
    #[arg(long)]
    pub private: bool,
    /// Clients who are on the access list can have the executable files of this folder run, by their names and without
    /// a shell ('pseudotape farm remote'). The folder and its files have to be root's or of the user who serves.
    #[arg(long, value_name = "DIR")]
    pub commands: Option<PathBuf>,
    /// As whom these run, where root serves [default: nobody].
    #[arg(long, value_name = "USER", requires = "commands")]
    pub commands_user: Option<String>,
    /// How long one of them may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = seconds, requires = "commands")]
    pub command_seconds: u64,
    /// A command for /bin/sh that is told of what clients have stored, as a line of JSON on its standard input, when
    /// that is in the volume and the volume is free again. The client waits for its end, and hears that it failed.
    #[arg(long, value_name = "CMD")]
    pub script: Option<String>,
    /// As whom it runs, where root serves [default: nobody].
    #[arg(long, value_name = "USER", requires = "script")]
    pub script_user: Option<String>,
    /// How long it may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = seconds, requires = "script")]
    pub script_seconds: u64,
    /// Who the client is, for a key that is somebody's [default: the user of this process, at the host that ssh names].
    #[arg(long, value_name = "USER@HOST", conflicts_with = "tls")]
    pub user: Option<Person>,
    /// The certificate of this host (PEM), and behind it those between it and its authority. This file and the two
    /// below are read for each connection: they can be replaced while it serves.
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub cert: Option<PathBuf>,
    /// The private key of the certificate (PEM), which nobody but its owner may read; root's also a group.
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub key: Option<PathBuf>,
    /// The authorities that sign the certificates of clients (PEM). A client whose certificate is of another one is
    /// refused.
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub client_ca: Option<PathBuf>,
    /// So many clients are served at a time; others are hung up on.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = sessions, requires = "listen")]
    pub sessions: usize,
}

impl ServeOptions {
    /// What clients may have run.
    pub fn allowed_commands(&self) -> Result<Option<Commands>, NoCommands> {
        let limit = Duration::from_secs(self.command_seconds);
        let user = self.commands_user.as_deref();
        let open = |folder: &PathBuf| Commands::open(folder, user, limit);
        self.commands.as_ref().map(open).transpose()
    }

    /// Who hears of what clients have stored.
    pub fn hook(&self) -> Result<Option<Arc<dyn Hook>>, NoScript> {
        let Some(command) = self.script.as_ref().filter(|script| !script.is_empty()) else {
            return Ok(None);
        };
        let limit = Duration::from_secs(self.script_seconds);
        let told = Told::new(command, self.script_user.as_deref(), limit)?;
        Ok(Some(Arc::new(told)))
    }
}

/// An address with or without a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let alone = bare.unwrap_or(text).parse();
    let address = alone.map(|alone| SocketAddr::new(alone, TLS_PORT));
    address.or_else(|_| text.parse()).map_err(|_| {
        "it is no address of a host: 192.0.2.7, [2001:db8::7], with or without a :PORT; 0.0.0.0 are all".to_owned()
    })
}

fn seconds(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(seconds),
        _ => Err("it is a number from 1 to 86400".to_owned()),
    }
}

fn sessions(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(sessions @ 1..=10_000) => Ok(sessions),
        _ => Err("it is a number from 1 to 10000".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct SessionsOptions {
    /// The folder with the volumes.
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EndOptions {
    /// The folder with the volumes.
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
    /// Which session: its number in the list.
    #[arg(value_name = "SESSION")]
    pub session: u32,
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
