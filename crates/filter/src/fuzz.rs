//! Trying everything on bytes of unknown origin: the entry of the fuzz target.

use crate::codec::{Binding, Compression, Decoder, Encoder, Filter, Seat};
use crate::header::{BOUND_VERSION, Place, VERSION};
use crate::key::Key;
use crate::order::Order;

/// Longest block that is asked for.
const MAX_BYTES: u32 = 1 << 20;

/// Takes bytes for a stored block, with and without a key; then makes stored blocks of them, and takes those apart.
///
/// # Panics
///
/// Where a stored block does not give back what it was made of, a decoder gives more than it was asked for, or a block
/// is taken for one of another place, or is taken for genuine with one bit changed.
pub fn fuzz_block(bytes: &[u8]) {
    let key = Key::new([7; 32]);
    let filters = [
        (None, None),
        (Some(Compression::Zstd), None),
        (Some(Compression::Lz4), Some(key.clone())),
        (None, Some(key)),
    ];
    for (compression, key) in filters {
        let filter = Filter {
            compression,
            key,
            binding: Binding::Checked,
        };
        let (mut encoder, mut decoder) = (Encoder::new(&filter), Decoder::new(&filter));
        let mut into = vec![0; 4096];
        any_bytes(&mut decoder, &mut bytes.to_vec(), &mut into);
        // The checksums would keep a fuzzer out: once more with the right ones.
        for version in [VERSION, BOUND_VERSION] {
            if let Some(mut whole) = with_checksums(bytes, version) {
                any_bytes(&mut decoder, &mut whole, &mut into);
            }
        }
        if !bytes.is_empty() && bytes.len() <= MAX_BYTES as usize {
            there_and_back(&mut encoder, &mut decoder, bytes, filter.key.is_some());
        }
    }
}

fn any_bytes(decoder: &mut Decoder, block: &mut [u8], into: &mut [u8]) {
    if let Ok(opened) = decoder.open(block, MAX_BYTES)
        && let Ok(length) = decoder.unpack(&opened, block, into)
    {
        assert!(0 < length && length <= MAX_BYTES);
    }
}

fn there_and_back(encoder: &mut Encoder, decoder: &mut Decoder, bytes: &[u8], encrypted: bool) {
    let place = Place {
        partition: 1,
        object: 5,
    };
    let seat = encrypted.then_some(Seat {
        volume: Some([9; 8]),
        place,
    });
    let mut stored = encoder
        .encode(bytes, seat, 32, 4)
        .expect("there are random numbers")
        .to_vec();
    assert!(stored.len().is_multiple_of(4) && stored.len() >= 32);
    let mut changed = stored.clone();
    let mut back = vec![0; bytes.len()];
    let opened = decoder
        .open(&mut stored, MAX_BYTES)
        .expect("it was made so");
    let length = decoder.unpack(&opened, &stored, &mut back);
    assert_eq!(
        length,
        Ok(u32::try_from(bytes.len()).expect("1 MiB at most"))
    );
    assert!(back == bytes, "other bytes came back");
    let Some(seal) = opened.seal else {
        assert!(!encrypted);
        return;
    };
    let mut order = Order::unknown();
    order.enter(1);
    assert_eq!(order.block_read(5, 6, &seal), Ok(()));
    assert!(
        order.block_read(6, 7, &seal).is_err(),
        "read at another place"
    );
    order.enter(0);
    assert!(
        order.block_read(5, 6, &seal).is_err(),
        "read in another partition"
    );
    // One bit of the seal, the content or the tag, with a checksum that holds.
    changed.truncate(crate::HEADER_BYTES + opened.stored());
    let at = crate::HEADER_BYTES + bytes.len() % opened.stored();
    changed.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
    let mut changed = with_crc(changed).expect("it has a header");
    assert!(
        decoder.open(&mut changed, MAX_BYTES).is_err(),
        "a changed block was genuine"
    );
}

/// The same bytes with magic, version and checksums that hold.
fn with_checksums(bytes: &[u8], version: u8) -> Option<Vec<u8>> {
    let mut whole = bytes.to_vec();
    let (header, stored) = whole.split_at_mut_checked(crate::HEADER_BYTES)?;
    let length = u32::try_from(stored.len()).ok()?;
    header.get_mut(..4)?.copy_from_slice(&crate::header::MAGIC);
    *header.get_mut(4)? = version;
    header
        .get_mut(12..16)?
        .copy_from_slice(&length.to_le_bytes());
    with_crc(whole)
}

/// The same block with checksums that hold.
pub(crate) fn with_crc(mut whole: Vec<u8>) -> Option<Vec<u8>> {
    let (header, stored) = whole.split_at_mut_checked(crate::HEADER_BYTES)?;
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
