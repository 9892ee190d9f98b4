//! Opening changers, and the connections to those that a server has.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use pseudotape_changer::{Changer, Reach as Reaches, RemoteChanger, Wait};
use pseudotape_control::{Request, Response, receive, send};
use pseudotape_rmt::{Channel, Reach};

use crate::place::{ChangerPlace, Way, socket_and_name};
use crate::sg_changer::{PATIENCE, SgChanger};
use crate::sg_io::SgNode;

/// A changer of any kind.
pub type OpenChanger = Box<dyn Changer + Send>;

/// How long it may take to get there: to log in, to start the server.
const CONNECT: Duration = Duration::from_secs(60);
/// Longest first answer of a daemon.
const MAX_GO_AHEAD_BYTES: usize = 64 << 10;

impl ChangerPlace {
    /// Opens the changer. A question waits for a move that is being done, as a SCSI changer lets it wait.
    pub fn open(&self) -> io::Result<OpenChanger> {
        self.open_with(PATIENCE)
    }

    /// Opens the changer; `question` is how long it may take to say what is where. A move may take longer.
    pub fn open_with(&self, question: Duration) -> io::Result<OpenChanger> {
        Ok(match &self.way {
            Way::Sg(node) => Box::new(SgChanger::new(SgNode::open(node)?)?),
            Way::Library(_) | Way::Remote(_) => {
                let place = self.clone();
                let road = Road { place, question };
                Box::new(RemoteChanger::connect(road, client_name())?)
            }
        })
    }

    /// A connection that speaks the protocol of remote changers; a node has none.
    pub fn link(&self) -> io::Result<Channel> {
        self.link_within(PATIENCE)
    }

    fn link_within(&self, wait: Duration) -> io::Result<Channel> {
        match &self.way {
            Way::Library(path) => to_library(path, wait),
            Way::Remote(reach) => {
                let link = Channel::reach(reach, CONNECT)?;
                link.set_patience(wait)?;
                Ok(link)
            }
            Way::Sg(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a node speaks SCSI, and has no connection to lend",
            )),
        }
    }
}

/// The way to a changer, and how long its answers may take.
struct Road {
    place: ChangerPlace,
    question: Duration,
}

impl Road {
    fn patience(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Question => self.question,
            Wait::Move => PATIENCE,
        }
    }
}

impl Reaches for Road {
    type Link = Line;

    fn connect(&mut self, wait: Wait) -> io::Result<Line> {
        let patience = self.patience(wait);
        // Whoever was stopped before it let us in is told as one that is stopped later.
        let channel = self.place.link_within(patience);
        Ok(Line {
            channel: channel.map_err(|error| silent(error, patience))?,
            patience: Cell::new(patience),
        })
    }

    fn set_wait(&mut self, link: &Line, wait: Wait) -> io::Result<()> {
        let patience = self.patience(wait);
        link.patience.set(patience);
        link.channel.set_patience(patience)
    }
}

/// A connection that says why it ended: the command that brought it knows, and so does the clock.
struct Line {
    channel: Channel,
    patience: Cell<Duration>,
}

impl Line {
    fn why(&mut self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::TimedOut {
            return silent(error, self.patience.get());
        }
        match self.channel.last_words() {
            Some(words) => io::Error::new(io::ErrorKind::ConnectionAborted, words),
            None => error,
        }
    }
}

/// What a time-out means, and the way out.
fn silent(error: io::Error, patience: Duration) -> io::Error {
    if error.kind() != io::ErrorKind::TimedOut {
        return error;
    }
    let seconds = patience.as_secs();
    let text = format!(
        "no answer within {seconds} s: whoever has the changer is stopped or out of reach, or does a long move for \
         somebody else: see to it that it runs, and ask again"
    );
    io::Error::new(io::ErrorKind::TimedOut, text)
}

impl Read for Line {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.channel.read(to) {
            Ok(0) if !to.is_empty() => match self.channel.last_words() {
                Some(words) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, words)),
                None => Ok(0),
            },
            Ok(read) => Ok(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(self.why(error)),
        }
    }
}

impl Write for Line {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.channel.write(data) {
            Ok(written) => Ok(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(self.why(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.channel.flush()
    }
}

/// Asks a daemon for the connection of its library.
fn to_library(path: &Path, wait: Duration) -> io::Result<Channel> {
    let (socket, library) = socket_and_name(path);
    let link = Channel::reach(&Reach::Unix(socket.clone()), CONNECT);
    let mut link = link
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", socket.display())))?;
    link.set_patience(wait)?;
    let failed = |error: pseudotape_control::Error| io::Error::other(error.to_string());
    send(&mut link, &Request::Changer { library }).map_err(failed)?;
    let answer = go_ahead(&mut link)?;
    match receive(&mut answer.as_slice()).map_err(failed)? {
        Some(Response::Done { .. }) => Ok(link),
        Some(Response::Error { message }) => Err(io::Error::other(message)),
        _ => Err(io::Error::other("the daemon answered something else")),
    }
}

/// One line. What comes behind it is not ours to read.
fn go_ahead(link: &mut Channel) -> io::Result<Vec<u8>> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') && line.len() < MAX_GO_AHEAD_BYTES {
        link.read_exact(&mut byte)?;
        line.extend_from_slice(&byte);
    }
    Ok(line)
}

/// A name that no other client has.
#[must_use]
pub fn client_name() -> String {
    // The keys of two such states differ, also in two processes.
    let random = || RandomState::new().build_hasher().finish();
    format!("{}-{:016x}{:016x}", std::process::id(), random(), random())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn refused(place: &ChangerPlace, question: Duration) -> io::Error {
        let place = place.clone();
        let opened = RemoteChanger::connect(Road { place, question }, client_name());
        opened.map(drop).unwrap_err()
    }

    #[test]
    fn whoever_is_stopped_is_given_up_when_a_question_may_take_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control");
        // The system takes connections for it, as for a process that is stopped.
        let _stopped = UnixListener::bind(&socket).unwrap();
        let error = refused(&ChangerPlace::library(&socket), Duration::from_secs(1));
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(
            text.starts_with("no answer within 1 s: whoever has the changer is stopped"),
            "{text}"
        );
        let served: ChangerPlace = format!("remote-socket:{}", socket.display())
            .parse()
            .unwrap();
        let error = refused(&served, Duration::from_secs(1));
        assert!(
            error.to_string().starts_with("no answer within 1 s"),
            "{error}"
        );
    }

    #[test]
    fn a_command_that_does_not_get_there_is_told_with_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let shell = folder.path().join("rsh");
        fs::write(
            &shell,
            "#!/bin/sh\necho 'ssh: no such host: nas' >&2\nexit 255\n",
        )
        .unwrap();
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
        let place: ChangerPlace = format!("remote:nas,rsh={}", shell.display())
            .parse()
            .unwrap();
        let text = refused(&place, PATIENCE).to_string();
        assert_eq!(
            text,
            "the command ended: exit status: 255: ssh: no such host: nas"
        );
    }
}
