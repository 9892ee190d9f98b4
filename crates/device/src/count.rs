//! Positions on a tape whose drive can't report its position: objects are counted from the beginning, by
//! reading.
//!
//! Objects that were passed once are remembered ([`Files`](crate::files::Files)), so going back to one takes a
//! rewind and two spacing operations. All objects before the current position have been passed. The drive is
//! never told to space backwards or over a mark that was not seen yet: emulations without positions are not
//! exact there.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Done, Failed, Position, Sense, SpaceUnit, Stop, Transfer};

use crate::state::{DeviceDrive, Locating, Whereabouts};

impl DeviceDrive {
    /// Converts a position that the driver knows as file and block into an object number, by counting from the
    /// beginning. The tape ends up at that position.
    pub(crate) fn count_to(&mut self, file: u64, block: u64) -> Result<u64, Failed> {
        self.rewind_to_count()?;
        while self.medium.files.start_of(file).is_none() {
            if let Some(Stop::EndOfData) = self.see_one()? {
                return self.lost_count();
            }
        }
        let start = self.medium.files.start_of(file).unwrap_or(0);
        let target = start.saturating_add(block);
        self.count_to_object(target)?;
        match self.medium.place {
            Whereabouts::At(object) if object == target => Ok(object),
            Whereabouts::At(_) | Whereabouts::InFile { .. } | Whereabouts::Lost => {
                self.lost_count()
            }
        }
    }

    fn lost_count(&mut self) -> Result<u64, Failed> {
        self.lose_place();
        Err(Failed::at(Sense::Reset, None))
    }

    /// Makes the driver's file and block numbers right again: the next program that opens the node starts from
    /// them.
    pub(crate) fn count_for_others(&mut self) {
        if self.medium.locating == Locating::Counted
            && self.medium.miscounted
            && let Whereabouts::At(object) = self.medium.place
            && self.rewind_to_count().is_ok()
        {
            // If this fails, the numbers are right as well, for another position.
            self.count_to_object(object).ok();
        }
    }

    fn rewind_to_count(&mut self) -> Result<(), Failed> {
        match self.operate(Operation::Rewind, 1) {
            Ok(()) => {
                self.rewound();
                self.arrive(0, Some(0));
                Ok(())
            }
            Err(errno) => Err(self.lost_by("rewinding to count", errno)),
        }
    }

    /// Reads the first object that was not seen yet. Returns the stop if the object is not a block.
    fn see_one(&mut self) -> Result<Option<Stop>, Failed> {
        let end = self.medium.files.covered();
        self.move_to(end)?;
        if self.medium.files.ended() {
            return Ok(Some(Stop::EndOfData));
        }
        self.read_blocks(Transfer::Variable, &mut [])
            .map(|read| read.stop)
    }

    /// Goes to an object that was seen before.
    fn move_to(&mut self, object: u64) -> Result<(), Failed> {
        let mut at = self.begin()?;
        if object < at {
            self.rewind_to_count()?;
            while self.medium.files.covered() < object {
                // The rewind has forgotten what only the driver had counted.
                if let Some(Stop::EndOfData) = self.see_one()? {
                    return self.lost_count().map(drop);
                }
            }
            at = self.begin()?;
        }
        if at == object {
            return Ok(());
        }
        let files = &self.medium.files;
        let (from, to) = (files.file_at(at), files.file_at(object));
        let (Some(from), Some(to)) = (from, to) else {
            return self.lost_count().map(drop);
        };
        if to > from {
            self.step_exactly(Operation::ForwardFilemarks, to - from)?;
            at = self.medium.files.start_of(to).unwrap_or(at);
        }
        if let Some(before) = (object - at).checked_sub(1) {
            self.step_exactly(Operation::ForwardBlocks, before)?;
            self.pass_by_reading()?;
        }
        self.arrive(object, Some(to));
        Ok(())
    }

    /// Passes a block that was seen before, by reading it: with some emulations spacing over the last block of
    /// a tape is an error.
    fn pass_by_reading(&mut self) -> Result<(), Failed> {
        let length = self.longest();
        let read = match &self.node {
            Some(node) => node.read(self.buffer.get(length)),
            None => Err(Errno::ENXIO),
        };
        match read {
            Ok(1..) | Err(Errno::ENOMEM) => Ok(()),
            Ok(0) => Err(self.lost_by("passing a block", Errno::EIO)),
            Err(errno) => Err(self.lost_by("passing a block", errno)),
        }
    }

    fn step_exactly(&mut self, operation: Operation, count: u64) -> Result<(), Failed> {
        let Ok(count) = i32::try_from(count) else {
            return self.fail(Sense::IllegalRequest, 0);
        };
        if count == 0 {
            return Ok(());
        }
        match self.operate(operation, count) {
            Ok(()) => Ok(()),
            Err(errno) => Err(self.lost_by("stepping to a place", errno)),
        }
    }

    /// LOCATE.
    pub(crate) fn count_to_object(&mut self, object: u64) -> Result<Done, Failed> {
        match self.medium.place {
            Whereabouts::At(_) => {}
            Whereabouts::InFile { .. } => self.rewind_to_count()?,
            Whereabouts::Lost => self.go_to_beginning().map(drop)?,
        }
        while self.medium.files.covered() < object {
            if let Some(Stop::EndOfData) = self.see_one()? {
                return Ok(self.done(0, Some(Stop::EndOfData)));
            }
        }
        self.move_to(object)?;
        Ok(self.done(0, None))
    }

    /// SPACE: computes the target from the objects seen, reads those that were not seen yet, then goes to the
    /// target.
    pub(crate) fn count_over(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        let start: Position = self.position_here();
        let mut at = start.object.0;
        let (mut done, mut stop) = (0, None);
        while done < count.unsigned_abs() && stop.is_none() {
            if count > 0
                && at == self.medium.files.covered()
                && let Some(Stop::EndOfData) = self.see_one()?
            {
                stop = Some(Stop::EndOfData);
                break;
            }
            let Some(passed) = (if count > 0 {
                Some(at)
            } else {
                at.checked_sub(1)
            }) else {
                stop = Some(Stop::BeginningOfPartition);
                break;
            };
            let mark = self.medium.files.is_mark(passed) == Some(true);
            at = if count > 0 { at + 1 } else { passed };
            match (unit, mark) {
                (SpaceUnit::Blocks, true) => stop = Some(Stop::Filemark),
                (SpaceUnit::Blocks, false) | (SpaceUnit::Filemarks, true) => done += 1,
                (SpaceUnit::Filemarks, false) | (SpaceUnit::Setmarks, _) => {}
            }
        }
        self.move_to(at)?;
        Ok(self.done(done, stop))
    }
}
