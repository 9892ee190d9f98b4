//! Reading of arbitrary bytes, with checks of what must hold.

use super::*;

/// A tape file in memory, in blocks of a length, with a filemark behind it or not.
struct Bytes<'a> {
    bytes: &'a [u8],
    block: usize,
    marked: bool,
}

impl Bytes<'_> {
    fn end(&self) -> Next {
        match self.marked {
            true => Next::Filemark,
            false => Next::EndOfData,
        }
    }
}

impl Source for Bytes<'_> {
    fn next_block(&mut self, block: &mut Vec<u8>) -> Result<Next, Error> {
        block.clear();
        if self.bytes.is_empty() {
            return Ok(self.end());
        }
        let (now, rest) = self.bytes.split_at(self.block.min(self.bytes.len()));
        block.extend_from_slice(now);
        self.bytes = rest;
        Ok(Next::Block)
    }

    fn pass_file(&mut self) -> Result<bool, Error> {
        self.bytes = &[];
        Ok(self.marked)
    }
}

/// Reads bytes as a tape file: the first two say how long its blocks are and whether a filemark is behind it. Neither
/// more comes out than is in it, nor an end without a filemark.
fn read_any(bytes: &[u8]) {
    let Some((control, bytes)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let source = Bytes {
        bytes,
        block: 1 + usize::from(control[0]) * 37,
        marked: control[1] & 1 == 1,
    };
    // However it ends, it ends.
    let Ok(Opened::Archive(opened)) = Unpacking::open(source) else {
        return;
    };
    let (description, mut unpacking) = *opened;
    let mut payload = 0_u64;
    let mut out = vec![0; 4096];
    let ended = loop {
        match unpacking.some(&mut out) {
            Ok(0) => break true,
            Ok(some) => payload += some as u64,
            Err(_) => break false,
        }
    };
    assert!(payload <= bytes.len() as u64, "more than there is");
    if ended {
        assert_eq!(control[1] & 1, 1, "an archive without its filemark");
        let said = description.payload.map_or(0, |payload| payload.length);
        assert_eq!(payload, said, "an end before the end");
    }
}

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
        read_any(&bytes);
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

/// Archives that are good but for some bytes: checksums of headers are made to fit, so that the lies behind them are
/// reached.
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
        for record in bytes[2..].chunks_exact_mut(RECORD) {
            if record[257..263] == *b"ustar\0" {
                pseudotape_pax::set_checksum(record.try_into().unwrap());
            }
        }
        read_any(&bytes);
    }
}
