//! An archive on a tape, as its reader has it.

use std::io::{self, Read};

use pseudotape_copy::read_ahead;
use pseudotape_tape::Position;

use crate::BLOCK_BYTES;
use crate::description::Description;
use crate::digest::Digest;
use crate::error::Error;
use crate::source::Tape;
use crate::unpacking::Unpacking;

/// Bytes of a payload that are read ahead at once.
const BATCH_BYTES: usize = 4 * BLOCK_BYTES;

/// An archive whose description was read; the payload comes next.
///
/// As a [`Read`] it gives the payload, and its end only when all of it was found to be what was written: a damaged one
/// ends in an error, never before it in an end.
pub struct Reading<'a> {
    pub(crate) description: Description,
    pub(crate) at: Position,
    pub(crate) unpacking: Unpacking<Tape<'a>>,
}

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    used: usize,
    end: Option<Result<(), Error>>,
}

impl Reading<'_> {
    /// What it says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Where it begins.
    #[must_use]
    pub fn at(&self) -> Position {
        self.at
    }

    /// The blocks that it has where it is whole.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.unpacking.blocks
    }

    /// Asks for this digest of the payload, beside those that stand in the archive.
    pub fn expect(&mut self, digest: Digest) {
        self.unpacking.wanted = Some(digest);
    }

    /// Gives all of the payload that was not read yet to `keep`, read ahead in a thread of its own; verified, with the
    /// tape behind the archive.
    pub fn copy_to(
        self,
        mut keep: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Description, Error> {
        let mut unpacking = self.unpacking;
        read_ahead(
            |batch| fill(&mut unpacking, batch),
            |ahead| {
                while let Some(mut batch) = ahead.next_batch() {
                    keep(batch.bytes.get(..batch.used).unwrap_or_default())
                        .map_err(Error::Keeping)?;
                    match batch.end.take() {
                        Some(end) => return end,
                        None => ahead.give_back(batch),
                    }
                }
                // The last batch has its end.
                Err(Error::CutOff)
            },
        )?;
        Ok(self.description)
    }

    /// Reads the rest and verifies it; the tape is behind the archive.
    pub fn verify(self) -> Result<Description, Error> {
        self.copy_to(|_| Ok(()))
    }

    /// Goes behind the archive without reading its payload; an error where it has no filemark.
    pub fn skip(mut self) -> Result<Description, Error> {
        match self.unpacking.pass()? {
            true => Ok(self.description),
            false => Err(Error::CutOff),
        }
    }
}

/// Reads the next part of a payload; says whether it is the last one.
fn fill(unpacking: &mut Unpacking<Tape<'_>>, batch: &mut Batch) -> bool {
    batch.bytes.resize(BATCH_BYTES, 0);
    batch.used = 0;
    batch.end = None;
    while batch.used < BATCH_BYTES && batch.end.is_none() {
        match unpacking.some(batch.bytes.get_mut(batch.used..).unwrap_or_default()) {
            Ok(0) => batch.end = Some(Ok(())),
            Ok(bytes) => batch.used += bytes,
            Err(error) => batch.end = Some(Err(error)),
        }
    }
    batch.end.is_some()
}

impl Read for Reading<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.unpacking.some(out).map_err(io::Error::other)
    }
}
