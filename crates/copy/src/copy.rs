use std::ops::ControlFlow;

use pseudotape_tape::{
    Done, Drive, Failed, Mark, ObjectNumber, Position, Sense, Transfer, Volume, WriteMode,
};

use crate::ahead::{Ahead, read_ahead};
use crate::error::{Error, Side};
use crate::object::{Gap, Progress};
use crate::reading::{Batch, Reading, Step};

/// What becomes of a block that can't be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreadable {
    /// The copy ends before it.
    #[default]
    Stop,
    /// It is recorded as unreadable: the numbers of all other objects stay the same.
    Record,
    /// It is left out: what follows gets lower numbers.
    Skip,
}

/// How a copy is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What becomes of a block that can't be read.
    pub unreadable: Unreadable,
}

/// Why a copy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was copied.
    Complete,
    /// The target reached early warning.
    EarlyWarning,
    /// The target reached its physical end.
    PhysicalEnd,
    /// The next object can't be read, and the copy was to end there.
    Unreadable,
    /// The caller ended it.
    Cancelled,
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Why it ended.
    pub ending: Ending,
    /// The first object of the source that was not copied, where there are such.
    pub next: ObjectNumber,
    /// Where the target is: behind the last object copied.
    pub target: Position,
    /// Blocks copied.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Filemarks copied.
    pub filemarks: u64,
    /// Setmarks copied.
    pub setmarks: u64,
    /// Places of the source that could not be read, and were passed.
    pub unreadable: Vec<Gap>,
}

/// Copies from where the drives are to the end of the source's data, and commits.
///
/// | condition | result | target after |
/// |---|---|---|
/// | all copied | [`Ending::Complete`] | behind the last object |
/// | the target reaches early warning | [`Ending::EarlyWarning`] | behind the object that reached it |
/// | an object does not fit any more | [`Ending::PhysicalEnd`] | behind the last one that did |
/// | an object can't be read | by [`Options::unreadable`] | |
/// | a drive fails | [`Error::Drive`] | an exact prefix, as far as the drive keeps it |
///
/// The source is anywhere behind what was copied. `progress` is asked about every 2 MiB whether to go on.
pub fn copy(
    from: &mut dyn Drive,
    to: &mut dyn Volume,
    options: Options,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Copied, Error> {
    let mut reading = Reading::new(from, Side::First)?;
    let first = reading.object();
    let target = to
        .position()
        .map_err(|failed| write_error(first, "tell the position", failed))?;
    let mut writing = Writing {
        to,
        options,
        copied: Copied {
            ending: Ending::Complete,
            next: first,
            target,
            blocks: 0,
            bytes: 0,
            filemarks: 0,
            setmarks: 0,
            unreadable: Vec::new(),
        },
        warned: false,
    };
    let written = read_ahead(
        |batch| reading.fill_next(batch),
        |ahead| writing.all(&ahead, progress),
    );
    // What was copied is to last, whatever happened then; but the first error is the one to tell.
    let committed = writing.commit();
    written?;
    committed?;
    Ok(writing.copied)
}

fn write_error(object: ObjectNumber, action: &'static str, failed: Failed) -> Error {
    Error::Drive {
        side: Side::Second,
        object,
        action,
        failed,
    }
}

struct Writing<'a> {
    to: &'a mut dyn Volume,
    options: Options,
    copied: Copied,
    /// The target is behind early warning.
    warned: bool,
}

impl Writing<'_> {
    fn all(
        &mut self,
        ahead: &Ahead<Batch>,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        while let Some(mut batch) = ahead.next_batch() {
            if let Some(ending) = self.batch(&batch)? {
                self.copied.ending = ending;
                return Ok(());
            }
            let now = Progress {
                object: self.copied.next,
                bytes: self.copied.bytes,
            };
            if progress(now).is_break() {
                self.copied.ending = Ending::Cancelled;
                return Ok(());
            }
            match batch.end.take() {
                Some(end) => return end,
                None => ahead.give_back(batch),
            }
        }
        Ok(())
    }

    /// Writes a batch; says why not to go on.
    fn batch(&mut self, batch: &Batch) -> Result<Option<Ending>, Error> {
        let mut bytes = batch.bytes();
        for step in &batch.steps {
            if self.warned {
                return Ok(Some(Ending::EarlyWarning));
            }
            let fitted = match *step {
                Step::Block(length) => {
                    let (block, rest) = bytes
                        .split_at_checked(usize::try_from(length).unwrap_or(usize::MAX))
                        .unwrap_or((bytes, &[]));
                    bytes = rest;
                    self.block(length, block)?
                }
                Step::Mark(mark) => self.mark(mark)?,
                Step::Unreadable(objects) => match self.options.unreadable {
                    Unreadable::Stop => return Ok(Some(Ending::Unreadable)),
                    Unreadable::Record => self.record(objects)?,
                    Unreadable::Skip => {
                        self.pass(objects);
                        true
                    }
                },
            };
            if !fitted {
                return Ok(Some(Ending::PhysicalEnd));
            }
        }
        Ok(None)
    }

    fn block(&mut self, length: u32, block: &[u8]) -> Result<bool, Error> {
        let object = self.copied.next;
        let done = match self.to.write(Transfer::Variable, block) {
            Ok(done) => done,
            Err(failed) => {
                let limits = self.to.block_limits();
                let takes = limits.contain(length.into())
                    && length.is_multiple_of(limits.granularity_bytes.max(1));
                return Err(match failed.sense {
                    Sense::IllegalRequest if !takes => Error::BlockLength {
                        object,
                        length,
                        min: limits.min_bytes,
                        max: limits.max_bytes,
                        granularity: limits.granularity_bytes,
                    },
                    _ => write_error(object, "write", failed),
                });
            }
        };
        let fitted = self.written(done)?;
        if fitted {
            self.copied.blocks += 1;
            self.copied.bytes += u64::from(length);
        }
        Ok(fitted)
    }

    fn mark(&mut self, mark: Mark) -> Result<bool, Error> {
        let written = self.to.write_marks(mark, 1, WriteMode::Immediate);
        let done =
            written.map_err(|failed| write_error(self.copied.next, "write a mark", failed))?;
        let fitted = self.written(done)?;
        if fitted {
            match mark {
                Mark::Filemark => self.copied.filemarks += 1,
                Mark::Setmark => self.copied.setmarks += 1,
            }
        }
        Ok(fitted)
    }

    fn record(&mut self, objects: u64) -> Result<bool, Error> {
        for _ in 0..objects {
            let object = self.copied.next;
            let done = self
                .to
                .record_unreadable(0)
                .map_err(|failed| Error::NotRecordable { object, failed })?;
            if !self.written(done)? {
                return Ok(false);
            }
            Gap::add(&mut self.copied.unreadable, object, 1);
        }
        Ok(true)
    }

    fn pass(&mut self, objects: u64) {
        Gap::add(&mut self.copied.unreadable, self.copied.next, objects);
        self.copied.next.0 += objects;
    }

    /// Takes the target's answer to the writing of one object; says whether it fitted.
    fn written(&mut self, done: Done) -> Result<bool, Error> {
        let before = self.copied.target.object;
        let expected = ObjectNumber(before.0 + u64::from(done.count > 0));
        self.copied.target = done.position;
        if done.position.object != expected {
            return Err(Error::Position {
                side: Side::Second,
                expected,
                found: done.position.object,
            });
        }
        self.warned = done.stop.is_some();
        if done.count > 0 {
            self.copied.next.0 += 1;
        }
        Ok(done.count > 0)
    }

    fn commit(&mut self) -> Result<(), Error> {
        let drive: &mut dyn Drive = self.to;
        let committed = drive.write_marks(Mark::Filemark, 0, WriteMode::Commit);
        match committed {
            Ok(done) => {
                self.copied.target = done.position;
                Ok(())
            }
            Err(failed) => Err(write_error(self.copied.next, "commit", failed)),
        }
    }
}
