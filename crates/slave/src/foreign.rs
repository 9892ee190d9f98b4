//! What is read of a greeting in a version that is not spoken here.
//!
//! All versions have a few bytes in common (docs/SLAVE-PROTOCOL.md, *Versions*). By these a slave can answer a
//! master that is newer, and the master can greet again in a version that both know.

use crate::limits::{HEADER_BYTES, MAGIC, MAX_BODY_BYTES};
use crate::request::HELLO;
use crate::versions::Versions;

/// A master's greeting in a version that is not spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForeignHello {
    pub(crate) version: u16,
    pub(crate) id: u64,
    /// Length of the body, which is skipped.
    pub(crate) body_length: usize,
}

impl ForeignHello {
    /// Recognises a greeting of another version; `None`: anything else, which [`Header`](crate::header::Header)
    /// judges.
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
