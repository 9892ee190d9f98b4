//! Where a tape is that another machine has.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use pseudotape_tape::{Access, BlockLimits};

/// Program that servers are known by.
const DEFAULT_SERVER: &str = "/etc/rmt";

/// A tape on another machine, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// How the server is reached.
    pub reach: Reach,
    /// The name of the tape there, such as `/dev/nst0`. It has to be a node that does not rewind when it is closed.
    pub tape: String,
    /// What it is opened for.
    pub access: Access,
    /// How long to wait.
    pub limits: Limits,
    /// Block limits of the drive, where they are known: to find them takes some sixty questions.
    pub block_limits: Option<BlockLimits>,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `ssh [USER@]HOST SERVER`, without asking for passwords.
    Ssh {
        /// `None`: as ssh decides.
        user: Option<String>,
        /// The machine.
        host: String,
        /// The command that serves there.
        server: OsString,
    },
    /// Any command that speaks the protocol on its standard input and output.
    Command(Vec<OsString>),
    /// A server that listens on a Unix socket.
    Unix(PathBuf),
    /// A server that listens on a TCP port.
    Tcp(SocketAddr),
}

/// How long to wait for what, before a connection counts as cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the first answer: connecting, logging in, starting the server.
    pub connect: Duration,
    /// For a transfer or a short motion (st: 900 s).
    pub reply: Duration,
    /// For a motion over the whole tape, loading, erasing (st: 14,000 s).
    pub long_reply: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(60),
            reply: Duration::from_secs(900),
            long_reply: Duration::from_secs(14_000),
        }
    }
}

/// A text that names no remote tape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' names no remote tape: it has the form [USER@]HOST:TAPE, such as backup@nas:/dev/nst0"
)]
pub struct BadRemote(String);

impl Remote {
    /// A tape behind a way to reach it, to be read and written, with the usual patience.
    #[must_use]
    pub fn new(reach: Reach, tape: &str) -> Self {
        Remote {
            reach,
            tape: tape.to_owned(),
            access: Access::default(),
            limits: Limits::default(),
            block_limits: None,
        }
    }

    /// The same tape, reached by this program in place of `ssh`, and with this server in place of `/etc/rmt`. The
    /// program is called as `PROGRAM [-l USER] HOST SERVER`, as GNU tar does with `--rsh-command`.
    #[must_use]
    pub fn with_programs(mut self, remote_shell: Option<&OsStr>, server: Option<&OsStr>) -> Self {
        if let (Reach::Ssh { server: known, .. }, Some(server)) = (&mut self.reach, server) {
            *known = server.to_owned();
        }
        if let (Reach::Ssh { user, host, server }, Some(shell)) = (&self.reach, remote_shell) {
            let mut command = vec![shell.to_owned()];
            if let Some(user) = user {
                command.extend(["-l".into(), OsString::from(user)]);
            }
            command.extend([OsString::from(host), server.clone()]);
            self.reach = Reach::Command(command);
        }
        self
    }
}

impl FromStr for Remote {
    type Err = BadRemote;

    /// Reads `[USER@]HOST:TAPE`; an IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, BadRemote> {
        let bad = || BadRemote(text.to_owned());
        let (user, rest) = match text.split_once('@') {
            Some((user, rest)) if !user.contains([':', '/']) => (Some(user), rest),
            _ => (None, text),
        };
        let (host, tape) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once("]:").ok_or_else(bad)?,
            None => rest.split_once(':').ok_or_else(bad)?,
        };
        // ssh would take these for options.
        let unfit = |name: &str| {
            name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace)
        };
        if unfit(host) || user.is_some_and(unfit) || tape.is_empty() || tape.contains(['\n', '\0'])
        {
            return Err(bad());
        }
        let reach = Reach::Ssh {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            server: DEFAULT_SERVER.into(),
        };
        Ok(Remote::new(reach, tape))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.reach, self.tape)
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Ssh { user, host, .. } => {
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                if host.contains(':') {
                    write!(f, "[{host}]")
                } else {
                    write!(f, "{host}")
                }
            }
            Reach::Command(words) => {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                write!(f, "'{}'", words.join(" "))
            }
            Reach::Unix(path) => write!(f, "{}", path.display()),
            Reach::Tcp(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_host_and_tape_are_read_and_shown_alike() {
        for text in [
            "nas:/dev/nst0",
            "backup@nas.example:/dev/nst0",
            "[fe80::1]:/dev/nst0",
            "root@[::1]:tape one",
            "nas:/odd@name:0",
        ] {
            let remote: Remote = text.parse().unwrap();
            assert_eq!(remote.to_string(), text);
        }
        for text in [
            "",
            "nas",
            "nas:",
            ":/dev/nst0",
            "-oProxyCommand=x:/dev/nst0",
            "-l@nas:x",
            "a b:/dev/nst0",
            "[::1:/x",
        ] {
            assert!(text.parse::<Remote>().is_err(), "{text}");
        }
    }

    #[test]
    fn another_remote_shell_is_called_as_tar_calls_it() {
        let remote: Remote = "u@nas:/dev/nst0".parse().unwrap();
        let remote = remote.with_programs(Some("rsh".as_ref()), Some("/usr/sbin/rmt".as_ref()));
        let words = ["rsh", "-l", "u", "nas", "/usr/sbin/rmt"].map(OsString::from);
        assert_eq!(remote.reach, Reach::Command(words.to_vec()));
    }
}
