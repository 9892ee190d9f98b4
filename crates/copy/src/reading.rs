//! Reads a tape object by object into batches.

use pseudotape_tape::{Drive, Failed, Mark, ObjectNumber, Sense, Stop, Transfer};

use crate::error::{Error, Side};
use crate::ready::go_to;

/// A batch ends when less than the longest block met would fit behind this many bytes.
const BATCH_BYTES: usize = 2 << 20;
/// Most objects of a batch.
const BATCH_OBJECTS: usize = 1024;
/// The first guess for the longest block.
const FIRST_BLOCK_BYTES: usize = 256 << 10;

/// One step over the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A block of this length; its bytes follow those of the block before.
    Block(u32),
    /// A mark.
    Mark(Mark),
    /// So many objects that can't be read.
    Unreadable(u64),
}

/// Objects in a row.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    used: usize,
    /// The object of the first step.
    pub(crate) first: ObjectNumber,
    pub(crate) steps: Vec<Step>,
    /// What comes behind the last step, where nothing more can be read.
    pub(crate) end: Option<Result<(), Error>>,
}

impl Batch {
    /// Nothing, and nothing comes behind it.
    pub(crate) fn at_the_end() -> Self {
        Batch {
            end: Some(Ok(())),
            ..Batch::default()
        }
    }

    /// The bytes of all blocks.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

/// Goes over a tape from where it is.
pub(crate) struct Reading<'a> {
    drive: &'a mut dyn Drive,
    side: Side,
    object: ObjectNumber,
    longest: usize,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(drive: &'a mut dyn Drive, side: Side) -> Result<Self, Error> {
        let position = drive.position().map_err(|failed| Error::Drive {
            side,
            object: ObjectNumber(0),
            action: "tell the position",
            failed,
        })?;
        Ok(Reading {
            drive,
            side,
            object: position.object,
            longest: FIRST_BLOCK_BYTES,
        })
    }

    /// Where the next batch begins.
    pub(crate) fn object(&self) -> ObjectNumber {
        self.object
    }

    /// As [`Reading::fill`]; says whether the batch is the last one.
    pub(crate) fn fill_next(&mut self, batch: &mut Batch) -> bool {
        self.fill(batch);
        batch.end.is_some()
    }

    /// Reads the next objects; at least one, or the batch says why not.
    pub(crate) fn fill(&mut self, batch: &mut Batch) {
        batch.used = 0;
        batch.first = self.object;
        batch.steps.clear();
        batch.end = None;
        while batch.end.is_none() && batch.steps.len() < BATCH_OBJECTS {
            match self.step(batch) {
                Ok(Some(step)) => batch.steps.push(step),
                Ok(None) if batch.end.is_none() => break,
                Ok(None) => {}
                Err(error) => batch.end = Some(Err(error)),
            }
        }
    }

    /// One object; nothing where the batch is full or at its end.
    fn step(&mut self, batch: &mut Batch) -> Result<Option<Step>, Error> {
        let wanted = batch.used.saturating_add(self.longest);
        if batch.used > 0 && wanted > BATCH_BYTES.max(self.longest) {
            return Ok(None);
        }
        if batch.bytes.len() < wanted {
            self.grow(batch, wanted.max(BATCH_BYTES))?;
        }
        let buffer = batch.bytes.get_mut(batch.used..).unwrap_or_default();
        let room = buffer.len();
        let done = match self.drive.read(Transfer::Variable, buffer) {
            Ok(done) => done,
            Err(failed) => return self.unreadable(failed).map(Some),
        };
        let step = match done.stop {
            Some(Stop::EndOfData) => {
                batch.end = Some(Ok(()));
                return Ok(None);
            }
            Some(Stop::Filemark) => Step::Mark(Mark::Filemark),
            Some(Stop::Setmark) => Step::Mark(Mark::Setmark),
            _ => Step::Block(done.block_length),
        };
        let before = self.object;
        self.object = ObjectNumber(before.0.saturating_add(1));
        if done.position.object != self.object {
            return Err(Error::Position {
                side: self.side,
                expected: self.object,
                found: done.position.object,
            });
        }
        if let Step::Block(length) = step {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > room {
                // Longer than any before: once more, into a buffer that takes it.
                go_to(self.drive, self.side, None, before)?;
                self.object = before;
                self.longest = length;
                return match batch.steps.is_empty() {
                    true => self.step(batch),
                    false => Ok(None),
                };
            }
            self.longest = self.longest.max(length);
            batch.used += length;
        }
        Ok(Some(step))
    }

    fn grow(&self, batch: &mut Batch, bytes: usize) -> Result<(), Error> {
        let more = bytes.saturating_sub(batch.bytes.len());
        if batch.bytes.try_reserve_exact(more).is_err() {
            return Err(Error::Memory {
                side: self.side,
                object: self.object,
                length: u32::try_from(self.longest).unwrap_or(u32::MAX),
            });
        }
        batch.bytes.resize(bytes, 0);
        Ok(())
    }

    /// A damaged place can be passed where the tape went on behind it.
    fn unreadable(&mut self, failed: Failed) -> Result<Step, Error> {
        let object = self.object;
        match failed.position {
            Some(position) if failed.sense == Sense::MediumError && position.object > object => {
                self.object = position.object;
                Ok(Step::Unreadable(position.object.0 - object.0))
            }
            _ => Err(Error::Drive {
                side: self.side,
                object,
                action: "read",
                failed,
            }),
        }
    }
}
