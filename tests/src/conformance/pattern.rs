//! The data of a recorded write, which tells in every 512 bytes which write it came from.

/// The first `length` bytes of write number `seed`: for each chunk of 512 bytes its seed and number, then
/// words that depend on both.
#[must_use]
pub fn pattern(seed: u32, length: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(length.next_multiple_of(512));
    let mut chunk = 0_u32;
    while data.len() < length {
        let tag = (seed << 16) | (chunk & 0xffff);
        let mut word = tag.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        // Most significant byte first.
        data.extend_from_slice(&tag.swap_bytes().to_le_bytes());
        for _ in 0..127 {
            data.extend_from_slice(&word.swap_bytes().to_le_bytes());
        }
        chunk += 1;
    }
    data.truncate(length);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_the_checksum_of_the_recorded_one() {
        // From a trace of an emulated drive that stores whole blocks: write 1024 @1.
        assert_eq!(crc32fast::hash(&pattern(1, 1024)), 0x2476_0b15);
        assert_eq!(pattern(2, 513)[..4], [0, 2, 0, 0]);
        assert_eq!(pattern(2, 513)[512], 0);
    }
}
