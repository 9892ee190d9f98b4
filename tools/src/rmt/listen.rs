//! Many clients over a socket, and the way to it from a login.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use pseudotape_rmt::{ServerOptions, serve};

use crate::rmt::presence;
use crate::rmt::shelf::Tapes;

/// Clients at the same time.
const MAX_CLIENTS: usize = 64;

/// A connection of either kind.
trait Peer: io::Read + io::Write + AsFd + Send + Sized + 'static {
    /// A second handle of it.
    fn twin(&self) -> io::Result<Self>;
    /// Ends the connection when the client is done with.
    fn end(&self);
}

impl Peer for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
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

    fn end(&self) {
        // It fails where the other side has ended the connection already.
        self.shutdown(Shutdown::Both).ok();
    }
}

/// Serves whoever comes, each in a thread.
pub(crate) fn listen(address: &str, tapes: &Tapes, speech: ServerOptions) -> Result<()> {
    if address.contains('/') {
        let path = Path::new(address);
        let listener = bind(path).with_context(|| format!("can't listen on {address}"))?;
        println!("listening: {address}");
        return accept(
            || {
                listener
                    .accept()
                    .map(|(stream, _)| (stream, address.to_owned()))
            },
            tapes,
            speech,
        );
    }
    let at: SocketAddr = address.parse().with_context(|| {
        format!("--listen {address}: neither a path nor an address such as 127.0.0.1:7000")
    })?;
    ensure!(
        at.ip().is_loopback(),
        "--listen {address}: rmt knows no passwords, so only loopback addresses are served; let ssh bring clients from elsewhere"
    );
    let listener = TcpListener::bind(at).with_context(|| format!("can't listen on {address}"))?;
    println!("listening: {}", listener.local_addr()?);
    accept(
        || {
            listener
                .accept()
                .map(|(stream, peer)| (stream, peer.to_string()))
        },
        tapes,
        speech,
    )
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
        if clients.load(Ordering::Relaxed) >= MAX_CLIENTS {
            log::error!("{name}: {MAX_CLIENTS} clients are the most; hung up");
            continue;
        }
        clients.fetch_add(1, Ordering::Relaxed);
        let (clients, tapes) = (Arc::clone(&clients), tapes.clone());
        thread::spawn(move || {
            let twins = stream.twin().and_then(|input| Ok((input, stream.twin()?)));
            let present = presence::of(&stream);
            let served = match (twins, present) {
                (Ok((input, output)), Ok(present)) => {
                    serve(input, output, &mut tapes.shelf(&name, present), speech)
                }
                (Err(error), _) | (_, Err(error)) => Err(error.into()),
            };
            stream.end();
            if let Err(error) = served {
                log::error!("{name}: {error}");
            }
            clients.fetch_sub(1, Ordering::Relaxed);
        });
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
