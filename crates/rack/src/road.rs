//! Opening changers, and the connections to those that a server has.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use pseudotape_changer::{Changer, Reach as Road, RemoteChanger};
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
    /// Opens the changer.
    pub fn open(&self) -> io::Result<OpenChanger> {
        Ok(match &self.way {
            Way::Sg(node) => Box::new(SgChanger::new(SgNode::open(node)?)?),
            Way::Library(_) | Way::Remote(_) => {
                Box::new(RemoteChanger::connect(self.clone(), client_name())?)
            }
        })
    }

    /// A connection that speaks the protocol of remote changers; a node has none.
    pub fn link(&self) -> io::Result<Channel> {
        match &self.way {
            Way::Library(path) => to_library(path),
            Way::Remote(reach) => {
                let link = Channel::reach(reach, CONNECT)?;
                link.set_patience(PATIENCE)?;
                Ok(link)
            }
            Way::Sg(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a node speaks SCSI, and has no connection to lend",
            )),
        }
    }
}

impl Road for ChangerPlace {
    type Link = Channel;

    fn connect(&mut self) -> io::Result<Channel> {
        self.link()
    }
}

/// Asks a daemon for the connection of its library.
fn to_library(path: &Path) -> io::Result<Channel> {
    let (socket, library) = socket_and_name(path);
    let link = Channel::reach(&Reach::Unix(socket.clone()), CONNECT);
    let mut link = link
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", socket.display())))?;
    link.set_patience(PATIENCE)?;
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
