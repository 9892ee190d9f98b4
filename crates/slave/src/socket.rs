//! The socket channel, master's side: messages on a Unix stream socket, payloads in shared memory.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recv, send, sendmsg};

use crate::header::{Checksums, Head, Header, Payload, Received};
use crate::limits::{HEADER_BYTES, MAX_HEAD_BYTES};
use crate::lost::{Lost, Patience};
use crate::nonsense::Nonsense;
use crate::question::{Question, check_answers, goodbye_head};
use crate::reply;
use crate::request::{Goodbye, Request, nothing};
use crate::shared::OfferedMemory;

/// Size of the receive buffer: one read of this size takes a message that has no payload in the stream.
const BUFFER_BYTES: usize = 4 * MAX_HEAD_BYTES;

/// A connected socket with a slave at the other end.
pub(crate) struct SocketLink {
    stream: UnixStream,
    /// `None`: the memory could not be created, or the slave does not use it.
    shared: Option<OfferedMemory>,
    checksums: Checksums,
    /// The slave uses the shared memory.
    agreed: bool,
    silence: Duration,
    buffer: [u8; BUFFER_BYTES],
    start: usize,
    end: usize,
    /// A message was sent in part only, so nothing can be sent behind it.
    torn: bool,
}

impl SocketLink {
    /// Takes over a connection. Creates shared memory for payloads of this size, to offer it to the slave.
    pub(crate) fn new(
        stream: UnixStream,
        largest_payload: u32,
        silence: Duration,
    ) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(silence))?;
        stream.set_write_timeout(Some(silence))?;
        let shared = OfferedMemory::create(largest_payload)
            .inspect_err(|error| log::warn!("no shared memory for slaves: {error}"));
        Ok(SocketLink {
            stream,
            shared: shared.ok(),
            checksums: Checksums::Streamed,
            agreed: false,
            silence,
            buffer: [0; BUFFER_BYTES],
            start: 0,
            end: 0,
            torn: false,
        })
    }

    pub(crate) fn another_descriptor(&self) -> Option<UnixStream> {
        self.stream.try_clone().ok()
    }

    pub(crate) fn offers_shared_memory(&self) -> bool {
        self.shared.is_some()
    }

    pub(crate) fn agree(
        &mut self,
        shared_memory: bool,
        checksums: Checksums,
    ) -> Result<(), Nonsense> {
        if shared_memory && self.shared.is_none() {
            return Err(Nonsense::Value {
                request: "hello",
                what: "shared memory that was not offered",
                found: 1,
            });
        }
        if !shared_memory {
            self.shared = None;
        }
        self.agreed = shared_memory;
        self.checksums = checksums;
        Ok(())
    }

    pub(crate) fn send(&mut self, question: Question<'_>, silence: Duration) -> Result<(), Lost> {
        self.set_silence(silence)?;
        let Question { request, id, data } = question;
        let payload = match &mut self.shared {
            Some(shared) if self.agreed => {
                shared.store(data);
                Payload::Shared(data, self.checksums)
            }
            Some(_) | None => Payload::Streamed(data),
        };
        let streamed = match payload {
            Payload::Streamed(data) => data,
            Payload::None | Payload::Shared(..) => &[],
        };
        let head = Head::new(request.kind(), id, payload, |out| request.encode(out));
        self.torn = true;
        match (&self.shared, request) {
            (Some(shared), Request::Hello(_)) => {
                let fds: [RawFd; 1] = [shared.fd().as_raw_fd()];
                let rights = [ControlMessage::ScmRights(&fds)];
                let parts = [IoSlice::new(head.bytes())];
                let flags = MsgFlags::MSG_NOSIGNAL;
                let sent = sendmsg::<()>(self.stream.as_raw_fd(), &parts, &rights, flags, None);
                let sent = sent.map_err(|errno| self.sending(errno.into()))?;
                if sent != head.bytes().len() {
                    return Err(Lost::Silent(silence));
                }
            }
            (Some(_) | None, _) => {
                self.send_all(head.bytes())?;
                if !streamed.is_empty() {
                    self.send_all(streamed).map_err(|lost| match lost {
                        // The request itself had reached the slave.
                        Lost::GoneBefore => Lost::Gone,
                        lost => lost,
                    })?;
                }
            }
        }
        self.torn = false;
        Ok(())
    }

    fn send_all(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let written = (&self.stream).write_all(bytes);
        written.map_err(|error| self.sending(error))
    }

    fn sending(&self, error: io::Error) -> Lost {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Lost::GoneBefore,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Lost::Silent(self.silence),
            _ => Lost::Channel(error),
        }
    }

    pub(crate) fn receive(
        &mut self,
        id: u64,
        into: &mut [u8],
        silence: Duration,
    ) -> Result<Received, Lost> {
        self.set_silence(silence)?;
        let mut patience: Option<Patience> = None;
        loop {
            let received = self.receive_message(id, into)?;
            if received.header.kind != reply::WORKING {
                if self.start < self.end {
                    return Err(Lost::Nonsense(Nonsense::Unasked {
                        length: self.end - self.start,
                    }));
                }
                return Ok(received);
            }
            nothing(received.header.kind, received.body())?;
            received.header.payload_within(0)?;
            patience.get_or_insert_with(Patience::new).heard()?;
        }
    }

    /// Receives the next message, a reply or `working`. One system call suffices if the message arrives in one
    /// piece.
    fn receive_message(&mut self, id: u64, into: &mut [u8]) -> Result<Received, Lost> {
        let mut started = None;
        self.fill(HEADER_BYTES, &mut started)?;
        // Never `None`: fill() has read a whole header.
        let Some(bytes) = self.waiting().first_chunk() else {
            return Err(Lost::Gone);
        };
        let header = Header::parse(bytes)?;
        check_answers(&header, id)?;
        let length = header.payload_within(into.len())?;
        if header.is_shared() && !self.agreed {
            let found = header.flags;
            return Err(Lost::Nonsense(Nonsense::Flags { found }));
        }
        let head_length = HEADER_BYTES + header.body_length;
        self.fill(head_length, &mut started)?;
        let body = self.waiting().get(HEADER_BYTES..head_length);
        let received = Received::new(header, body.unwrap_or_default())?;
        self.start += head_length;
        let (payload, _) = into.split_at_mut(length);
        match &self.shared {
            Some(shared) if header.is_shared() => shared.fetch(payload),
            Some(_) | None => self.receive_payload(payload, &mut started)?,
        }
        header.check_payload(payload)?;
        Ok(received)
    }

    fn receive_payload(
        &mut self,
        payload: &mut [u8],
        started: &mut Option<Instant>,
    ) -> Result<(), Lost> {
        let buffered = (self.end - self.start).min(payload.len());
        let (have, mut missing) = payload.split_at_mut(buffered);
        have.copy_from_slice(self.waiting().split_at(buffered).0);
        self.start += buffered;
        while !missing.is_empty() {
            let length = read_some(&self.stream, missing, self.silence, started)?;
            missing = missing.get_mut(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads until this many bytes are in the buffer.
    fn fill(&mut self, wanted: usize, started: &mut Option<Instant>) -> Result<(), Lost> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start + wanted > BUFFER_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.end - self.start < wanted {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            self.end += read_some(&self.stream, room, self.silence, started)?;
        }
        Ok(())
    }

    /// The bytes that were read and not yet used.
    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn set_silence(&mut self, silence: Duration) -> Result<(), Lost> {
        if self.silence != silence {
            self.stream.set_read_timeout(Some(silence))?;
            self.stream.set_write_timeout(Some(silence))?;
            self.silence = silence;
        }
        Ok(())
    }

    /// Whether the other end is closed, as far as this can be known without waiting.
    pub(crate) fn is_gone(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        match recv(self.stream.as_raw_fd(), &mut [0], flags) {
            Ok(length) => length == 0,
            Err(errno) => errno != Errno::EAGAIN && errno != Errno::EINTR,
        }
    }

    pub(crate) fn close(self, goodbye: Option<&Goodbye>) {
        if let Some(goodbye) = goodbye.filter(|_| !self.torn) {
            say_goodbye(&self.stream, goodbye);
        }
    }
}

/// Sends the reason why the connection is closed, if the socket takes it without waiting.
pub(crate) fn say_goodbye(stream: &UnixStream, goodbye: &Goodbye) {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let head = goodbye_head(goodbye);
    if let Err(error) = send(stream.as_raw_fd(), head.bytes(), flags) {
        log::debug!("a slave did not hear its goodbye: {error}");
    }
}

/// Reads once. A message that arrives in pieces must be complete within the same timeout as one piece.
fn read_some(
    mut stream: &UnixStream,
    room: &mut [u8],
    silence: Duration,
    started: &mut Option<Instant>,
) -> Result<usize, Lost> {
    loop {
        match stream.read(room) {
            Ok(0) => return Err(Lost::Gone),
            Ok(length) => {
                if started.get_or_insert_with(Instant::now).elapsed() > silence {
                    return Err(Lost::Silent(silence));
                }
                return Ok(length);
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err(Lost::Silent(silence)),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => return Err(Lost::Gone),
                _ => return Err(Lost::Channel(error)),
            },
        }
    }
}
