//! The one place that knows bincode: how the fields of a message become bytes.
//!
//! Every integer has its fixed width, little-endian, one after the other without gaps, as Python's
//! `struct` module writes them with `<`.

use bincode::{Decode, Encode, config};

/// How a structure becomes bytes. Nothing here has a length that its bytes choose.
const CODEC: config::Configuration<config::LittleEndian, config::Fixint> = config::legacy();

/// Writes a structure to the beginning of `out`; says how many bytes it took.
pub(crate) fn encode<T: Encode>(value: &T, out: &mut [u8]) -> usize {
    bincode::encode_into_slice(value, out, CODEC)
        .expect("structures are shorter than MAX_BODY_BYTES")
}

/// Reads a structure that is exactly these bytes.
pub(crate) fn decode<T: Decode<()>>(bytes: &[u8]) -> Option<T> {
    match bincode::decode_from_slice(bytes, CODEC) {
        Ok((value, length)) if length == bytes.len() => Some(value),
        Ok(_) | Err(_) => None,
    }
}
