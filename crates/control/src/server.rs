//! The control socket: one thread accepts, one thread a client; every length and count has a limit.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::{Incoming, receive_fields};
use crate::peer::Peer;
use crate::socket::{ListenError, Purpose, Socket, SocketGroup};
use crate::{Error, PROTOCOL, send};

/// Most clients at a time, where the configuration says nothing else.
pub const MAX_CLIENTS: usize = 16;
/// So many clients more are served where they are root or the daemon's own user: whoever else was let in by the
/// socket's group can't keep an operator out.
const OWN_PLACES: usize = 4;
/// How long a client may be silent.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Does what clients ask.
pub trait Operator: Send + Sync + 'static {
    /// What clients ask.
    type Request: for<'de> Deserialize<'de>;
    /// What they are answered.
    type Response: Serialize;

    /// Answers one request of this peer, who got through the socket's mode and no further. May take as long as the
    /// work takes.
    fn answer(&self, request: Self::Request, peer: Peer) -> Self::Response;

    /// The answer to what is refused or can't be understood, for this reason.
    fn refusal(&self, message: String) -> Self::Response;

    /// For a request after which the connection speaks another protocol: the answer, and who speaks it then.
    fn conversation(
        &self,
        _request: &Self::Request,
        _peer: Peer,
    ) -> Option<(Self::Response, Conversation)> {
        None
    }
}

/// Speaks another protocol over a client's connection, until one of both sides hangs up.
pub type Conversation = Box<dyn FnOnce(&mut Connection) -> io::Result<()>>;

/// A client's connection, as a [`Conversation`] has it: without time-outs for what the client says.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A listening control socket; ends and removes the socket when dropped.
pub struct ControlServer {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Listens on `path`, taking the place of a dead daemon's socket. One client more than `max_clients` is told so,
    /// and hung up on. Some more are served where they are root or the daemon's own user.
    pub fn start<O: Operator>(
        path: &Path,
        mode: u32,
        group: SocketGroup,
        max_clients: usize,
        operator: Arc<O>,
    ) -> Result<ControlServer, ListenError> {
        let places = Places {
            for_all: max_clients,
            is_own: Peer::is_own,
        };
        Self::start_with(path, mode, group, places, operator)
    }

    fn start_with<O: Operator>(
        path: &Path,
        mode: u32,
        group: SocketGroup,
        places: Places,
        operator: Arc<O>,
    ) -> Result<ControlServer, ListenError> {
        let purpose = Purpose {
            what: "the control socket",
            option: "--control",
            mode,
            group,
        };
        let socket = Socket::listen(path, purpose)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let acceptor = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || accept(&socket.listener, &stopped, places, &operator))
            .map_err(|source| ListenError::Thread {
                what: purpose.what,
                source,
            })?;
        Ok(ControlServer {
            path: path.to_owned(),
            stop,
            acceptor: Some(acceptor),
        })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor; where even that fails the process is about to end anyway.
        if let Err(error) = UnixStream::connect(&self.path) {
            log::debug!("control socket {}: {error}", self.path.display());
        } else if let Some(acceptor) = self.acceptor.take()
            && acceptor.join().is_err()
        {
            log::error!("the control thread panicked");
        }
    }
}

/// How many clients are served at a time.
#[derive(Clone, Copy)]
struct Places {
    for_all: usize,
    /// Who may have one of the places that are kept.
    is_own: fn(&Peer) -> bool,
}

impl Places {
    fn of(self, peer: &Peer) -> usize {
        match (self.is_own)(peer) {
            true => self.for_all.saturating_add(OWN_PLACES),
            false => self.for_all,
        }
    }
}

fn accept<O: Operator>(
    listener: &UnixListener,
    stop: &AtomicBool,
    places: Places,
    operator: &Arc<O>,
) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                log::warn!("control socket: {error}");
                // Out of descriptors, most likely: give others time to close some.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let most = places.of(&Peer::of(&stream));
        if clients.fetch_add(1, Ordering::SeqCst) >= most {
            clients.fetch_sub(1, Ordering::SeqCst);
            refuse(stream, most, &**operator);
            continue;
        }
        let (operator, client) = (Arc::clone(operator), Arc::clone(&clients));
        let spawned = std::thread::Builder::new()
            .name("client".into())
            .spawn(move || {
                if let Err(error) = converse(stream, &*operator) {
                    log::debug!("control client: {error}");
                }
                client.fetch_sub(1, Ordering::SeqCst);
            });
        if let Err(error) = spawned {
            clients.fetch_sub(1, Ordering::SeqCst);
            log::warn!("can't serve a control client: {error}");
        }
    }
}

fn refuse<O: Operator>(mut stream: UnixStream, max_clients: usize, operator: &O) {
    let message = format!(
        "{max_clients} clients are being served already: try again ('max-clients' of [control] allows more)"
    );
    if let Err(error) = send(&mut stream, &operator.refusal(message)) {
        log::debug!("control client: {error}");
    }
}

/// Answers one client's requests until it hangs up; one that can't be read is answered, then it ends.
fn converse<O: Operator>(stream: UnixStream, operator: &O) -> Result<(), Error> {
    stream.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    stream.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let peer = Peer::of(&stream);
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        match receive_fields(&mut reader) {
            Ok(None) => return Ok(()),
            Ok(Some(incoming)) => {
                let (answer, conversation) = answer(operator, incoming, peer);
                send(&mut writer, &answer)?;
                if let Some(speak) = conversation {
                    writer.set_read_timeout(None)?;
                    return Ok(speak(&mut Connection { reader, writer })?);
                }
            }
            Err(Error::Malformed(error)) => {
                let message = format!("request not understood: {error}");
                send(&mut writer, &operator.refusal(message))?;
            }
            Err(Error::Broken(error)) if error.kind() == io::ErrorKind::InvalidData => {
                send(&mut writer, &operator.refusal(error.to_string()))?;
                return writer.flush().map_err(Error::Broken);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Answers a request that may be of a protocol that is not spoken here.
fn answer<O: Operator>(
    operator: &O,
    incoming: Incoming,
    peer: Peer,
) -> (O::Response, Option<Conversation>) {
    let theirs = incoming.protocol;
    let refused = |why: &str| {
        let refusal = operator.refusal(format!(
            "{why}: the request is of control protocol {theirs}, and this daemon (version {}) speaks {PROTOCOL}: \
             use a daemon and a command of one version",
            env!("CARGO_PKG_VERSION")
        ));
        (refusal, None)
    };
    if theirs > PROTOCOL {
        return refused("request of a newer protocol");
    }
    match incoming.understand() {
        Ok(request) => match operator.conversation(&request, peer) {
            Some((answer, conversation)) => (answer, Some(conversation)),
            None => (operator.answer(request, peer), None),
        },
        Err(Error::Malformed(error) | Error::Protocol { source: error, .. }) => {
            refused(&format!("request not understood: {error}"))
        }
        Err(error) => refused(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_LINE_BYTES, Request, Response, call};
    use std::io::BufRead;

    struct Echo;

    impl Operator for Echo {
        type Request = Request;
        type Response = Response;

        fn answer(&self, request: Request, peer: Peer) -> Response {
            assert_eq!(peer.pid, std::process::id());
            Response::Done {
                message: format!("{request:?}"),
            }
        }

        fn refusal(&self, message: String) -> Response {
            Response::Error { message }
        }

        fn conversation(&self, request: &Request, _: Peer) -> Option<(Response, Conversation)> {
            let Request::Changer {
                library: Some(name),
            } = request
            else {
                return None;
            };
            let message = name.clone();
            let speak: Conversation = Box::new(|connection| {
                let mut word = [0; 5];
                connection.read_exact(&mut word)?;
                word.reverse();
                connection.write_all(&word)
            });
            Some((Response::Done { message }, speak))
        }
    }

    /// Most clients in these tests.
    const FEW: usize = 3;

    fn start(path: &Path) -> Result<ControlServer, ListenError> {
        ControlServer::start(path, 0o600, SocketGroup::Own, FEW, Arc::new(Echo))
    }

    fn server() -> (tempfile::TempDir, PathBuf, ControlServer) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/control");
        let server = start(&path).unwrap();
        (directory, path, server)
    }

    fn raw(path: &Path, line: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(line).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    }

    #[test]
    fn clients_are_answered_and_the_socket_is_removed() {
        let (_directory, path, server) = server();
        let answer: Response = call(&path, &Request::Reset { drive: 3 }, CLIENT_TIMEOUT).unwrap();
        assert_eq!(
            answer,
            Response::Done {
                message: "Reset { drive: 3 }".into()
            }
        );
        drop(server);
        assert!(!path.exists());
    }

    #[test]
    fn malformed_requests_are_answered_with_the_reason() {
        let (_directory, path, _server) = server();
        assert!(raw(&path, b"{\"do\":\"dance\"}\n").contains("dance"));
        assert!(raw(&path, b"\xff\xfe\n").contains("not understood"));
        let long = vec![b'x'; MAX_LINE_BYTES as usize];
        assert!(raw(&path, &long).contains("longer than"));
    }

    #[test]
    fn a_request_of_a_newer_protocol_or_an_unknown_one_is_told_both_protocols() {
        let (_directory, path, _server) = server();
        for (request, theirs) in [
            (
                "{\"protocol\":2,\"do\":\"status\"}",
                "of control protocol 2",
            ),
            ("{\"protocol\":2,\"do\":\"dance\"}", "of control protocol 2"),
            ("{\"do\":\"dance\"}", "of control protocol 1"),
        ] {
            let answer = raw(&path, format!("{request}\n").as_bytes());
            for part in [theirs, "speaks 1", "\"protocol\":1,\"answer\":\"error\""] {
                assert!(answer.contains(part), "{part:?} is not in {answer:?}");
            }
        }
        let answer = raw(&path, b"{\"protocol\":1,\"do\":\"status\"}\n");
        assert!(answer.contains("Status"), "{answer}");
        // A client from before there was the field.
        let answer = raw(&path, b"{\"do\":\"status\"}\n");
        assert!(answer.contains("Status"), "{answer}");
    }

    #[test]
    fn the_last_client_of_the_limit_is_served_and_one_more_is_told_why_not() {
        let (_directory, path, _server) = server();
        // This process is the daemon's own user.
        let idle: Vec<_> = (1..FEW + OWN_PLACES)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        let mut last = UnixStream::connect(&path).unwrap();
        last.write_all(b"{\"do\":\"status\"}\n").unwrap();
        let mut answer = String::new();
        let mut reader = BufReader::new(last);
        reader.read_line(&mut answer).unwrap();
        assert!(answer.contains("Status"), "{answer}");
        let ask = || call::<_, Response>(&path, &Request::Reset { drive: 3 }, CLIENT_TIMEOUT);
        // A refused client may find the socket closed before it has asked, and hears the reason all the same.
        for _ in 0..200 {
            let refused = ask().unwrap();
            let Response::Error { message } = refused else {
                panic!("one client more: {refused:?}");
            };
            assert!(message.contains("7 clients are being served"), "{message}");
            assert!(message.contains("max-clients"), "{message}");
        }
        drop((idle, reader));
    }

    #[test]
    fn others_leave_places_to_root_and_the_daemons_user() {
        static IS_OWN: AtomicBool = AtomicBool::new(false);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let places = Places {
            for_all: FEW,
            is_own: |_| IS_OWN.load(Ordering::SeqCst),
        };
        let group = SocketGroup::Own;
        let _server =
            ControlServer::start_with(&path, 0o600, group, places, Arc::new(Echo)).unwrap();
        // Says what it was answered, and stays until it is dropped.
        let come = |is_own| {
            IS_OWN.store(is_own, Ordering::SeqCst);
            let mut stream = UnixStream::connect(&path).unwrap();
            // Whoever is refused finds the socket closed, perhaps before it has asked.
            drop(stream.write_all(b"{\"do\":\"status\"}\n"));
            let mut reader = BufReader::new(stream);
            let mut answer = String::new();
            reader.read_line(&mut answer).unwrap();
            (answer, reader)
        };
        let mut here: Vec<_> = (0..FEW).map(|_| come(false)).collect();
        let (refused, _) = come(false);
        assert!(refused.contains("3 clients are being"), "{refused}");
        here.extend((0..OWN_PLACES).map(|_| come(true)));
        for (answer, _) in &here {
            assert!(answer.contains("Status"), "{answer}");
        }
        let (refused, _) = come(true);
        assert!(refused.contains("7 clients are being"), "{refused}");
        let (refused, _) = come(false);
        assert!(refused.contains("3 clients are being"), "{refused}");
    }

    #[test]
    fn a_connection_can_go_on_in_another_protocol() {
        let (_directory, path, _server) = server();
        let mut stream = UnixStream::connect(&path).unwrap();
        // What comes behind the request is no request any more, also where it comes with it.
        stream
            .write_all(b"{\"do\":\"changer\",\"library\":\"vault\"}\nabcde")
            .unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).unwrap();
        let (answer, rest) = told.split_once('\n').unwrap();
        assert!(answer.contains("\"message\":\"vault\""), "{answer}");
        assert_eq!(rest, "edcba");
        // One that there is not is answered, and the connection stays as it is.
        assert!(raw(&path, b"{\"do\":\"changer\"}\n").contains("Changer"));
    }

    #[test]
    fn a_live_daemon_keeps_its_socket_and_a_dead_one_loses_it() {
        let (directory, path, _server) = server();
        let error = start(&path).err().unwrap().to_string();
        assert!(error.contains("another daemon answers"), "{error}");
        let dead = directory.path().join("dead");
        drop(UnixListener::bind(&dead).unwrap());
        assert!(dead.exists());
        let _server = start(&dead).unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = start(&file).err().unwrap().to_string();
        assert!(error.contains("no socket"), "{error}");
    }
}
