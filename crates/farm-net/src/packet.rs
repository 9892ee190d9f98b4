//! Packets: what goes over a link, with numbers and checksums, so that nothing is taken for what it is not.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::error::Error;

/// The newest version that this program speaks.
pub const PROTOCOL_VERSION: u32 = 2;
/// The oldest version that it speaks.
pub const OLDEST_VERSION: u32 = 1;
/// Length of a packet's header.
pub const HEADER_BYTES: usize = 24;
/// So long the other side may be silent before the link counts as cut.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The longest body.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// How each packet begins.
pub(crate) const MAGIC: [u8; 4] = *b"PTFN";

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    kind: u16,
    number: u32,
    length: u32,
    body_crc: u32,
}

impl Header {
    fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.kind.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER_BYTES])
    }

    fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Error> {
        let number = |at: usize| {
            let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
            u32::from_le_bytes(four.unwrap_or_default())
        };
        if bytes.get(..4) != Some(&MAGIC) {
            return Err(Error::protocol(words_of(bytes)));
        }
        if crc32fast::hash(bytes.get(..20).unwrap_or_default()) != number(20) {
            return Err(Error::Damaged("the checksum of a packet's header is wrong"));
        }
        let kind = u16::try_from(number(4));
        let kind = kind.map_err(|_| Error::protocol("a reserved field is not 0"))?;
        let header = Header {
            kind,
            number: number(8),
            length: number(12),
            body_crc: number(16),
        };
        match usize::try_from(header.length) {
            Ok(length) if length <= MAX_BODY_BYTES => Ok(header),
            _ => Err(Error::protocol(format!(
                "a packet of {} bytes; at most {MAX_BODY_BYTES} are taken",
                header.length
            ))),
        }
    }
}

/// What came in place of a packet: most likely the banner of a login.
fn words_of(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    format!("it sent '{text}'")
}

/// Reads packets.
pub(crate) struct PacketReader<R> {
    source: R,
    next: u32,
}

impl<R: Read> PacketReader<R> {
    pub(crate) fn new(source: R) -> Self {
        PacketReader { source, next: 0 }
    }

    pub(crate) fn source(&self) -> &R {
        &self.source
    }

    pub(crate) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// The next packet into `body`; its kind, or `None` where the other side hung up behind a whole one.
    pub(crate) fn read(&mut self, body: &mut Vec<u8>) -> Result<Option<u16>, Error> {
        let mut header = [0; HEADER_BYTES];
        let mut filled = 0;
        while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) if header.starts_with(&MAGIC) => {
                    return Err(cut(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(0) => {
                    return Err(Error::protocol(words_of(
                        header.get(..filled).unwrap_or_default(),
                    )));
                }
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cut(error)),
            }
        }
        let header = Header::parse(&header)?;
        if header.number != self.next {
            return Err(Error::Damaged("a packet has another number than its turn"));
        }
        self.next = self.next.wrapping_add(1);
        let length = usize::try_from(header.length).unwrap_or(0);
        // What is left of the packet before is written over: only what is longer is zeroed.
        body.resize(length, 0);
        self.source.read_exact(body).map_err(cut)?;
        match crc32fast::hash(body) == header.body_crc {
            true => Ok(Some(header.kind)),
            false => Err(Error::Damaged("the checksum of a packet is wrong")),
        }
    }
}

/// Writes packets.
pub(crate) struct PacketWriter<W> {
    sink: W,
    next: u32,
    /// After a failure nothing more goes out: half a packet may have.
    is_broken: bool,
}

impl<W: Write> PacketWriter<W> {
    pub(crate) fn new(sink: W) -> Self {
        PacketWriter {
            sink,
            next: 0,
            is_broken: false,
        }
    }

    #[cfg(test)]
    pub(crate) fn sink(&self) -> &W {
        &self.sink
    }

    /// One by which nothing goes.
    pub(crate) fn closed(sink: W) -> Self {
        PacketWriter {
            sink,
            next: 0,
            is_broken: true,
        }
    }

    pub(crate) fn write(&mut self, kind: u16, body: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        if body.len() > MAX_BODY_BYTES {
            return Err(Error::protocol(format!(
                "{length} bytes don't fit into a packet: say less at once"
            )));
        }
        let header = Header {
            kind,
            number: self.next,
            length,
            body_crc: crc32fast::hash(body),
        };
        self.next = self.next.wrapping_add(1);
        self.done(|sink| {
            sink.write_all(&header.encode())?;
            sink.write_all(body)
        })
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.done(|sink| sink.flush())
    }

    pub(crate) fn is_broken(&self) -> Result<(), Error> {
        match self.is_broken {
            true => Err(cut(io::ErrorKind::BrokenPipe.into())),
            false => Ok(()),
        }
    }

    fn done(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) -> Result<(), Error> {
        self.is_broken()?;
        write(&mut self.sink).map_err(|error| {
            self.is_broken = true;
            cut(error)
        })
    }
}

fn cut(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Silent(PATIENCE.as_secs()),
        io::ErrorKind::UnexpectedEof => Error::Cut(io::Error::new(
            error.kind(),
            "it ended in the middle of a packet",
        )),
        _ => Error::Cut(error),
    }
}
