//! Trying everything on bytes of unknown origin: the entry of the fuzz target.

use pseudotape_pax::set_checksum;

use crate::digest::Digest;
use crate::error::Error;
use crate::member::RECORD;
use crate::source::{Next, Source};
use crate::unpacking::{Opened, Unpacking};

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

/// Reads bytes as a tape file: as they are, and with the right checksums in what looks like a header. The first two say
/// how long its blocks are, and whether a filemark is behind it.
///
/// # Panics
///
/// Where more comes out than is in it, an end without a filemark, or a payload that is not the one that was described.
pub fn fuzz_archive(bytes: &[u8]) {
    read_any(bytes);
    // The checksums would keep a fuzzer out.
    let mut summed = bytes.to_vec();
    for record in summed
        .get_mut(2..)
        .unwrap_or_default()
        .chunks_exact_mut(RECORD)
    {
        if record.get(257..263) == Some(b"ustar\0") {
            set_checksum(record.try_into().expect("it is a record"));
        }
    }
    if summed != bytes {
        read_any(&summed);
    }
}

fn read_any(bytes: &[u8]) {
    let Some((&[block, marked], bytes)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let source = Bytes {
        bytes,
        block: 1 + usize::from(block) * 37,
        marked: marked & 1 == 1,
    };
    // However it ends, it ends.
    let Ok(Opened::Archive(opened)) = Unpacking::open(source) else {
        return;
    };
    let (description, mut unpacking) = *opened;
    let mut hasher = blake3::Hasher::new();
    let mut out = vec![0; 4096];
    let ended = loop {
        match unpacking.some(&mut out) {
            Ok(0) => break true,
            Ok(some) => hasher.update(out.get(..some).expect("it was filled")),
            Err(_) => break false,
        };
    };
    assert!(hasher.count() <= bytes.len() as u64, "more than there is");
    if ended {
        assert_eq!(marked & 1, 1, "an archive without its filemark");
        let said = description.payload.as_ref();
        let length = said.map_or(0, |payload| payload.length);
        assert_eq!(hasher.count(), length, "an end before the end");
        let digest = said.and_then(|payload| payload.digest);
        let found = Digest::from(hasher.finalize());
        assert!(
            digest.is_none_or(|digest| digest == found),
            "another payload"
        );
    }
}
