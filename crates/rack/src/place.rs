//! The text of a changer.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pseudotape_human::list::{parts, plain};
use pseudotape_rmt::{Reach, Remote};

/// What serves on the other host where nothing else is said.
const SERVER: &str = "pseudotape changer serve";

/// A changer, by its specification:
///
/// | text | changer |
/// |---|---|
/// | `library:SOCKET`, `library:SOCKET/NAME` | a library of the daemon with this control socket |
/// | `remote:[USER@]HOST[,server=COMMAND][,rsh=PROGRAM]` | what `pseudotape changer serve` serves on another host |
/// | `remote-socket:PATH`, `remote-socket:ADDRESS:PORT` | what `pseudotape changer serve --listen` serves |
/// | `sg:NODE` | a SCSI changer that answers `SG_IO` |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangerPlace {
    text: String,
    pub(crate) way: Way,
}

/// How a changer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A daemon's control socket, perhaps with the name of one of its libraries.
    Library(PathBuf),
    /// Whoever speaks the protocol of remote changers there.
    Remote(Reach),
    /// A node.
    Sg(PathBuf),
}

/// A text that names no changer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' names no changer: {why}")]
pub struct BadPlace {
    text: String,
    why: String,
}

const KINDS: &str = "there are library:SOCKET, remote:HOST, remote-socket:PATH and sg:NODE";

impl ChangerPlace {
    /// Whether a text begins as a specification does; what does not can be a path.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        let kind = text.split_once(':').map(|(kind, _)| kind);
        kind.is_some_and(|kind| matches!(kind, "library" | "remote" | "remote-socket" | "sg"))
    }

    /// The library of a daemon.
    #[must_use]
    pub fn library(socket: &Path) -> Self {
        ChangerPlace {
            text: format!("library:{}", socket.display()),
            way: Way::Library(socket.to_owned()),
        }
    }

    /// Whether it is a SCSI changer. Those know nothing of the promises that a server makes.
    #[must_use]
    pub fn is_node(&self) -> bool {
        matches!(self.way, Way::Sg(_))
    }
}

/// `[USER@]HOST[,server=COMMAND][,rsh=PROGRAM]`
fn remote(text: &str) -> Result<Way, String> {
    let mut words = parts(text, ',').map(plain);
    let host = words.next().unwrap_or_default();
    // The same rules as for a tape of that host.
    let parsed = format!("{host}:changer").parse::<Remote>();
    let remote = match parsed {
        Ok(remote) if remote.tape == "changer" => remote,
        _ => return Err(format!("'{host}' is no [USER@]HOST")),
    };
    let (mut server, mut shell) = (SERVER.to_owned(), None);
    for option in words {
        match option.split_once('=') {
            Some(("server", value)) if !value.is_empty() => server = value.to_owned(),
            Some(("rsh", value)) if !value.is_empty() => shell = Some(value.to_owned()),
            _ => return Err(format!("no option '{option}'; there are server= and rsh=")),
        }
    }
    let remote = remote.with_programs(shell.as_ref().map(AsRef::as_ref), Some(server.as_ref()));
    Ok(Way::Remote(remote.reach))
}

/// A path, or a loopback address with a port.
fn remote_socket(text: &str) -> Result<Way, String> {
    if text.contains('/') {
        return Ok(Way::Remote(Reach::Unix(text.into())));
    }
    let address = text.parse::<SocketAddr>();
    let address = address.map_err(|_| {
        format!("'{text}' is neither a path with a / nor an address such as 127.0.0.1:7000")
    })?;
    match address.ip().is_loopback() {
        true => Ok(Way::Remote(Reach::Tcp(address))),
        false => Err(format!(
            "{address} is not of this machine: the protocol has no passwords, so ssh brings it to other ones (remote:HOST)"
        )),
    }
}

impl FromStr for ChangerPlace {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let bad = |why: String| BadPlace {
            text: text.to_owned(),
            why,
        };
        let Some((kind, rest)) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()) else {
            return Err(bad(KINDS.to_owned()));
        };
        if rest.contains(['\0', '\n']) {
            return Err(bad("it has a line feed or a zero byte".to_owned()));
        }
        let way = match kind {
            "library" => Way::Library(plain(rest).into()),
            "remote" => remote(rest).map_err(bad)?,
            "remote-socket" => remote_socket(&plain(rest)).map_err(bad)?,
            "sg" => Way::Sg(plain(rest).into()),
            _ => return Err(bad(KINDS.to_owned())),
        };
        let text = text.to_owned();
        Ok(ChangerPlace { text, way })
    }
}

impl fmt::Display for ChangerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The control socket, and the library where the path names one: `SOCKET`, or `SOCKET/NAME`.
#[must_use]
pub fn socket_and_name(path: &Path) -> (PathBuf, Option<String>) {
    let is_socket = |path: &Path| path.metadata().is_ok_and(|m| m.file_type().is_socket());
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if is_socket(parent) => {
            (parent.to_owned(), Some(name.to_string_lossy().into_owned()))
        }
        _ => (path.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_changer_is_read_and_shown_alike() {
        for text in [
            "library:/run/pseudotape/control",
            "library:/run/pseudotape/control/vault",
            "remote:nas",
            "remote:backup@nas.example,server=/opt/pseudotape changer serve,rsh=/usr/bin/rsh",
            "remote:[fe80::1]",
            "remote-socket:/run/changer.socket",
            "remote-socket:127.0.0.1:7000",
            "sg:/dev/pmch0",
        ] {
            let place: ChangerPlace = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
            assert!(ChangerPlace::is_one(text), "{text}");
        }
    }

    #[test]
    fn a_text_that_names_no_changer_says_why() {
        for (text, why) in [
            ("", "there are library:SOCKET"),
            ("/run/control", "there are library:SOCKET"),
            ("sg:", "there are library:SOCKET"),
            ("tape:/dev/nst0", "there are library:SOCKET"),
            ("remote:-oProxyCommand=x", "is no [USER@]HOST"),
            ("remote:nas:tape", "is no [USER@]HOST"),
            ("remote:nas,port=3", "no option 'port=3'"),
            ("remote:nas,server=", "no option 'server='"),
            ("remote-socket:socket", "neither a path"),
            ("remote-socket:192.0.2.1:7000", "no passwords"),
            ("sg:/dev/a\nb", "line feed"),
        ] {
            let error = text.parse::<ChangerPlace>().unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!(!ChangerPlace::is_one("/run/remote:x"));
    }

    #[test]
    fn a_name_behind_a_socket_is_that_of_a_library() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let named = socket_and_name(&socket.join("vault"));
        assert_eq!(named, (socket.clone(), Some("vault".to_owned())));
        assert_eq!(socket_and_name(&socket), (socket, None));
    }
}
