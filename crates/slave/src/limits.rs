//! The limits of the protocol.

/// The magic number at the beginning of every message: bytes `8A 50 4D 53`.
pub const MAGIC: u32 = 0x534D_508A;

/// Version of the protocol.
pub const VERSION: u16 = 1;

/// Length of the header.
pub const HEADER_BYTES: usize = 40;

/// Longest body.
pub const MAX_BODY_BYTES: usize = 128;

/// Largest payload that a master may offer.
pub const MAX_PAYLOAD_BYTES: u32 = 64 << 20;

/// Length of the longest message without its payload.
pub(crate) const MAX_HEAD_BYTES: usize = HEADER_BYTES + MAX_BODY_BYTES;
