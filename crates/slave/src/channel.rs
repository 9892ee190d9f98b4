//! The slave's side of a channel: a socket, a node, or a pair of pipes.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use crate::error::ServeError;
use crate::foreign::ForeignHello;
use crate::header::{Header, Received};
use crate::limits::{HEADER_BYTES, MAX_HEAD_BYTES};
use crate::shared;

/// Size of the buffer, and so of one read, until the first payload arrives in the stream.
const FIRST_BUFFER_BYTES: usize = 4 * MAX_HEAD_BYTES;

/// The connection of a slave to its master.
pub struct Channel {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

impl Channel {
    /// Opens a path. A socket is connected to; any other file (a slave node) is opened for reading and writing.
    pub fn open(path: &Path) -> io::Result<Channel> {
        let found = std::fs::metadata(path)?.file_type();
        if found.is_socket() {
            return Channel::socket(UnixStream::connect(path)?);
        }
        // It would open, and nobody would ever answer.
        if found.is_fifo() {
            let what = "it is a FIFO, and a slave end is a socket or a node";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Channel::node(OpenOptions::new().read(true).write(true).open(path)?)
    }

    /// Makes a channel of a connected socket.
    pub fn socket(stream: UnixStream) -> io::Result<Channel> {
        let stream = Arc::new(stream);
        Ok(Channel {
            reader: Reader::new(Source::Socket(Arc::clone(&stream))),
            writer: Writer(Sink::Socket(stream)),
        })
    }

    /// Makes a channel of an open slave node.
    pub fn node(node: File) -> io::Result<Channel> {
        let node = Arc::new(node);
        Ok(Channel {
            reader: Reader::new(Source::File(Arc::clone(&node))),
            writer: Writer(Sink::File(node)),
        })
    }

    /// Makes a channel of a pair of pipes, or of any other two descriptors for byte streams.
    #[must_use]
    pub fn pipes(requests: impl Into<OwnedFd>, replies: impl Into<OwnedFd>) -> Channel {
        let file = |fd: OwnedFd| Arc::new(File::from(fd));
        Channel {
            reader: Reader::new(Source::File(file(requests.into()))),
            writer: Writer(Sink::File(file(replies.into()))),
        }
    }
}

enum Source {
    Socket(Arc<UnixStream>),
    File(Arc<File>),
}

enum Sink {
    Socket(Arc<UnixStream>),
    File(Arc<File>),
}

/// The end of the channel to which replies are written.
pub(crate) struct Writer(Sink);

impl Writer {
    /// Writes a message and the payload behind it, with one system call where possible.
    pub(crate) fn write_all(&mut self, head: &[u8], payload: &[u8]) -> io::Result<()> {
        match &self.0 {
            Sink::Socket(stream) => write_both(stream.as_ref(), head, payload),
            Sink::File(file) => write_both(file.as_ref(), head, payload),
        }
    }
}

fn write_both(mut sink: impl Write, head: &[u8], payload: &[u8]) -> io::Result<()> {
    if payload.is_empty() {
        return sink.write_all(head);
    }
    let mut parts = [IoSlice::new(head), IoSlice::new(payload)];
    let mut rest = parts.as_mut_slice();
    while !rest.is_empty() {
        match sink.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A message from the master.
pub(crate) enum Message {
    /// A message of a version that is supported here.
    Known(Received),
    /// A greeting in another version.
    Foreign(ForeignHello),
    /// A request for whose payload there is no memory: the payload was read over.
    Unstored(Header),
}

/// The end of the channel from which requests are read.
pub(crate) struct Reader {
    source: Source,
    /// Holds one message with its payload. The buffer grows to the largest message received.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// A descriptor received with a message.
    passed: Option<OwnedFd>,
    expects_descriptor: bool,
}

impl Reader {
    fn new(source: Source) -> Reader {
        let expects_descriptor = matches!(source, Source::Socket(_));
        Reader {
            source,
            buffer: vec![0; FIRST_BUFFER_BYTES],
            start: 0,
            end: 0,
            passed: None,
            expects_descriptor,
        }
    }

    /// Reads the next message. A payload in the stream is then in the buffer. `None`: the master has closed its
    /// end.
    pub(crate) fn next(&mut self, max_payload: usize) -> Result<Option<Message>, ServeError> {
        if !self.fill(HEADER_BYTES)? {
            return Ok(None);
        }
        // Never `None`: fill() has read a whole header.
        let Some(bytes) = self.waiting().first_chunk() else {
            return Ok(None);
        };
        if let Some(hello) = ForeignHello::recognise(bytes) {
            let length = HEADER_BYTES + hello.body_length;
            if !self.fill(length)? {
                return Ok(None);
            }
            self.start += length;
            return Ok(Some(Message::Foreign(hello)));
        }
        let header = Header::parse(bytes)?;
        header.payload_within(max_payload)?;
        let head_length = HEADER_BYTES + header.body_length;
        let length = head_length + header.streamed_length();
        if grow(&mut self.buffer, length + MAX_HEAD_BYTES).is_err() {
            let is_over = self.read_over(length)?;
            return Ok(is_over.then_some(Message::Unstored(header)));
        }
        if !self.fill(length)? {
            return Ok(None);
        }
        let body = self.waiting().get(HEADER_BYTES..head_length);
        let received = Received::new(header, body.unwrap_or_default())?;
        self.start += head_length;
        Ok(Some(Message::Known(received)))
    }

    /// The payload that followed the last message in the stream.
    pub(crate) fn take_payload(&mut self, length: usize) -> &[u8] {
        let start = self.start;
        self.start += length;
        self.buffer.get(start..self.start).unwrap_or_default()
    }

    /// Memory for a reply's payload; `None` where there is none. The request buffer serves for it: the master sends
    /// nothing before it has the reply.
    pub(crate) fn reply_payload(&mut self, length: usize) -> Option<&mut [u8]> {
        let waiting = self.end;
        grow(&mut self.buffer, waiting + length).ok()?;
        self.buffer.get_mut(waiting..waiting + length)
    }

    /// The bytes that were read and not yet used.
    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The descriptor received with the messages so far.
    pub(crate) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.expects_descriptor = false;
        self.passed.take()
    }

    /// Closes the descriptor of a refused greeting. The next greeting brings its own.
    pub(crate) fn drop_descriptor(&mut self) {
        self.passed = None;
    }

    /// Reads so many bytes and forgets them. Returns false if the master closed its end before that.
    fn read_over(&mut self, length: usize) -> Result<bool, ServeError> {
        let mut missing = length;
        while missing > 0 {
            // With less than that, fill() needs no more memory.
            let piece = missing.min(self.buffer.len() - MAX_HEAD_BYTES);
            if !self.fill(piece)? {
                return Ok(false);
            }
            self.start += piece;
            missing -= piece;
        }
        Ok(true)
    }

    /// Reads until this many bytes are in the buffer. Returns false if the master closed its end before that.
    fn fill(&mut self, wanted: usize) -> Result<bool, ServeError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.start + wanted > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            // With room for a whole message of this size, the next one needs one read only.
            let needed = wanted + MAX_HEAD_BYTES;
            grow(&mut self.buffer, needed).map_err(ServeError::Channel)?;
        }
        while self.end - self.start < wanted {
            match self.read_once() {
                Ok(0) => return Ok(false),
                Ok(length) => self.end += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(ServeError::Channel(error)),
            }
        }
        Ok(true)
    }

    fn read_once(&mut self) -> io::Result<usize> {
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match &self.source {
            Source::File(file) => file.as_ref().read(room),
            Source::Socket(stream) if self.expects_descriptor => {
                let (length, passed) = shared::receive_with_descriptor(stream, room)?;
                if passed.is_some() {
                    self.passed = passed;
                }
                Ok(length)
            }
            Source::Socket(stream) => stream.as_ref().read(room),
        }
    }
}

/// Makes a buffer at least so long. No memory for it is an error of the channel, not the end of the process.
fn grow(buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let more = length.saturating_sub(buffer.len());
    if more > 0 {
        let room = buffer.try_reserve_exact(more);
        room.map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
        buffer.resize(length, 0);
    }
    Ok(())
}
