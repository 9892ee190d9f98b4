//! Encoding and decoding of the fields of a message. This is the only file that uses bincode.
//!
//! Every integer has its fixed width, little-endian, one after the other without gaps, as Python's
//! `struct` module writes them with `<`.

use bincode::{Decode, Encode, config};

/// The bincode configuration. No message contains a length-prefixed field, so a message can't make the decoder
/// allocate.
const CODEC: config::Configuration<config::LittleEndian, config::Fixint> = config::legacy();

/// Writes a structure to the beginning of `out`. Returns the number of bytes written.
pub(crate) fn encode<T: Encode>(value: &T, out: &mut [u8]) -> usize {
    bincode::encode_into_slice(value, out, CODEC)
        .expect("structures are shorter than MAX_BODY_BYTES")
}

/// Reads a structure. It must use all of these bytes.
pub(crate) fn decode<T: Decode<()>>(bytes: &[u8]) -> Option<T> {
    match bincode::decode_from_slice(bytes, CODEC) {
        Ok((value, length)) if length == bytes.len() => Some(value),
        Ok(_) | Err(_) => None,
    }
}
