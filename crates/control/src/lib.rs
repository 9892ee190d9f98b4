//! The messages between the `pseudotape` commands and the daemons, and the server that the daemons answer with.
//!
//! A client connects to the daemon's Unix socket, sends one [`Request`] as one line of JSON and gets
//! one [`Response`] as one line of JSON; it may go on with further requests. A line is at most
//! [`MAX_LINE_BYTES`] long, an answer [`MAX_ANSWER_BYTES`]. Unknown requests and unknown fields are refused by name.
//!
//! Every message has a field `protocol`. In a request it is the oldest protocol that has the request, so that a newer
//! client can go on asking an older daemon for what both know. In an answer it is the newest protocol that the daemon
//! speaks. A message without it is of protocol 1. A field that a later protocol adds has a default for what is
//! missing. A client ignores fields that it does not know; a daemon refuses them, since they may change what is asked.

use std::io::{self, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr};
use serde::{Deserialize, Serialize};

mod file_node;
mod group;
mod library;
mod message;
pub mod mirror;
mod peer;
mod readiness;
mod server;
mod settings;
mod socket;
mod status;

pub use file_node::{FILE_NODE_LIMITS, FileNodeLimit};
pub use group::{NotGivable, can_give};
pub use library::{ElementStatus, LibraryOrder, LibraryRefusal, LibraryStatus, SpanStatus};
pub use message::{MAX_ANSWER_BYTES, MAX_LINE_BYTES, PROTOCOL, receive, send};
pub use peer::Peer;
pub use readiness::{NoDescriptor, READY_LINE, Readiness};
pub use server::{Connection, ControlServer, Conversation, MAX_CLIENTS, Operator};
pub use settings::{ControlSettings, SettingError, find_group, named_group, parse_mode};
pub use socket::{ListenError, Purpose, Socket, SocketGroup, rights_in_words};
pub use status::{
    CapacityStatus, DriveLegStatus, DriveMirrorStatus, DriveStatus, FaultStatus, FaultsStatus,
    FlagStatus, HolderStatus, MediumStatus, OpenStatus, OptionStatus, OptionsStatus,
    PositionStatus, SlaveStatus, SlaveWay, Status, TransferStatus, VaultStatus,
};

/// Environment variable that names the control socket for the daemon and for the command.
pub const SOCKET_VARIABLE: &str = "PSEUDOTAPE_CONTROL";

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The state of every drive.
    Status,
    /// Puts an image into a drive and loads it.
    Load {
        /// Number of the drive.
        drive: u32,
        /// Absolute path of the image, or a specification with such paths. A name alone is looked for in the
        /// folders that the daemon's configuration lists.
        image: PathBuf,
    },
    /// Loads a volume of the daemon's vault.
    LoadVolume {
        /// Number of the drive.
        drive: u32,
        /// Its label; `None`: a scratch volume that the vault picks.
        #[serde(default)]
        volume: Option<String>,
        /// Only to be read.
        #[serde(default)]
        read_only: bool,
    },
    /// Takes the cartridge out of a drive: commits, then closes the image.
    Unload {
        /// Number of the drive.
        drive: u32,
        /// Also while a program has the drive open (it gets errors from then on).
        #[serde(default)]
        force: bool,
    },
    /// Sets or clears the write-protect switch of the cartridge in a drive.
    WriteProtect {
        /// Number of the drive.
        drive: u32,
        /// Protected or not.
        on: bool,
    },
    /// Resets a drive, as a bus reset does: its position is lost until rewind.
    Reset {
        /// Number of the drive.
        drive: u32,
    },
    /// Sets options of the st driver for a drive, then says them all.
    Options {
        /// Number of the drive.
        drive: u32,
        /// The mode: 0, or 1 to 3 for the nodes l, m, a.
        #[serde(default)]
        mode: u8,
        /// `NAME`, `NAME=off`, `NAME=VALUE`; all of them are understood before any is set.
        #[serde(default)]
        set: Vec<String>,
    },
    /// Removes and injects faults of a drive, then says them all.
    Inject {
        /// Number of the drive.
        drive: u32,
        /// Numbers of faults, or `all`; they are removed before others are injected.
        #[serde(default)]
        remove: Vec<String>,
        /// `KIND[,OPTION=VALUE...]`, as docs/FAULTS.md has them; all of them are understood before any is injected.
        #[serde(default)]
        faults: Vec<String>,
    },
    /// Asks the mirror that a drive is.
    Mirror {
        /// Number of the drive.
        drive: u32,
        /// What a mirror daemon is asked on its own socket.
        ask: mirror::Request,
    },
    /// The state of every library, or of one.
    Libraries {
        /// Its name.
        #[serde(default)]
        library: Option<String>,
    },
    /// Has a library do something.
    Library {
        /// Its name; `None`: the only one.
        #[serde(default)]
        library: Option<String>,
        /// What.
        order: LibraryOrder,
    },
    /// After [`Response::Done`] the connection speaks the protocol of docs/REMOTE-CHANGER.md, with a library.
    Changer {
        /// Its name; `None`: the only one.
        #[serde(default)]
        library: Option<String>,
    },
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Response {
    /// Done.
    Done {
        /// What was done, for a person.
        message: String,
    },
    /// The state of every drive.
    Status(Box<Status>),
    /// The options of a drive.
    Options(OptionsStatus),
    /// The faults of a drive.
    Faults(FaultsStatus),
    /// What the mirror that a drive is answered.
    Mirror {
        /// Number of the drive.
        drive: u32,
        /// The answer.
        told: mirror::Response,
    },
    /// The state of libraries.
    Libraries {
        /// In the order of the configuration.
        libraries: Vec<LibraryStatus>,
    },
    /// A library refused what it was to do.
    Refused(LibraryRefusal),
    /// Refused or failed.
    Error {
        /// Why, and the way out.
        message: String,
    },
}

/// Why a call to a daemon failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody listens there, or not for this user.
    #[error("no daemon answers on {}: {source} ({})", path.display(), connect_advice(source.kind()))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Nothing came in time.
    #[error("the daemon on {} did not answer within {} s: it may be busy with a long operation, and then does later what it was asked for: see 'status' or its log before you ask again", path.display(), timeout.as_secs())]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// How long was waited.
        timeout: Duration,
    },
    /// The connection broke.
    #[error("the daemon's connection broke: {0}")]
    Broken(#[from] io::Error),
    /// A message is not in this protocol.
    #[error("the daemon's answer can't be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A message of another protocol can't be understood.
    #[error(
        "{source}: the other side speaks control protocol {theirs}, and this side speaks {PROTOCOL}: use programs of one version"
    )]
    Protocol {
        /// What the message says.
        theirs: u32,
        /// What is not understood.
        source: serde_json::Error,
    },
}

/// The socket used where none is named: [`SOCKET_VARIABLE`], or a place in the run directory.
#[must_use]
pub fn default_socket() -> PathBuf {
    if let Some(path) = std::env::var_os(SOCKET_VARIABLE) {
        return PathBuf::from(path);
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(directory) if !directory.is_empty() => {
            PathBuf::from(directory).join("pseudotape/control")
        }
        _ => PathBuf::from("/run/pseudotape/control"),
    }
}

/// Sends one request and waits up to `timeout` for the answer.
pub fn call<Q: Serialize, A: for<'de> Deserialize<'de>>(
    socket: &Path,
    request: &Q,
    timeout: Duration,
) -> Result<A, Error> {
    exchange(UnixStream::connect(socket), socket, request, timeout)
}

/// As [`call`], for what must not take long: where the daemon takes no clients at the moment, it is not waited for.
pub fn ask<Q: Serialize, A: for<'de> Deserialize<'de>>(
    socket: &Path,
    request: &Q,
    timeout: Duration,
) -> Result<A, Error> {
    exchange(connect_at_once(socket), socket, request, timeout)
}

fn connect_at_once(path: &Path) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn exchange<Q: Serialize, A: for<'de> Deserialize<'de>>(
    connected: io::Result<UnixStream>,
    socket: &Path,
    request: &Q,
    timeout: Duration,
) -> Result<A, Error> {
    let mut stream = connected.map_err(|source| Error::Connect {
        path: socket.to_owned(),
        source,
    })?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let late = |error| match error {
        // What a socket's time-out looks like.
        Error::Broken(source) if source.kind() == io::ErrorKind::WouldBlock => Error::NoAnswer {
            path: socket.to_owned(),
            timeout,
        },
        other => other,
    };
    let sent = send(&mut stream, request);
    let received = receive(&mut BufReader::new(stream));
    if let Err(error) = sent {
        // A daemon that serves no more clients answers and hangs up before it is asked.
        return match received {
            Ok(Some(response)) => Ok(response),
            _ => Err(late(error)),
        };
    }
    match received.map_err(late)? {
        Some(response) => Ok(response),
        None => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before it answered").into())
        }
    }
}

fn connect_advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "be root, or in the group that the socket belongs to",
        _ => "is the daemon running? --control names its socket",
    }
}

#[cfg(test)]
mod ask_test;
