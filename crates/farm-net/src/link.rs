//! A link: packets both ways, and a sign of life from time to time.

use std::io::{BufReader, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::Error;
use crate::message::Message;
use crate::packet::{PacketReader, PacketWriter};

/// So often each side says that it is alive, whatever else it does.
pub const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Small packets go out together.
const BUFFER_BYTES: usize = 256 << 10;

type Writing = PacketWriter<BufWriter<Box<dyn Write + Send>>>;

/// A connection whose other end speaks the protocol.
pub struct Link {
    pub(crate) input: Input,
    pub(crate) output: Output,
    _ticker: Ticker,
}

/// What comes in.
pub(crate) struct Input {
    packets: PacketReader<BufReader<Box<dyn Read + Send>>>,
    body: Vec<u8>,
    output: Output,
}

/// What goes out; several hands have it.
#[derive(Clone)]
pub(crate) struct Output {
    writing: Arc<Mutex<Writing>>,
    /// The end of the connection from which the other side is read, where somebody looks whether that is gone.
    watched: Option<Arc<OwnedFd>>,
}

impl Link {
    /// A link over a connection whose reads end with `TimedOut` when nothing comes for [`crate::PATIENCE`].
    #[must_use]
    pub fn new(read: impl Read + Send + 'static, write: impl Write + Send + 'static) -> Self {
        Link::of(read, write, None)
    }

    /// The same, over a connection from whose end `watched` is read. A command that reads nothing of the other side
    /// meanwhile finds by it that this side is gone, long before a sign of life can't be sent.
    #[must_use]
    pub fn watching(
        read: impl Read + Send + 'static,
        write: impl Write + Send + 'static,
        watched: impl Into<OwnedFd>,
    ) -> Self {
        Link::of(read, write, Some(Arc::new(watched.into())))
    }

    fn of(
        read: impl Read + Send + 'static,
        write: impl Write + Send + 'static,
        watched: Option<Arc<OwnedFd>>,
    ) -> Self {
        let write: Box<dyn Write + Send> = Box::new(write);
        let writer = PacketWriter::new(BufWriter::with_capacity(BUFFER_BYTES, write));
        let output = Output {
            writing: Arc::new(Mutex::new(writer)),
            watched,
        };
        let read: Box<dyn Read + Send> = Box::new(read);
        let input = Input {
            packets: PacketReader::new(BufReader::with_capacity(BUFFER_BYTES, read)),
            body: Vec::new(),
            output: output.clone(),
        };
        let ticker = Ticker::begin(output.clone());
        Link {
            input,
            output,
            _ticker: ticker,
        }
    }

    /// The next message, whatever the other side says beside it.
    pub(crate) fn receive(&mut self) -> Result<Message, Error> {
        self.input.receive()
    }

    pub(crate) fn send(&self, message: &Message) -> Result<(), Error> {
        self.output.send(message)
    }

    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.output.flush()
    }
}

impl Input {
    pub(crate) fn receive(&mut self) -> Result<Message, Error> {
        loop {
            let kind = self.receive_packet()?;
            match Message::decode(kind, &self.body)? {
                Message::Alive => {}
                message => return Ok(message),
            }
        }
    }

    /// The same, where contents are expected: they take the place of what is in `contents`, and `None` says so. The
    /// memory that was there has the next packet.
    pub(crate) fn receive_contents(
        &mut self,
        contents: &mut Vec<u8>,
    ) -> Result<Option<Message>, Error> {
        loop {
            match self.receive_packet()? {
                Message::DATA => {
                    std::mem::swap(contents, &mut self.body);
                    return Ok(None);
                }
                kind => match Message::decode(kind, &self.body)? {
                    Message::Alive => {}
                    message => return Ok(Some(message)),
                },
            }
        }
    }

    /// The next packet, whose body is kept; its kind.
    fn receive_packet(&mut self) -> Result<u16, Error> {
        // Whoever waits for an answer has asked before.
        if self.packets.source().buffer().is_empty() {
            self.output.flush()?;
        }
        let kind = self.packets.read(&mut self.body)?;
        let hung_up = std::io::ErrorKind::ConnectionAborted;
        kind.ok_or_else(|| Error::Cut(std::io::Error::new(hung_up, "the other side hung up")))
    }

    /// Passes what comes, whatever it is.
    pub(crate) fn pass(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 4096];
        match self.packets.source_mut().read(&mut buffer) {
            Ok(0) | Err(_) => Err(Error::Cut(std::io::ErrorKind::ConnectionAborted.into())),
            Ok(_) => Ok(()),
        }
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send(&self, message: &Message) -> Result<(), Error> {
        let (kind, body) = message.encode();
        self.lock().write(kind, &body)
    }

    /// The same for contents, which are not copied first.
    pub(crate) fn send_data(&self, bytes: &[u8]) -> Result<(), Error> {
        self.lock().write(Message::DATA, bytes)
    }

    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.lock().flush()
    }

    /// Closes this way of the connection, so that the other side ends.
    pub(crate) fn hang_up(&self) {
        *self.lock() = PacketWriter::closed(BufWriter::new(Box::new(std::io::sink())));
    }

    /// Whether nothing goes out any more, or nobody is there to take it.
    pub(crate) fn is_broken(&self) -> Result<(), Error> {
        match &self.watched {
            Some(end) if is_gone(end) => {
                let gone = std::io::ErrorKind::ConnectionAborted;
                Err(Error::Cut(std::io::Error::new(
                    gone,
                    "the other side is gone",
                )))
            }
            _ => self.lock().is_broken(),
        }
    }
}

/// Whether whoever writes at the other end of a connection is gone, also where not all of its bytes are read yet.
fn is_gone(end: &OwnedFd) -> bool {
    let over = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    let mut ends = [PollFd::new(end, PollFlags::RDHUP)];
    match poll(&mut ends, Some(&Timespec::default())) {
        Ok(1..) => ends.iter().any(|end| end.revents().intersects(over)),
        _ => false,
    }
}

/// Says that this side is alive while it is at work. Nobody waits for its thread, which may be in a write that lasts.
struct Ticker {
    _stop: Sender<()>,
}

impl Ticker {
    fn begin(output: Output) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("alive".into());
        if let Err(error) = thread.spawn(move || tick(&stopped, &output)) {
            log::warn!("can't say from time to time that this side is alive: {error}");
        }
        Ticker { _stop: stop }
    }
}

fn tick(stopped: &Receiver<()>, output: &Output) {
    while stopped.recv_timeout(ALIVE_EVERY) == Err(RecvTimeoutError::Timeout) {
        let said = output.send(&Message::Alive);
        // Whoever reads or writes next hears of it.
        if said.and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// What the other side wrote before it went, and nobody has read, hides nothing.
    #[test]
    fn a_side_that_is_gone_is_seen_without_writing_to_it() {
        let (ours, theirs) = UnixStream::pair().expect("a connection");
        let twin = || ours.try_clone().expect("a descriptor");
        let link = Link::watching(twin(), twin(), twin());
        (&theirs).write_all(b"unread").expect("it goes");
        link.output.is_broken().expect("it is there");
        drop(theirs);
        link.output.is_broken().expect_err("it is gone");

        let (read, write) = nix::unistd::pipe().expect("a pipe");
        let file = std::fs::File::from(read.try_clone().expect("a descriptor"));
        let link = Link::watching(file, std::io::sink(), read);
        std::fs::File::from(write.try_clone().expect("a descriptor"))
            .write_all(b"unread")
            .expect("it goes");
        link.output.is_broken().expect("it is there");
        drop(write);
        link.output.is_broken().expect_err("it is gone");
    }
}
