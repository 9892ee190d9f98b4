//! An archive goes to a tape.

use std::io::Read;

use pseudotape_copy::{Ahead, read_ahead};
use pseudotape_tape::{
    Address, Done, Drive, EraseExtent, Mark, ObjectNumber, Position, Stop, Transfer, WriteMode,
};

use crate::BLOCK_BYTES;
use crate::description::Description;
use crate::digest::Digest;
use crate::error::{Error, failed};
use crate::outgoing::{Batch, Outgoing};

/// What became of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on the tape, whole and committed.
    Written(Written),
    /// It did not fit.
    EndOfMedium(Cut),
}

/// An archive on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it begins.
    pub at: Position,
    /// Its blocks.
    pub blocks: u64,
    /// BLAKE3 of its payload, if it has one.
    pub digest: Option<Digest>,
    /// The tape is in the early-warning zone now: this was the last one, but for something short.
    pub early_warning: bool,
}

/// An archive that did not fit. What of it is on the tape is no copy of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins, and where the tape is again. It ends there, where the drive can erase.
    pub at: Position,
    /// Blocks of it that fitted.
    pub blocks: u64,
}

/// Writes an archive here, ends it with a filemark and commits it.
///
/// | condition | result | position after |
/// |---|---|---|
/// | fits, also where it ends in the early-warning zone | [`Outcome::Written`] | behind its filemark |
/// | does not fit before the physical end | [`Outcome::EndOfMedium`] | where it began, which is the end of data now |
/// | the payload can't be read, or is not what the description says | an error | the same, if the drive can |
/// | the drive fails | [`Error::Drive`] | as the drive says |
///
/// The payload is read ahead of the tape in a thread of its own, to its end. Without a payload in the description
/// nothing is read.
pub fn write_archive(
    drive: &mut dyn Drive,
    description: &Description,
    payload: &mut (dyn Read + Send),
) -> Result<Outcome, Error> {
    let limits = drive.block_limits();
    let granularity = limits.granularity_bytes.max(1);
    let block = BLOCK_BYTES as u64;
    if !limits.contain(block) || !block.is_multiple_of(granularity.into()) {
        return Err(Error::BlockLength {
            min: limits.min_bytes,
            max: limits.max_bytes,
            granularity,
        });
    }
    let mut outgoing = Outgoing::new(description, payload)?;
    let at = drive.position().map_err(failed("tell the position"))?;
    let mut writing = Writing {
        drive,
        here: at,
        blocks: 0,
        early_warning: false,
    };
    let written = read_ahead(|batch| outgoing.fill(batch), |ahead| writing.all(&ahead));
    match written {
        Ok(Some(digest)) => Ok(Outcome::Written(Written {
            at,
            blocks: writing.blocks,
            digest,
            early_warning: writing.early_warning,
        })),
        Ok(None) => {
            let blocks = writing.blocks;
            give_up(drive, at.object, blocks)?;
            Ok(Outcome::EndOfMedium(Cut { at, blocks }))
        }
        // Where the drive failed, nobody knows what another motion does.
        Err(error @ (Error::Drive { .. } | Error::Position { .. })) => Err(error),
        Err(error) => {
            let blocks = writing.blocks;
            give_up(drive, at.object, blocks)?;
            Err(error)
        }
    }
}

/// Goes back to where an archive began that is none, and ends the tape there, so that an image has its room again. A
/// drive that can't do that leaves what was cut off, and what is written next is written over it.
fn give_up(drive: &mut dyn Drive, object: ObjectNumber, blocks: u64) -> Result<(), Error> {
    go_to(drive, object)?;
    if blocks > 0 {
        let _unable = drive.erase(EraseExtent::Short);
        go_to(drive, object)?;
    }
    Ok(())
}

/// Goes before an object; an error where the drive ends up elsewhere.
pub(crate) fn go_to(drive: &mut dyn Drive, object: ObjectNumber) -> Result<Position, Error> {
    let to = Address {
        partition: None,
        object,
    };
    let done = drive.locate(to).map_err(failed("position"))?;
    expect(done.position, object)?;
    Ok(done.position)
}

fn expect(found: Position, expected: ObjectNumber) -> Result<(), Error> {
    match found.object == expected {
        true => Ok(()),
        false => Err(Error::Position {
            expected,
            found: found.object,
        }),
    }
}

struct Writing<'a> {
    drive: &'a mut dyn Drive,
    here: Position,
    blocks: u64,
    early_warning: bool,
}

impl Writing<'_> {
    /// Writes everything; the digest of the payload, or nothing where it does not fit.
    fn all(&mut self, ahead: &Ahead<Batch>) -> Result<Option<Option<Digest>>, Error> {
        while let Some(mut batch) = ahead.next_batch() {
            // What is wrong with the payload is known before the tape gets its end.
            let end = match batch.end.take() {
                Some(Err(error)) => return Err(error),
                Some(Ok(digest)) => Some(digest),
                None => None,
            };
            for block in batch.blocks() {
                let done = self.drive.write(Transfer::Variable, block);
                if !self.fits(done.map_err(failed("write"))?)? {
                    return Ok(None);
                }
                self.blocks += 1;
            }
            if let Some(digest) = end {
                let done = self.drive.write_marks(Mark::Filemark, 1, WriteMode::Commit);
                let fits = self.fits(done.map_err(failed("write a filemark"))?)?;
                return Ok(fits.then_some(digest));
            }
            ahead.give_back(batch);
        }
        // The thread that makes the batches gives each of them, the last one too.
        Err(Error::Damaged("its end was never made"))
    }

    /// Takes the answer to the writing of one object.
    fn fits(&mut self, done: Done) -> Result<bool, Error> {
        if done.count == 0 {
            return Ok(false);
        }
        let expected = ObjectNumber(self.here.object.0.saturating_add(1));
        expect(done.position, expected)?;
        self.here = done.position;
        self.early_warning |= done.stop == Some(Stop::EarlyWarning);
        Ok(true)
    }
}
