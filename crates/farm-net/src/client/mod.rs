//! The client: a command for a farm on another host.

mod adding;
#[cfg(test)]
mod adding_test;
mod caring;
mod extracting;
mod given;
mod lending;
#[cfg(test)]
mod peers_test;
mod writing;

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pseudotape_farm::{After, Entry, Fault, Released, Title, Told, VolumeName};
use pseudotape_rmt::Channel;

use crate::error::Error;
use crate::host::Host;
use crate::how::How;
use crate::link::Link;
use crate::message::{Message, VolumeLine, Wrong};
use crate::packet::{OLDEST_VERSION, PATIENCE, PROTOCOL_VERSION};
use crate::place::TlsHost;
use crate::tls::{self, TlsFiles};

pub use adding::AddOrder;
pub use lending::{Capsules, LentHere, LentThere, Loan};

/// How long logging in and starting the server may take.
const CONNECT: Duration = Duration::from_secs(60);

/// What the server said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The root that it serves.
    pub root: PathBuf,
    /// Who it takes this client for.
    pub person: String,
    /// The version of the protocol that is spoken.
    pub version: u32,
}

/// What is to be merged.
#[derive(Clone, Debug)]
pub struct MergeOrder {
    /// The volume that gets the files.
    pub volume: VolumeName,
    /// The volumes that have them.
    pub sources: Vec<VolumeName>,
    /// By which verb.
    pub how: How,
    /// How long another command is waited for, in seconds.
    pub lock_wait: u64,
    /// Whether the capsules of files that are present are read to their ends.
    pub check_present: bool,
    /// Whether the volume is compressed, if it is made.
    pub compressed: bool,
}

/// What is to be released.
#[derive(Clone, Debug)]
pub struct ReleaseOrder {
    /// The volume.
    pub volume: VolumeName,
    /// These files; all where none is said.
    pub titles: Vec<Title>,
    /// Whose name is written down beside this client's.
    pub by: Option<String>,
    /// As of [`MergeOrder`].
    pub lock_wait: u64,
}

/// What a verification found of one capsule or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// A capsule that is whole.
    Sound(Entry),
    /// Something wrong.
    Wrong(WrongFile),
}

/// Something that is wrong.
pub type WrongFile = Wrong;

/// A connection to a farm on another host, for one command after the other.
pub struct Client {
    pub(crate) link: Link,
    /// The command behind which the server is, for what it says when it ends.
    command: Option<Arc<Mutex<Channel>>>,
    host: String,
    greeting: Greeting,
    pub(crate) waiting: Box<dyn Fn(&str) + Send>,
}

/// The reading half of a command's connection.
struct Reading(Arc<Mutex<Channel>>);

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channel.read(buffer)
    }
}

impl Client {
    /// Reaches a farm over ssh, or over a program that is called like it. `waiting` hears what a command waits for.
    pub fn over_ssh(
        host: &Host,
        rsh: &OsString,
        waiting: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, Error> {
        let unreachable = |why: String| Error::Unreachable {
            host: host.to_string(),
            why,
        };
        let channel = Channel::reach(&host.reach(rsh), CONNECT);
        let channel = channel.map_err(|error| unreachable(error.to_string()))?;
        // The first answer takes a login.
        let ready = channel.set_patience(CONNECT.max(PATIENCE));
        ready.map_err(|error| unreachable(error.to_string()))?;
        let sender = channel.sender();
        let sender = sender.map_err(|error| unreachable(error.to_string()))?;
        let channel = Arc::new(Mutex::new(channel));
        let link = Link::new(Reading(Arc::clone(&channel)), sender);
        let command = Some(channel);
        Client::greet(link, command, &host.to_string(), &host.root, waiting)
    }

    /// Reaches a farm over TLS, with the certificate that says who this client is.
    pub fn over_tls(
        host: &TlsHost,
        files: &TlsFiles,
        waiting: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, Error> {
        let link = tls::connect(host, files)?;
        Client::greet(link, None, &host.to_string(), &host.root, waiting)
    }

    /// Begins on a link that is there. `host` is how messages name the other side.
    pub fn over(
        link: Link,
        host: &str,
        root: &str,
        waiting: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, Error> {
        Client::greet(link, None, host, root, waiting)
    }

    fn greet(
        link: Link,
        command: Option<Arc<Mutex<Channel>>>,
        host: &str,
        root: &str,
        waiting: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, Error> {
        let mut client = Client {
            link,
            command,
            host: host.to_owned(),
            greeting: Greeting {
                root: PathBuf::new(),
                person: String::new(),
                version: 0,
            },
            waiting: Box::new(waiting),
        };
        let version = PROTOCOL_VERSION;
        let root = root.as_bytes().to_vec();
        let sent = client.link.send(&Message::Hello { version, root });
        let sent = sent.and_then(|()| client.link.flush());
        // A server that is not there says so by its end, which counts more than that nothing could be sent.
        let welcome = client.link.receive();
        let welcome = welcome.map_err(|error| client.unreached(error))?;
        sent.map_err(|error| client.explained(error))?;
        match welcome {
            Message::Welcome {
                version: version @ OLDEST_VERSION..=PROTOCOL_VERSION,
                root,
                person,
            } => {
                client.greeting = Greeting {
                    root: PathBuf::from(OsStr::from_bytes(&root)),
                    person,
                    version,
                };
                Ok(client)
            }
            Message::Welcome { version, .. } => Err(Error::protocol(format!(
                "the server speaks version {version}, and this program {OLDEST_VERSION} to {PROTOCOL_VERSION}: use programs of one version"
            ))),
            Message::Refused { refusal, text } => Err(Error::Refused { refusal, text }),
            _ => Err(out_of_turn()),
        }
    }

    /// What the server said of itself.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Refuses what the server does not know yet.
    pub(crate) fn needs(&self, needed: u32, what: &'static str) -> Result<(), Error> {
        let spoken = self.greeting.version;
        match spoken < needed {
            true => Err(Error::Older {
                what,
                spoken,
                needed,
            }),
            false => Ok(()),
        }
    }

    /// Why the other side went, where a command says so.
    fn last_words(&self) -> Option<String> {
        let channel = self.command.as_ref()?;
        let mut channel = channel.lock().unwrap_or_else(PoisonError::into_inner);
        channel.last_words()
    }

    fn unreached(&self, error: Error) -> Error {
        let words = error.is_cut().then(|| self.last_words()).flatten();
        match (&error, words) {
            (_, Some(why)) => Error::Unreachable {
                host: self.host.clone(),
                why,
            },
            // The server of a TLS connection hears of this client's certificate last.
            (Error::Cut(why), None) if why.kind() == io::ErrorKind::InvalidData => {
                Error::Untrusted {
                    host: self.host.clone(),
                    why: why.to_string(),
                }
            }
            (Error::Cut(_), None) => Error::Unreachable {
                host: self.host.clone(),
                why: "the other side hung up before it greeted".to_owned(),
            },
            (_, None) => error,
        }
    }

    pub(crate) fn explained(&self, error: Error) -> Error {
        let words = error.is_cut().then(|| self.last_words()).flatten();
        match words {
            Some(words) => Error::Cut(io::Error::other(words)),
            None => error,
        }
    }

    /// Gives an order and hears its results until it is done.
    fn ordered(
        &mut self,
        order: &Message,
        mut hear: impl FnMut(Message) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let done = self.link.send(order).and_then(|()| {
            loop {
                match self.link.receive()? {
                    Message::Done => return Ok(()),
                    Message::Waiting { text } => (self.waiting)(&text),
                    Message::Refused { refusal, text } => {
                        return Err(Error::Refused { refusal, text });
                    }
                    message => hear(message)?,
                }
            }
        });
        done.map_err(|error| self.explained(error))
    }

    /// The volumes of the farm.
    pub fn volumes(&mut self) -> Result<Vec<VolumeLine>, Error> {
        let mut volumes = Vec::new();
        self.ordered(&Message::Volumes, |message| match message {
            Message::Volume(line) => {
                volumes.push(line);
                Ok(())
            }
            _ => Err(out_of_turn()),
        })?;
        Ok(volumes)
    }

    /// The entries of files, and of those in folders; all of the volume where no title is said.
    pub fn files(&mut self, volume: &VolumeName, titles: &[Title]) -> Result<Vec<Entry>, Error> {
        let order = Message::Files {
            volume: volume.clone(),
            titles: titles.to_vec(),
        };
        let mut entries = Vec::new();
        self.ordered(&order, |message| match message {
            Message::Entry(entry) => {
                entries.push(entry);
                Ok(())
            }
            _ => Err(out_of_turn()),
        })?;
        Ok(entries)
    }

    /// The entry of one file, and where its capsule is on its host.
    pub fn show(&mut self, volume: &VolumeName, title: &Title) -> Result<(PathBuf, Entry), Error> {
        let order = Message::Show {
            volume: volume.clone(),
            title: title.clone(),
        };
        let mut shown = None;
        self.ordered(&order, |message| match message {
            Message::Shown { path, entry } => {
                shown = Some((PathBuf::from(OsStr::from_bytes(&path)), entry));
                Ok(())
            }
            _ => Err(out_of_turn()),
        })?;
        shown.ok_or_else(out_of_turn)
    }

    /// Has capsules read to their ends.
    pub fn verify(
        &mut self,
        volume: &VolumeName,
        titles: &[Title],
        mut tell: impl FnMut(Reached),
    ) -> Result<(), Error> {
        let order = Message::Verify {
            volume: volume.clone(),
            titles: titles.to_vec(),
        };
        self.ordered(&order, |message| {
            tell(match message {
                Message::Sound(entry) => Reached::Sound(entry),
                Message::Wrong(wrong) => Reached::Wrong(wrong),
                _ => return Err(out_of_turn()),
            });
            Ok(())
        })
    }

    /// Has files released.
    pub fn release(
        &mut self,
        order: &ReleaseOrder,
        mut tell: impl FnMut(Released),
    ) -> Result<After, Error> {
        let order = Message::Release {
            volume: order.volume.clone(),
            titles: order.titles.clone(),
            by: order.by.clone(),
            lock_wait: order.lock_wait,
        };
        let (mut foreign, mut deleted) = (Vec::new(), false);
        self.ordered(&order, |message| {
            match message {
                Message::Released(entry) => tell(Released::Done(entry)),
                Message::ReleasedBefore(entry) => tell(Released::Before(entry)),
                Message::Deleted => deleted = true,
                Message::Foreign(name) => foreign.push(name),
                _ => return Err(out_of_turn()),
            }
            Ok(())
        })?;
        Ok(match (deleted, foreign.is_empty()) {
            (true, _) => After::Deleted,
            (false, true) => After::Kept,
            (false, false) => After::Foreign(foreign),
        })
    }

    /// Has volumes merged where they are.
    pub fn merge(&mut self, order: &MergeOrder, mut tell: impl FnMut(Told)) -> Result<(), Error> {
        let order = Message::Merge {
            volume: order.volume.clone(),
            sources: order.sources.clone(),
            how: order.how,
            lock_wait: order.lock_wait,
            check_present: order.check_present,
            compressed: order.compressed,
        };
        self.ordered(&order, |message| {
            tell(told(message)?);
            Ok(())
        })
    }
}

/// What became of a file.
pub(crate) fn told(message: Message) -> Result<Told, Error> {
    Ok(match message {
        Message::Adopted(entry) => Told::Adopted(entry),
        Message::ScriptFailed { why } => Told::ScriptFailed(why),
        Message::Added(entry) => Told::Added(entry),
        Message::Replaced(entry) => Told::Replaced(entry),
        Message::Present(title) => Told::Present(title),
        Message::NotBetter(title) => Told::NotBetter(title),
        Message::Mended { title, why } => Told::Mended(title, Fault::Reported(why)),
        Message::LeftOut { path, why } => Told::LeftOut(pseudotape_farm::LeftOut {
            path: Path::new(OsStr::from_bytes(&path)).to_owned(),
            why: pseudotape_farm::NotOffered::Host(why),
        }),
        _ => return Err(out_of_turn()),
    })
}

pub(crate) fn out_of_turn() -> Error {
    Error::protocol("a message came that nobody waits for")
}
