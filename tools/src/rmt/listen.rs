//! Many clients over a socket, and the way to it from a login.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use pseudotape_rmt::{ServeError, ServerOptions, refuse, serve};

use crate::rmt::config::Admission;
use crate::rmt::presence;
use crate::rmt::shelf::Tapes;

/// A connection of either kind.
trait Peer: io::Read + io::Write + AsFd + Send + Sized + 'static {
    /// A second handle of it.
    fn twin(&self) -> io::Result<Self>;
    /// How long a read may wait; `None` for ever.
    fn set_patience(&self, patience: Option<Duration>) -> io::Result<()>;
    /// Ends the connection when the client is done with.
    fn end(&self);
}

impl Peer for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(patience)
    }

    fn end(&self) {
        // It fails where the other side has ended the connection already.
        self.shutdown(Shutdown::Both).ok();
    }
}

impl Peer for TcpStream {
    fn twin(&self) -> io::Result<Self> {
        self.set_nodelay(true)?;
        self.try_clone()
    }

    fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(patience)
    }

    fn end(&self) {
        // It fails where the other side has ended the connection already.
        self.shutdown(Shutdown::Both).ok();
    }
}

/// Where clients come.
pub(crate) enum Door {
    /// A socket with a path.
    Unix(UnixListener, String),
    /// A loopback address.
    Tcp(TcpListener),
}

impl Door {
    /// Opens a socket (an address with a `/`), or a loopback address.
    pub(crate) fn open(address: &str) -> Result<Door> {
        if address.contains('/') {
            let listener = bind(Path::new(address));
            let listener = listener.with_context(|| format!("can't listen on {address}"))?;
            return Ok(Door::Unix(listener, address.to_owned()));
        }
        let at: SocketAddr = address.parse().with_context(|| {
            format!("--listen {address}: neither a path nor an address such as 127.0.0.1:7000")
        })?;
        ensure!(
            at.ip().is_loopback(),
            "--listen {address}: rmt knows no passwords, so only loopback addresses are served; let ssh bring clients \
             from elsewhere"
        );
        let listener = TcpListener::bind(at);
        let listener = listener.with_context(|| format!("can't listen on {address}"))?;
        Ok(Door::Tcp(listener))
    }

    /// Serves whoever comes, each in a thread.
    pub(crate) fn serve(
        &self,
        tapes: &Tapes,
        speech: ServerOptions,
        admission: Admission,
    ) -> Result<()> {
        match self {
            Door::Unix(listener, address) => {
                println!("listening: {address}");
                let next = || {
                    let (stream, _) = listener.accept()?;
                    Ok((stream, address.clone()))
                };
                accept(next, tapes, speech, admission)
            }
            Door::Tcp(listener) => {
                println!("listening: {}", listener.local_addr()?);
                let next = || {
                    let (stream, peer) = listener.accept()?;
                    Ok((stream, peer.to_string()))
                };
                accept(next, tapes, speech, admission)
            }
        }
    }

    /// Takes the socket away, so that no client comes any more.
    pub(crate) fn close(&self) {
        if let Door::Unix(_, path) = self
            && let Err(error) = fs::remove_file(path)
        {
            log::debug!("{path}: {error}");
        }
    }
}

/// Binds the socket; one that a dead server left is taken away, one that is served is not.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error)
            if error.kind() == ErrorKind::AddrInUse && UnixStream::connect(path).is_err() =>
        {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

fn accept<P: Peer>(
    mut next: impl FnMut() -> io::Result<(P, String)>,
    tapes: &Tapes,
    speech: ServerOptions,
    admission: Admission,
) -> Result<()> {
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, name) = match next() {
            Ok(client) => client,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error).context("waiting for clients"),
        };
        if clients.load(Ordering::SeqCst) >= admission.max_clients {
            let most = admission.max_clients;
            turn_away(
                &stream,
                &name,
                &format!("{most} clients are being served already: try again"),
                speech,
            );
            continue;
        }
        clients.fetch_add(1, Ordering::SeqCst);
        let (served, tapes) = (Arc::clone(&clients), tapes.clone());
        let spawned = stream.twin().and_then(|twin| {
            let client = name.clone();
            thread::Builder::new().spawn(move || {
                serve_one(&twin, &client, &tapes, speech, admission.open_timeout);
                served.fetch_sub(1, Ordering::SeqCst);
            })
        });
        if let Err(error) = spawned {
            clients.fetch_sub(1, Ordering::SeqCst);
            turn_away(
                &stream,
                &name,
                &format!("the server has no room for a client: {error}"),
                speech,
            );
        }
    }
}

/// Tells a client why it is not served, and hangs up. Waits for nothing: a few words have room in any socket.
fn turn_away<P: Peer>(stream: &P, name: &str, reason: &str, speech: ServerOptions) {
    log::error!("{name}: refused: {reason}");
    let told = stream
        .twin()
        .and_then(|twin| refuse(twin, Errno::EAGAIN, reason, speech));
    if let Err(error) = told {
        log::debug!("{name}: {error}");
    }
    stream.end();
}

fn serve_one<P: Peer>(
    stream: &P,
    name: &str,
    tapes: &Tapes,
    speech: ServerOptions,
    open_timeout: Duration,
) {
    let opened = Arc::new(AtomicBool::new(false));
    let twins = stream.twin().and_then(|input| Ok((input, stream.twin()?)));
    let served = match (twins, presence::of(stream)) {
        (Ok((input, output)), Ok(present)) => {
            let mut shelf = tapes.shelf(name, present, Arc::clone(&opened));
            serve(
                Newcomer::new(input, opened, open_timeout),
                output,
                &mut shelf,
                speech,
            )
        }
        (Err(error), _) | (_, Err(error)) => Err(error.into()),
    };
    match served {
        Err(ServeError::Connection(error)) if error.kind() == ErrorKind::TimedOut => {
            turn_away(stream, name, &error.to_string(), speech);
        }
        Err(error) => log::error!("{name}: {error}"),
        Ok(()) => {}
    }
    stream.end();
}

/// What a client sends. Until the client has opened a tape, its time is limited: it takes the place of another one.
struct Newcomer<P> {
    stream: P,
    opened: Arc<AtomicBool>,
    /// Until when a tape has to be open; `None` once one was.
    deadline: Option<Instant>,
    patience: Duration,
}

impl<P: Peer> Newcomer<P> {
    fn new(stream: P, opened: Arc<AtomicBool>, patience: Duration) -> Self {
        Newcomer {
            stream,
            opened,
            deadline: Some(Instant::now() + patience),
            patience,
        }
    }

    fn too_late(&self) -> io::Error {
        let seconds = self.patience.as_secs();
        let text = format!("no tape was opened for {seconds} seconds");
        io::Error::new(ErrorKind::TimedOut, text)
    }
}

impl<P: Peer> Read for Newcomer<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(deadline) = self.deadline {
            if self.opened.load(Ordering::SeqCst) {
                self.stream.set_patience(None)?;
                self.deadline = None;
            } else {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(self.too_late());
                }
                self.stream.set_patience(Some(left))?;
            }
        }
        match self.stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(self.too_late()),
            result => result,
        }
    }
}

/// Connects standard input and output to a server; ends when the server hangs up.
pub(crate) fn bridge(socket: &Path) -> Result<()> {
    let connected = UnixStream::connect(socket);
    let stream = connected.with_context(|| {
        format!(
            "no server listens on {}: start it with pseudotape-rmt --listen",
            socket.display()
        )
    })?;
    let mut to_server = stream.try_clone()?;
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    thread::spawn(move || {
        if let Err(error) = forward(&mut input, &mut to_server) {
            log::error!("sending to the server: {error}");
        }
        // The server sees the end of its client.
        to_server.shutdown(Shutdown::Write).ok();
    });
    let mut from_server = stream;
    forward(&mut from_server, &mut output).context("receiving from the server")
}

/// Passes on what comes as soon as it comes.
fn forward(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(some) => to.write_all(buffer.get(..some).unwrap_or(&[]))?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
