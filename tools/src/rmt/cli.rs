use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use pseudotape_rmt::{Dialect, System};

const EXAMPLES: &str = "\
Examples:
  tar --rmt-command='pseudotape-rmt --allow tape=backup.ptape' -cf host:tape /etc
  pseudotape-rmt --listen /run/pseudotape-rmt/socket --allow nst0=/dev/nst0 --allow a=image:/srv/a.ptape
  command=\"pseudotape-rmt --via /run/pseudotape-rmt/socket\" ssh-ed25519 ... (in authorized_keys)

Without --listen it serves one client on standard input and output, as /etc/rmt does. A tape that is an image
stands at its beginning then, each time; one that is to keep its place between two clients needs --listen, or a
node of pseudotape-dev.

SIGTERM, SIGINT or SIGHUP end what clients are doing: a tape that is still open is closed as its client would have
done, filemark included, and committed. The log says which client was not done. A second signal ends at once.
";

/// What the exit codes say.
pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 the client went in order; 1 it did not, or something could not be committed; \
2 the command line or the configuration is wrong, or names nothing to serve; \
3 a signal came while a client had written and still had its tape open.";

fn after_help() -> String {
    format!("{EXAMPLES}\n{EXIT_CODES}")
}

/// Serves tapes by the rmt protocol to tar, cpio, mt, dump, star and pseudotape on other machines.
///
/// Only the tapes that are named here can be opened; a name that a client makes up is refused and logged.
#[derive(Debug, Parser)]
#[command(name = "pseudotape-rmt", version, after_long_help = after_help(), max_term_width = 100)]
pub struct Arguments {
    /// What to serve [default: /etc/pseudotape-rmt.toml where nothing is allowed here].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// A tape that clients may open by this name: a tape node, or a sink such as image:PATH.
    #[arg(long, value_name = "NAME=TAPE")]
    pub allow: Vec<String>,

    /// Another name of one of these tapes, under which it is rewound when it is closed.
    #[arg(long, value_name = "NAME=TAPE")]
    pub allow_rewinding: Vec<String>,

    /// Whose operation numbers clients use that don't say so themselves.
    #[arg(long, value_enum)]
    pub dialect: Option<DialectName>,

    /// Whose error numbers clients expect.
    #[arg(long, value_enum)]
    pub errors: Option<SystemName>,

    /// Serves many clients on a Unix socket (a path), or on a loopback address (127.0.0.1:PORT).
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,

    /// How many clients --listen serves at a time; one more is refused [default: 64].
    #[arg(long, value_name = "NUMBER")]
    pub max_clients: Option<NonZeroUsize>,

    /// How long a client of --listen may take to open a tape [default: 60].
    #[arg(long, value_name = "SECONDS")]
    pub open_timeout: Option<NonZeroU64>,

    /// Serves nothing itself: connects its standard input and output to a server on this socket.
    #[arg(long, value_name = "SOCKET", conflicts_with_all = ["config", "allow", "allow_rewinding", "listen"])]
    pub via: Option<PathBuf>,

    /// What /etc/rmt is called with by some clients, and nobody needs.
    #[arg(hide = true)]
    pub ignored: Vec<String>,
}

/// [`Dialect`] as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialectName {
    /// linux/mtio.h.
    Linux,
    /// 4.2BSD, and everything after it but Linux.
    Bsd,
}

/// [`System`] as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemName {
    /// Linux.
    Linux,
    /// FreeBSD, NetBSD, OpenBSD.
    Bsd,
    /// Solaris.
    Solaris,
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Linux => Dialect::Linux,
            DialectName::Bsd => Dialect::Bsd,
        }
    }
}

impl From<SystemName> for System {
    fn from(name: SystemName) -> Self {
        match name {
            SystemName::Linux => System::Linux,
            SystemName::Bsd => System::Bsd,
            SystemName::Solaris => System::Solaris,
        }
    }
}
