//! The part of a greeting that can be read when its version is not supported here.
//!
//! All versions have a few bytes in common (docs/SLAVE-PROTOCOL.md, *Versions*). They let a slave answer a
//! newer master, which can then greet again in a version that both sides know.

use crate::limits::{HEADER_BYTES, MAGIC, MAX_BODY_BYTES};
use crate::request::HELLO;
use crate::versions::Versions;

/// A master's greeting in a version that is not supported here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForeignHello {
    pub(crate) version: u16,
    pub(crate) id: u64,
    /// Length of the body, which is skipped.
    pub(crate) body_length: usize,
}

impl ForeignHello {
    /// Recognises a greeting of another version. Returns `None` for any other message:
    /// [`Header`](crate::header::Header) checks that.
    pub(crate) fn recognise(bytes: &[u8; HEADER_BYTES]) -> Option<ForeignHello> {
        let version = u16::from_le_bytes(part(bytes, 4)?);
        if Versions::OURS.contain(version) {
            return None;
        }
        let (covered, _) = bytes.split_last_chunk::<4>()?;
        let number = |at| part(bytes, at).map(u32::from_le_bytes);
        let body_length = usize::try_from(number(20)?).ok()?;
        let is_hello = number(0)? == MAGIC
            && u16::from_le_bytes(part(bytes, 6)?) == HELLO
            && number(24)? == 0
            && body_length <= MAX_BODY_BYTES
            && number(36)? == crc32fast::hash(covered);
        is_hello.then_some(ForeignHello {
            version,
            id: u64::from_le_bytes(part(bytes, 8)?),
            body_length,
        })
    }
}

fn part<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
