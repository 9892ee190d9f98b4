//! A TLS connection whose two ways are used by several threads.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use rustls::Connection;

use crate::packet::PATIENCE;
use crate::pipe::{WRITE_PATIENCE, wait};

/// So long the last words to the other side may take: it may be gone.
const FAREWELL: Duration = Duration::from_secs(2);

/// So much is taken from the socket at a time.
const CAME_BYTES: usize = 256 << 10;

/// How a failure is told.
pub(super) type Words = Box<dyn Fn(&rustls::Error) -> String + Send + Sync>;

/// The connection, and the socket below it, which does not block: nobody holds the lock while it waits.
pub(super) struct Secure {
    connection: Mutex<Connection>,
    /// What came and is not in the connection yet, which takes 4 KiB at a time: a call of the kernel for each of them
    /// would cost more than the ciphers. Whoever has both locks took this one first.
    came: Mutex<Came>,
    socket: TcpStream,
    words: Words,
}

/// Bytes from the socket.
struct Came {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
}

impl Came {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }
}

/// What a step over the socket came to.
enum Step {
    Moved,
    Wait(PollFlags),
    Done,
}

impl Secure {
    /// Shakes hands, which both ways together have to be done by `until`.
    pub(super) fn shake_hands(
        connection: impl Into<Connection>,
        socket: TcpStream,
        words: Words,
        until: Instant,
    ) -> io::Result<Arc<Self>> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let secure = Secure {
            connection: Mutex::new(connection.into()),
            came: Mutex::new(Came {
                bytes: vec![0; CAME_BYTES],
                at: 0,
                end: 0,
            }),
            socket,
            words,
        };
        loop {
            match secure.step_of_handshake()? {
                Step::Done => return Ok(Arc::new(secure)),
                Step::Moved if Instant::now() < until => {}
                Step::Moved => return Err(io::ErrorKind::TimedOut.into()),
                Step::Wait(for_what) => wait(secure.socket.as_fd(), for_what, until)?,
            }
        }
    }

    fn step_of_handshake(&self) -> io::Result<Step> {
        let mut connection = self.lock();
        if connection.wants_write() {
            return match connection.write_tls(&mut &self.socket) {
                Ok(_) => Ok(Step::Moved),
                Err(error) => later(error, PollFlags::POLLOUT),
            };
        }
        if !connection.is_handshaking() {
            return Ok(Step::Done);
        }
        match connection.read_tls(&mut &self.socket) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the other side hung up",
            )),
            Ok(_) => self.taken(connection).map(|()| Step::Moved),
            Err(error) => later(error, PollFlags::POLLIN),
        }
    }

    /// Reads what came; where it is not as it should be, the other side is told what is wrong.
    fn taken(&self, mut connection: MutexGuard<'_, Connection>) -> io::Result<()> {
        let taken = connection.process_new_packets();
        drop(connection);
        match taken {
            Ok(_) => self.put(WRITE_PATIENCE),
            Err(error) => {
                // It may be gone already.
                self.put(FAREWELL).ok();
                self.part();
                Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    (self.words)(&error),
                ))
            }
        }
    }

    /// Ends this way, and takes for a moment what the other side was sending: a reset would take our last words away.
    fn part(&self) {
        let until = Instant::now() + FAREWELL;
        if self.socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut buffer = [0; 4096];
        for _ in 0..256 {
            match (&self.socket).read(&mut buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if wait(self.socket.as_fd(), PollFlags::POLLIN, until).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends all that is there to be sent. The other side may take so long for the next piece of it.
    fn put(&self, patience: Duration) -> io::Result<()> {
        let mut until = Instant::now() + patience;
        loop {
            let mut connection = self.lock();
            if !connection.wants_write() {
                return Ok(());
            }
            let written = connection.write_tls(&mut &self.socket);
            drop(connection);
            match written {
                Ok(_) => until = Instant::now() + patience,
                Err(error) => {
                    if let Step::Wait(for_what) = later(error, PollFlags::POLLOUT)? {
                        wait(self.socket.as_fd(), for_what, until)?;
                    }
                }
            }
        }
    }

    fn get(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let until = Instant::now() + PATIENCE;
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let came = &mut *came;
        loop {
            let mut connection = self.lock();
            match connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if !came.rest().is_empty() {
                came.at += connection.read_tls(&mut came.rest())?;
                self.taken(connection)?;
                continue;
            }
            drop(connection);
            match (&self.socket).read(&mut came.bytes) {
                // Without a word before it this is a connection that broke, which the next turn says.
                Ok(0) => {
                    self.lock().read_tls(&mut io::empty())?;
                }
                Ok(bytes) => (came.at, came.end) = (0, bytes),
                Err(error) => {
                    if let Step::Wait(for_what) = later(error, PollFlags::POLLIN)? {
                        wait(self.socket.as_fd(), for_what, until)?;
                    }
                }
            }
        }
    }
}

fn later(error: io::Error, for_what: PollFlags) -> io::Result<Step> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Step::Wait(for_what)),
        io::ErrorKind::Interrupted => Ok(Step::Moved),
        _ => Err(error),
    }
}

/// The way in.
pub(super) struct Incoming(pub(super) Arc<Secure>);

/// The way out: when it is dropped, nothing more goes out.
pub(super) struct Outgoing(pub(super) Arc<Secure>);

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.get(buffer)
    }
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.0.lock().writer().write(bytes)?;
        self.0.put(WRITE_PATIENCE)?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.put(WRITE_PATIENCE)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.lock().send_close_notify();
        // Who is gone needs no farewell.
        self.0.put(FAREWELL).ok();
        self.0.socket.shutdown(Shutdown::Write).ok();
    }
}
