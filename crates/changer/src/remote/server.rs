//! The server's side of docs/REMOTE-CHANGER.md.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::wire::{
    Ask, Hello, MAX_CLIENT_BYTES, MAX_REQUEST_BYTES, Reply, ReplyLine, Request, Turned, VERSION,
    Welcome, line, parse,
};
use crate::address::AddressRange;
use crate::changer::{Changer, Exchange, Move, Removal, Selection, Side};
use crate::refusal::Refusal;

/// How many clients are remembered. The connection of a client that is forgotten is superseded.
const MAX_CLIENTS: usize = 64;

/// A changer that other hosts can use. One value for each changer, whatever number of connections there is: its lock
/// makes an inventory wait for the move that is being done.
#[derive(Debug)]
pub struct ChangerServer<C> {
    changer: C,
    /// The newest connection of each client, the latest client last.
    clients: Vec<(String, u64)>,
    connections: u64,
}

/// One connection of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session(u64);

impl<C: Changer> ChangerServer<C> {
    /// Serves a changer.
    pub fn new(changer: C) -> Self {
        ChangerServer {
            changer,
            clients: Vec::new(),
            connections: 0,
        }
    }

    /// The changer.
    pub fn changer_mut(&mut self) -> &mut C {
        &mut self.changer
    }

    /// Answers the first line of a client. `Err` is an answer too, after which the connection ends.
    pub fn greet(&mut self, hello: &[u8]) -> Result<(Vec<u8>, Session), Vec<u8>> {
        let turned = |refused: String| line(&Turned { refused });
        let hello: Hello = parse(hello)
            .map_err(|error| turned(format!("this is no pseudotape-changer: {error}")))?;
        if hello.version != VERSION {
            let version = hello.version;
            return Err(turned(format!(
                "version {version} is not served here, only {VERSION}"
            )));
        }
        if hello.client.is_empty() || hello.client.len() > MAX_CLIENT_BYTES {
            return Err(turned(format!(
                "the name of a client has 1 to {MAX_CLIENT_BYTES} bytes"
            )));
        }
        self.connections += 1;
        let session = Session(self.connections);
        self.clients.retain(|(client, _)| *client != hello.client);
        if self.clients.len() == MAX_CLIENTS {
            self.clients.remove(0);
        }
        self.clients.push((hello.client, session.0));
        let welcome = Welcome {
            version: VERSION,
            // None is defined yet. A server repeats those of the client that it knows.
            features: Vec::new(),
            identity: self.changer.identity().into(),
            layout: self.changer.layout(),
        };
        Ok((line(&welcome), session))
    }

    /// Answers any further line. `Err` is an answer too, after which the connection ends.
    pub fn answer(&mut self, session: Session, request: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        let Request { id, ask } = parse(request).map_err(|error| {
            let refused = format!("this is no request: {error}");
            line(&Turned { refused })
        })?;
        if !self.clients.iter().any(|(_, newest)| *newest == session.0) {
            let reply = Reply::Superseded;
            return Err(line(&ReplyLine { id, reply }));
        }
        let reply = self.done(ask).unwrap_or_else(Reply::from);
        Ok(line(&ReplyLine { id, reply }))
    }

    fn done(&mut self, ask: Ask) -> Result<Reply, Refusal> {
        let side = |invert| if invert { Side::Other } else { Side::Same };
        match ask {
            Ask::Inventory { kind, first, count } => {
                let range = AddressRange { first, count };
                let inventory = self.changer.inventory(Selection { kind, range })?;
                return Ok(Reply::Elements(
                    inventory.elements().iter().map(Into::into).collect(),
                ));
            }
            Ask::DriveIdentity { drive } => {
                let identity = self.changer.drive_identity(drive)?;
                return Ok(Reply::Drive(identity.map(Into::into)));
            }
            Ask::Transfer { from, to, invert } => {
                let side = side(invert);
                self.changer.transfer(Move { from, to, side })?;
            }
            Ask::Exchange {
                source,
                first,
                second,
                invert_first,
                invert_second,
            } => {
                self.changer.exchange(Exchange {
                    source,
                    first,
                    second,
                    first_side: side(invert_first),
                    second_side: side(invert_second),
                })?;
            }
            Ask::Position { before } => self.changer.position(before)?,
            Ask::Initialize { first, count } => {
                self.changer.initialize(AddressRange { first, count })?
            }
            Ask::Removal { prevented } => self.changer.set_removal(match prevented {
                true => Removal::Prevented,
                false => Removal::Allowed,
            })?,
        }
        Ok(Reply::Done)
    }
}

/// Serves one connection until the client hangs up. A move that was begun is done to its end also when the client is
/// gone meanwhile.
pub fn serve_changer<C: Changer>(
    server: &Mutex<ChangerServer<C>>,
    link: impl Read + Write,
) -> io::Result<()> {
    let mut link = BufReader::new(link);
    let mut session = None;
    while let Some(request) = read_line(&mut link, MAX_REQUEST_BYTES)? {
        let answer = match session {
            None => locked(server).greet(&request).map(|(welcome, begun)| {
                session = Some(begun);
                welcome
            }),
            Some(session) => locked(server).answer(session, &request),
        };
        let (last, answer) = match answer {
            Ok(answer) => (false, answer),
            Err(answer) => (true, answer),
        };
        link.get_mut().write_all(&answer)?;
        link.get_mut().flush()?;
        if last {
            return Ok(());
        }
    }
    Ok(())
}

/// A panic in another connection leaves the changer's own state as its file says.
fn locked<C>(server: &Mutex<ChangerServer<C>>) -> MutexGuard<'_, ChangerServer<C>> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One line without its end; `None` at the end of the stream. A line that does not end was cut, and is an error.
pub(super) fn read_line(link: &mut impl BufRead, max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    link.by_ref().take(limit).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() + 1 >= max => {
            let text = format!("a line has more than {max} bytes");
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
