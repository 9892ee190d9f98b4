//! Reading of arbitrary bytes, with checks of what must hold.

use super::*;
use crate::fuzz::fuzz_archive;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % end
    }
}

#[test]
fn bytes_of_no_sense_are_no_archive() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for case in 0..2000_usize {
        let bytes: Vec<u8> = (0..case).map(|_| random.next().to_le_bytes()[0]).collect();
        fuzz_archive(&bytes);
    }
}

/// `offset: bytes`; the last line is the length. Zeros at the end are left out but for those that end an archive.
fn vector(text: &str) -> Vec<u8> {
    let mut bytes = vec![250, 1];
    for line in text.lines().filter(|line| line.contains(':')) {
        let (offset, digits) = line.split_once(':').unwrap();
        bytes.resize(2 + usize::from_str_radix(offset, 16).unwrap(), 0);
        let digits = digits.split_whitespace();
        bytes.extend(digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    let records = (bytes.len() - 2).next_multiple_of(RECORD) + 2 * RECORD;
    bytes.resize(2 + records, 0);
    bytes
}

/// Archives that are good but for some bytes.
#[test]
fn archives_that_lie_neither_panic_nor_hang() {
    let vectors = [
        vector(include_str!("../../../tests/vectors/stack-v1-volume.hex")),
        vector(include_str!("../../../tests/vectors/stack-v1-catalog.hex")),
        vector(include_str!("../../../tests/vectors/stack-v1-start.hex")),
    ];
    let mut random = Random(7);
    for case in 0..1500 {
        let mut bytes = vectors[case % vectors.len()].clone();
        bytes[0] = random.next().to_le_bytes()[0];
        bytes[1] = random.next().to_le_bytes()[0];
        for _ in 0..1 + random.below(4) {
            let at = 2 + random.below(bytes.len() - 2);
            bytes[at] = match random.below(3) {
                0 => random.next().to_le_bytes()[0],
                1 => b'0' + random.next().to_le_bytes()[0] % 10,
                _ => bytes[2 + random.below(bytes.len() - 2)],
            };
        }
        if random.below(4) == 0 {
            bytes.truncate(2 + random.below(bytes.len() - 2));
        }
        fuzz_archive(&bytes);
    }
}
