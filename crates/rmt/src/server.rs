//! The server's side: requests from one client, one after the other.

use std::io::{self, ErrorKind, Read, Write};

use nix::errno::Errno;
use pseudotape_device::TapeNode;
use pseudotape_mtio::{MtGet, Operation, Width};

use crate::errno::{System, text_of, to_remote};
use crate::input::Input;
use crate::operation::{Dialect, Meaning, classic, extended};
use crate::request::{self, Request};
use crate::shelf::Shelf;
use crate::wire::OUR_GREETING;
use crate::{MAX_RECORD_BYTES, flags};

/// How a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// Whose operation numbers a client means that has not asked for version 1.
    pub dialect: Dialect,
    /// Whose error numbers it wants.
    pub system: System,
}

/// Why a server gave a client up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The connection broke, perhaps in the middle of a record, which was not written then.
    #[error("the connection to the client broke: {0}")]
    Connection(#[from] io::Error),
    /// What came is not the protocol.
    #[error("the client sent {0}, which is no request: is it an rmt client?")]
    Garbage(String),
    /// A length that is beyond reason, behind which nothing can be found again.
    #[error("the client announced a record of {0} bytes: {MAX_RECORD_BYTES} are the most")]
    Record(u64),
}

/// Of a record that is too long so much is read and dropped, to answer the client properly.
const MOST_SKIPPED_BYTES: u64 = 1 << 30;

/// Version 1 of the protocol.
const VERSION: i64 = 1;
/// What dump's rmt answers to `V`.
const DUMP_VERSION: i64 = 2;

/// Serves one client until it goes. A tape that it left open is closed then.
pub fn serve(
    input: impl Read,
    output: impl Write,
    shelf: &mut dyn Shelf,
    options: ServerOptions,
) -> Result<(), ServeError> {
    let mut session = Session {
        input: Input::new(input),
        output,
        shelf,
        tape: None,
        dialect: options.dialect,
        system: options.system,
        buffer: Vec::new(),
    };
    let served = session.serve();
    session.hang_up();
    served
}

/// Answers a client that is not served with the reason, in place of the answer to its first request.
pub fn refuse(
    mut output: impl Write,
    errno: Errno,
    reason: &str,
    options: ServerOptions,
) -> io::Result<()> {
    let number = to_remote(errno, options.system);
    output.write_all(format!("E{number}\n{reason}\n").as_bytes())?;
    output.flush()
}

struct Session<'a, R, W> {
    input: Input<R>,
    output: W,
    shelf: &'a mut dyn Shelf,
    tape: Option<Box<dyn TapeNode>>,
    dialect: Dialect,
    system: System,
    buffer: Vec<u8>,
}

/// Makes room for a record; where there is no memory, this one call fails and no other.
fn lengthen(buffer: &mut Vec<u8>, length: usize) -> Result<(), Errno> {
    if let Some(more) = length.checked_sub(buffer.len()) {
        let room = buffer.try_reserve_exact(more);
        room.map_err(|_| Errno::ENOMEM)?;
        buffer.resize(length, 0);
    }
    Ok(())
}

/// A number for the client, or an error.
type Response = Result<i64, Errno>;

impl<R: Read, W: Write> Session<'_, R, W> {
    fn serve(&mut self) -> Result<(), ServeError> {
        while let Some(request) = request::next(&mut self.input)? {
            let answer = match request {
                Request::Open { name, .. } if name.is_empty() => {
                    // So clients ask who is there; see `Wire::greet`.
                    let number = Errno::ENOENT as i32;
                    self.send(
                        format!("E{number}\n{OUR_GREETING}: a tape has to be named\n").as_bytes(),
                    )?;
                    continue;
                }
                Request::Open { name, flags } => self.open(&name, &flags),
                Request::Close => self.close(),
                // st has no places to seek to: it succeeds, whatever is asked.
                Request::Seek => self.tape().map(|_| 0),
                Request::Read { count } => match self.read(&count) {
                    Ok(bytes) => {
                        self.answer_record(bytes)?;
                        continue;
                    }
                    Err(errno) => Err(errno),
                },
                Request::Write { count } => self.write(&count)?,
                Request::Operate { operation, count } => {
                    let meaning = classic(&operation, self.dialect);
                    self.operate(meaning, &count)
                }
                Request::OperateExtended { operation, count } => {
                    self.operate(extended(&operation), &count)
                }
                Request::Status => match self.tape().and_then(|tape| tape.status()) {
                    Ok(status) => {
                        self.answer_status(&status)?;
                        continue;
                    }
                    Err(errno) => Err(errno),
                },
                Request::Field(letter) => self.field(letter),
                Request::Version => Ok(VERSION),
                Request::DumpVersion => Ok(DUMP_VERSION),
                Request::Garbage(letter) => {
                    self.complain("Garbage command")?;
                    return Err(ServeError::Garbage(format!("{:?}", char::from(letter))));
                }
                Request::TooLong(letter) => {
                    self.complain("Argument too long")?;
                    return Err(ServeError::Garbage(format!(
                        "an endless argument of {letter}"
                    )));
                }
            };
            self.answer(answer)?;
        }
        Ok(())
    }

    fn tape(&self) -> Result<&dyn TapeNode, Errno> {
        match &self.tape {
            Some(tape) => Ok(tape.as_ref()),
            None => Err(Errno::EBADF),
        }
    }

    fn open(&mut self, name: &[u8], flags: &str) -> Response {
        // As close(2) of what was open, whose result nobody asks for.
        if let Err(errno) = self.close()
            && errno != Errno::EBADF
        {
            log::error!("closing the tape that was open: {}", errno.desc());
        }
        let flags = flags::parse(flags).map_err(|bad| {
            log::warn!("{bad}");
            Errno::EINVAL
        })?;
        self.tape = Some(self.shelf.open(name, flags)?);
        Ok(0)
    }

    fn close(&mut self) -> Response {
        let tape = self.tape.take().ok_or(Errno::EBADF)?;
        // Memory for records is for whoever has a tape open.
        self.buffer = Vec::new();
        tape.close().map(|()| 0)
    }

    /// Reads a record into the buffer; says how long it is.
    fn read(&mut self, count: &str) -> Result<usize, Errno> {
        let count: u64 = count.trim().parse().map_err(|_| Errno::EINVAL)?;
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= MAX_RECORD_BYTES)
            .ok_or(Errno::EINVAL)?;
        let tape = self.tape.as_ref().ok_or(Errno::EBADF)?;
        lengthen(&mut self.buffer, count)?;
        let buffer = self.buffer.get_mut(..count).ok_or(Errno::EINVAL)?;
        tape.read(buffer)
    }

    /// Receives a record and writes it, once it is here completely.
    fn write(&mut self, count: &str) -> Result<Response, ServeError> {
        let Ok(count) = count.trim().parse::<u64>() else {
            // Nothing says how much follows.
            self.complain("Invalid byte count")?;
            return Err(ServeError::Garbage(format!("the byte count {count:?}")));
        };
        if count > MOST_SKIPPED_BYTES {
            self.complain("Byte count out of range")?;
            return Err(ServeError::Record(count));
        }
        let length = usize::try_from(count)
            .ok()
            .filter(|count| *count <= MAX_RECORD_BYTES);
        let Some(length) = length else {
            self.input.skip(count)?;
            return Ok(Err(Errno::EINVAL));
        };
        let room = match &self.tape {
            Some(_) => lengthen(&mut self.buffer, length),
            None => Err(Errno::EBADF),
        };
        if let Err(errno) = room {
            self.input.skip(count)?;
            return Ok(Err(errno));
        }
        let Some(record) = self.buffer.get_mut(..length) else {
            return Ok(Err(Errno::ENOMEM));
        };
        self.input
            .exact(record)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => io::Error::new(
                    ErrorKind::UnexpectedEof,
                    format!("a record of {length} bytes was cut off, and is not written"),
                ),
                _ => error,
            })?;
        let Some(tape) = &self.tape else {
            return Ok(Err(Errno::EBADF));
        };
        Ok(tape
            .write(record)
            .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)))
    }

    fn operate(&mut self, meaning: Meaning, count: &str) -> Response {
        let count: i32 = count.trim().parse().map_err(|_| Errno::EINVAL)?;
        let (operation, argument) = match meaning {
            Meaning::Version => {
                // From here on numbers mean the same for everybody.
                self.dialect = Dialect::Bsd;
                return Ok(VERSION);
            }
            Meaning::Unknown => return Err(Errno::EINVAL),
            Meaning::Nothing => (Operation::Nothing, count),
            Meaning::FilesBack => (
                Operation::BackFilemarksAfter,
                count.checked_add(1).ok_or(Errno::EINVAL)?,
            ),
            Meaning::Operation(operation) => (operation, count),
        };
        self.tape()?.operate(operation, argument)?;
        Ok(i64::from(count))
    }

    fn field(&mut self, letter: u8) -> Response {
        if letter == b'P' {
            return self
                .tape()?
                .object()
                .map(|object| i64::try_from(object).unwrap_or(i64::MAX));
        }
        let status = self.tape()?.status()?;
        let general = i64::from(status.general.bits());
        Ok(match letter {
            b'T' => 0x72,
            b'D' => i64::from(status.block_size) | i64::from(status.density) << 24,
            b'E' => i64::from(status.recovered_errors),
            b'R' => i64::from(status.residual),
            b'F' => i64::from(status.file),
            b'B' => i64::from(status.block),
            b'f' => general,
            // No drive of ours prefers a blocking factor.
            b'b' => 0,
            _ => return Err(Errno::EINVAL),
        })
    }

    fn answer(&mut self, answer: Response) -> io::Result<()> {
        let text = match answer {
            Ok(number) => format!("A{number}\n"),
            Err(errno) => format!("E{}\n{}\n", to_remote(errno, self.system), text_of(errno)),
        };
        self.send(text.as_bytes())
    }

    fn complain(&mut self, text: &str) -> io::Result<()> {
        let number = Errno::EINVAL as i32;
        self.send(format!("E{number}\n{text}\n").as_bytes())
    }

    fn answer_record(&mut self, bytes: usize) -> io::Result<()> {
        self.output.write_all(format!("A{bytes}\n").as_bytes())?;
        self.output
            .write_all(self.buffer.get(..bytes).unwrap_or(&[]))?;
        self.output.flush()
    }

    /// The structure as Linux has it on 64-bit machines.
    fn answer_status(&mut self, status: &MtGet) -> io::Result<()> {
        let mut bytes = Vec::new();
        status.encode(Width::Bits64, &mut bytes);
        let mut reply = format!("A{}\n", bytes.len()).into_bytes();
        reply.extend_from_slice(&bytes);
        self.send(&reply)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)?;
        self.output.flush()
    }

    /// The client is gone: what it left open is closed as the kernel does for a program that ended.
    fn hang_up(&mut self) {
        if let Some(tape) = self.tape.take()
            && let Err(errno) = tape.close()
        {
            log::error!("closing a tape that its client left open: {}", errno.desc());
        }
    }
}
