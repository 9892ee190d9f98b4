//! The header: the part of fixed length that begins every message.

use bincode::{Decode, Encode};
use pseudotape_tape::wide;

use crate::codec;
use crate::limits::{HEADER_BYTES, MAGIC, MAX_BODY_BYTES, MAX_HEAD_BYTES, VERSION};
use crate::nonsense::Nonsense;

/// The payload lies in the shared memory, not behind the message.
pub(crate) const SHARED: u32 = 1;
/// `payload_crc` holds the checksum of the payload. This flag is always set if the payload is in the stream.
pub(crate) const CHECKED: u32 = 2;

/// The header as it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct HeaderBytes {
    pub(crate) magic: u32,
    pub(crate) version: u16,
    pub(crate) kind: u16,
    pub(crate) id: u64,
    pub(crate) flags: u32,
    pub(crate) body_length: u32,
    pub(crate) payload_length: u32,
    pub(crate) body_crc: u32,
    pub(crate) payload_crc: u32,
    pub(crate) header_crc: u32,
}

/// A header that passed its checks. The length of the body is within the limit. The receiver still has to check
/// the length of the payload ([`Header::payload_within`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: u16,
    pub(crate) id: u64,
    pub(crate) flags: u32,
    pub(crate) body_length: usize,
    pub(crate) payload_length: u32,
    body_crc: u32,
    payload_crc: u32,
}

const CRC_OFFSET: usize = HEADER_BYTES - 4;

impl Header {
    /// Parses a header and checks everything that needs nothing but the header.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Header, Nonsense> {
        let raw: HeaderBytes = codec::decode(bytes).expect("a header is of fixed length");
        if raw.magic != MAGIC {
            return Err(Nonsense::Magic { found: raw.magic });
        }
        same_crc(
            "header",
            crc32fast::hash(&bytes[..CRC_OFFSET]),
            raw.header_crc,
        )?;
        if raw.version != VERSION {
            return Err(Nonsense::Version { found: raw.version });
        }
        let flags_fit = match (raw.flags & SHARED != 0, raw.flags & CHECKED != 0) {
            (true, _) => raw.payload_length > 0,
            (false, checked) => checked == (raw.payload_length > 0),
        };
        if raw.flags & !(SHARED | CHECKED) != 0 || !flags_fit {
            return Err(Nonsense::Flags { found: raw.flags });
        }
        let body_length = wide(raw.body_length);
        if body_length > MAX_BODY_BYTES {
            return Err(Nonsense::BodyTooLong {
                length: raw.body_length,
            });
        }
        Ok(Header {
            kind: raw.kind,
            id: raw.id,
            flags: raw.flags,
            body_length,
            payload_length: raw.payload_length,
            body_crc: raw.body_crc,
            payload_crc: raw.payload_crc,
        })
    }

    /// Whether the payload lies in the shared memory.
    pub(crate) fn is_shared(&self) -> bool {
        self.flags & SHARED != 0
    }

    /// How many bytes of payload follow in the stream.
    pub(crate) fn streamed_length(&self) -> usize {
        if self.is_shared() {
            0
        } else {
            wide(self.payload_length)
        }
    }

    pub(crate) fn check_body(&self, body: &[u8]) -> Result<(), Nonsense> {
        same_crc("body", crc32fast::hash(body), self.body_crc)
    }

    pub(crate) fn check_payload(&self, payload: &[u8]) -> Result<(), Nonsense> {
        if self.flags & CHECKED == 0 {
            return Ok(());
        }
        same_crc("payload", crc32fast::hash(payload), self.payload_crc)
    }

    /// The length of the payload, or an error if the payload is longer than `max` bytes.
    pub(crate) fn payload_within(&self, max: usize) -> Result<usize, Nonsense> {
        let length = wide(self.payload_length);
        if length > max {
            return Err(Nonsense::PayloadTooLong {
                length: self.payload_length,
                max,
            });
        }
        Ok(length)
    }
}

fn same_crc(part: &'static str, expected: u32, found: u32) -> Result<(), Nonsense> {
    if expected == found {
        return Ok(());
    }
    Err(Nonsense::Checksum {
        part,
        expected,
        found,
    })
}

/// How the payload of a message is transferred.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    /// There is no payload.
    None,
    /// In the stream, behind the body.
    Streamed(&'a [u8]),
    /// In the shared memory.
    Shared(&'a [u8], Checksums),
}

/// Whether payloads in shared memory have a checksum. Payloads in the stream always have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// Only payloads in the stream have a checksum. Shared memory is as reliable as all other memory.
    #[default]
    Streamed,
    /// Payloads in shared memory have a checksum too.
    Always,
}

/// A message to send, without its payload.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    bytes: [u8; MAX_HEAD_BYTES],
    length: usize,
}

impl Head {
    /// Makes the header and the body. `write_body` writes the body and returns its length.
    pub(crate) fn new(
        kind: u16,
        id: u64,
        payload: Payload<'_>,
        write_body: impl FnOnce(&mut [u8]) -> usize,
    ) -> Head {
        let mut bytes = [0; MAX_HEAD_BYTES];
        let body_length = write_body(&mut bytes[HEADER_BYTES..]);
        let length = HEADER_BYTES + body_length;
        let (data, flags): (&[u8], u32) = match payload {
            Payload::None => (&[], 0),
            Payload::Streamed(data) => (data, if data.is_empty() { 0 } else { CHECKED }),
            Payload::Shared([], _) => (&[], 0),
            Payload::Shared(data, Checksums::Streamed) => (data, SHARED),
            Payload::Shared(data, Checksums::Always) => (data, SHARED | CHECKED),
        };
        let header = HeaderBytes {
            magic: MAGIC,
            version: VERSION,
            kind,
            id,
            flags,
            body_length: u32::try_from(body_length).expect("bodies are short"),
            payload_length: u32::try_from(data.len()).expect("payloads are cut before"),
            body_crc: crc32fast::hash(bytes.get(HEADER_BYTES..length).unwrap_or_default()),
            payload_crc: if flags & CHECKED == 0 {
                0
            } else {
                crc32fast::hash(data)
            },
            header_crc: 0,
        };
        codec::encode(&header, &mut bytes);
        let crc = crc32fast::hash(&bytes[..CRC_OFFSET]);
        bytes[CRC_OFFSET..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        Head { bytes, length }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A received message without its payload. The checksums of its header and body were checked.
#[derive(Clone, Copy)]
pub(crate) struct Received {
    pub(crate) header: Header,
    body: [u8; MAX_BODY_BYTES],
}

impl Received {
    /// Checks the body that belongs to this header.
    pub(crate) fn new(header: Header, body: &[u8]) -> Result<Received, Nonsense> {
        header.check_body(body)?;
        let mut kept = [0; MAX_BODY_BYTES];
        let Some(room) = kept.get_mut(..body.len()) else {
            return Err(Nonsense::Body {
                kind: header.kind,
                length: body.len(),
            });
        };
        room.copy_from_slice(body);
        Ok(Received { header, body: kept })
    }

    pub(crate) fn body(&self) -> &[u8] {
        let body = self.body.get(..self.header.body_length);
        body.unwrap_or_default()
    }
}
