//! The connection itself: a socket, on whose other end a command or a server is.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::error::Error;
use crate::remote::{Reach, Remote};

/// How long a command may take to end after its connection was closed.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long a command may take to end that has closed its side.
const GOING: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Longest line of a command that is kept whole.
const MAX_LINE_BYTES: u64 = 4096;

/// A TCP connection that is silent so long is probed, so often, and given up.
const KEEPALIVE_IDLE_SECONDS: u32 = 30;
const KEEPALIVE_INTERVAL_SECONDS: u32 = 10;
const KEEPALIVE_PROBES: u32 = 3;

/// A connection whose waits all end: a time-out is the error `TimedOut`.
#[derive(Debug)]
pub struct Channel {
    socket: Socket,
    command: Option<Running>,
}

/// A command on the other end, and what it says on its standard error.
#[derive(Debug)]
struct Running {
    child: Child,
    listener: Option<JoinHandle<()>>,
    said: Arc<Mutex<String>>,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Channel {
    pub(crate) fn open(remote: &Remote) -> Result<Self, Error> {
        let unreachable = |source| Error::Unreachable {
            remote: remote.to_string(),
            source,
        };
        Self::reach(&remote.reach, remote.limits.connect).map_err(unreachable)
    }

    /// Connects, whatever is spoken there then; `connect` is how long that may take.
    pub fn reach(reach: &Reach, connect: Duration) -> io::Result<Self> {
        match reach {
            Reach::Ssh { user, host, server } => {
                Self::start(&ssh(user.as_deref(), host, server, connect))
            }
            Reach::Command(words) => Self::start(words),
            Reach::Unix(path) => UnixStream::connect(path).map(Self::from),
            Reach::Tcp(address) => {
                TcpStream::connect_timeout(address, connect).and_then(Self::over_tcp)
            }
        }
    }

    /// What sends on this connection, for a thread of its own.
    pub fn sender(&self) -> io::Result<Sender> {
        Ok(Sender(match &self.socket {
            Socket::Unix(stream) => Socket::Unix(stream.try_clone()?),
            Socket::Tcp(stream) => Socket::Tcp(stream.try_clone()?),
        }))
    }

    /// Runs a command with the other end of a socket as its standard input and output.
    fn start(words: &[OsString]) -> io::Result<Self> {
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the command is empty"))?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("{}: {error}", program.to_string_lossy()),
                )
            })?;
        let said = Arc::<Mutex<String>>::default();
        let heard = Arc::clone(&said);
        let listener = child
            .stderr
            .take()
            .map(|stderr| thread::spawn(move || pass_on(stderr, &heard)));
        Ok(Channel {
            socket: Socket::Unix(ours),
            command: Some(Running {
                child,
                listener,
                said,
            }),
        })
    }

    /// A connection that came to a server.
    pub fn over_tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        setsockopt(&stream, sockopt::KeepAlive, &true)?;
        setsockopt(&stream, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE_SECONDS)?;
        setsockopt(
            &stream,
            sockopt::TcpKeepInterval,
            &KEEPALIVE_INTERVAL_SECONDS,
        )?;
        setsockopt(&stream, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)?;
        Ok(Channel {
            socket: Socket::Tcp(stream),
            command: None,
        })
    }

    /// Sets how long each wait may take.
    pub fn set_patience(&self, wait: Duration) -> io::Result<()> {
        // Zero would mean for ever.
        let wait = Some(wait.max(Duration::from_millis(1)));
        match &self.socket {
            Socket::Unix(stream) => stream
                .set_read_timeout(wait)
                .and_then(|()| stream.set_write_timeout(wait)),
            Socket::Tcp(stream) => stream
                .set_read_timeout(wait)
                .and_then(|()| stream.set_write_timeout(wait)),
        }
    }

    /// Ends the connection at once, so that nothing more goes either way.
    pub(crate) fn cut(&self) {
        // It may be cut already.
        match &self.socket {
            Socket::Unix(stream) => stream.shutdown(std::net::Shutdown::Both).ok(),
            Socket::Tcp(stream) => stream.shutdown(std::net::Shutdown::Both).ok(),
        };
    }

    /// Why the other side went, where it was a command that says so.
    pub fn last_words(&mut self) -> Option<String> {
        let command = self.command.as_mut()?;
        let status = wait(&mut command.child, GOING)?;
        if status.success() {
            return None;
        }
        let said = command.last_line();
        Some(match said.is_empty() {
            true => format!("the command ended: {status}"),
            false => format!("the command ended: {status}: {said}"),
        })
    }
}

impl Running {
    /// The last line that the command said. What it started may hold its standard error open, and is not waited for.
    fn last_line(&self) -> String {
        let end = Instant::now() + GOING;
        while self.listener.as_ref().is_some_and(|l| !l.is_finished()) && Instant::now() < end {
            thread::sleep(LOOK_AGAIN);
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }
}

/// Passes on what a command says to the standard error of this process, as if it were its own, and keeps the last line.
fn pass_on(stderr: ChildStderr, said: &Mutex<String>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line);
        if !read.is_ok_and(|read| read > 0) {
            return;
        }
        // Nobody is left to be told that nobody hears.
        io::stderr().write_all(&line).ok();
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            *said.lock().unwrap_or_else(PoisonError::into_inner) = text.trim().to_owned();
        }
    }
}

/// The way out of a [`Channel`]. When it is dropped nothing more is sent, and answers still come.
#[derive(Debug)]
pub struct Sender(Socket);

impl Write for Sender {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Socket::Unix(stream) => stream.write(data),
            Socket::Tcp(stream) => stream.write(data),
        }
        .map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // It may be cut already.
        match &self.0 {
            Socket::Unix(stream) => stream.shutdown(std::net::Shutdown::Write).ok(),
            Socket::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write).ok(),
        };
    }
}

impl From<UnixStream> for Channel {
    fn from(stream: UnixStream) -> Self {
        Channel {
            socket: Socket::Unix(stream),
            command: None,
        }
    }
}

fn ssh(user: Option<&str>, host: &str, server: &OsString, connect: Duration) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["ssh".into()];
    let patience = format!("ConnectTimeout={}", connect.as_secs().max(1));
    for option in [
        "BatchMode=yes",
        &patience,
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
    ] {
        words.extend(["-o".into(), option.into()]);
    }
    // Neither a terminal nor anything forwarded: the stream is the protocol's alone.
    words.extend(["-T".into(), "-x".into(), "-a".into()]);
    if let Some(user) = user {
        words.extend(["-l".into(), user.into()]);
    }
    words.extend(["--".into(), host.into(), server.clone()]);
    words
}

fn wait(child: &mut Child, at_most: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + at_most;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => thread::sleep(LOOK_AGAIN),
            Ok(None) | Err(_) => return None,
        }
    }
}

fn timed_out(error: io::Error) -> io::Error {
    // What a socket with a time-out says when that is over.
    if error.kind() == ErrorKind::WouldBlock {
        io::Error::new(ErrorKind::TimedOut, "no answer in time")
    } else {
        error
    }
}

impl Read for Channel {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Unix(stream) => stream.read(to),
            Socket::Tcp(stream) => stream.read(to),
        }
        .map_err(timed_out)
    }
}

impl Write for Channel {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Unix(stream) => stream.write(data),
            Socket::Tcp(stream) => stream.write(data),
        }
        .map_err(timed_out)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Unix(stream) => stream.write_vectored(parts),
            Socket::Tcp(stream) => stream.write_vectored(parts),
        }
        .map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.cut();
        if let Some(Running { child, .. }) = &mut self.command
            && wait(child, LAST_WORDS).is_none()
        {
            // It had its time; nobody is left to hear of an error.
            child.kill().ok();
            child.wait().ok();
        }
    }
}
