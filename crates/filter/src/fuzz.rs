//! Trying everything on bytes of unknown origin: the entry of the fuzz target.

use crate::codec::{Compression, Decoder, Encoder, Filter};
use crate::key::Key;

/// Longest block that is asked for.
const MAX_BYTES: u32 = 1 << 20;

/// Takes bytes for a stored block, with and without a key; then makes stored blocks of them and takes those apart.
///
/// # Panics
///
/// Where a stored block does not give back what it was made of, or a decoder gives more than it was asked for.
pub fn fuzz_block(bytes: &[u8]) {
    let key = Key::new([7; 32]);
    let filters = [
        (None, None),
        (Some(Compression::Zstd), None),
        (Some(Compression::Lz4), Some(key.clone())),
        (None, Some(key)),
    ];
    for (compression, key) in filters {
        let filter = Filter { compression, key };
        let (mut encoder, mut decoder) = (Encoder::new(&filter), Decoder::new(&filter));
        let mut into = vec![0; 4096];
        if let Ok(length) = decoder.decode(&mut bytes.to_vec(), MAX_BYTES, &mut into) {
            assert!(0 < length && length <= MAX_BYTES);
        }
        // The checksums would keep a fuzzer out: once more with the right ones.
        if let Some(mut whole) = with_checksums(bytes)
            && let Ok(length) = decoder.decode(&mut whole, MAX_BYTES, &mut into)
        {
            assert!(0 < length && length <= MAX_BYTES);
        }
        if bytes.is_empty() || bytes.len() > MAX_BYTES as usize {
            continue;
        }
        let mut stored = encoder
            .encode(bytes, 32, 4)
            .expect("there are random numbers")
            .to_vec();
        assert!(stored.len().is_multiple_of(4) && stored.len() >= 32);
        let mut back = vec![0; bytes.len()];
        let length = decoder.decode(&mut stored, MAX_BYTES, &mut back);
        assert_eq!(
            length,
            Ok(u32::try_from(bytes.len()).expect("1 MiB at most"))
        );
        assert!(back == bytes, "other bytes came back");
    }
}

/// The same bytes with magic, version and checksums that hold.
fn with_checksums(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = bytes.to_vec();
    let (header, stored) = whole.split_at_mut_checked(crate::HEADER_BYTES)?;
    let length = u32::try_from(stored.len()).ok()?;
    header.get_mut(..4)?.copy_from_slice(&crate::header::MAGIC);
    *header.get_mut(4)? = crate::header::VERSION;
    header
        .get_mut(12..16)?
        .copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(stored);
    header.get_mut(16..20)?.copy_from_slice(&crc.to_le_bytes());
    let crc = crc32fast::hash(header.get(..20)?);
    header.get_mut(20..24)?.copy_from_slice(&crc.to_le_bytes());
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_pass() {
        for length in (0..300).chain([4095, 4096, 5000]) {
            fuzz_block(&vec![0x8A; length]);
            fuzz_block(&(0..length).map(|n| (n % 7) as u8).collect::<Vec<_>>());
        }
    }
}
