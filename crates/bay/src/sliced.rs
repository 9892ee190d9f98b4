//! Long motions in slices, so that they end with whoever asked for them.

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mark, Mode, ModeSelect, Motion,
    Position, ReadDone, Transfer, WriteMode,
};

/// Marks that are written without a look around: milliseconds of work on a file.
pub const SLICE_MARKS: u32 = 4096;

/// A drive that does in slices what can take long, and asks before each further slice whether anybody still waits
/// for it.
///
/// Only the number of marks makes one motion of a drive of ours long: spacing and locating go by the index, erasing
/// cuts a file.
///
/// | count of marks | result | position after |
/// |---|---|---|
/// | at most [`SLICE_MARKS`] | that of the drive below | that of the drive below |
/// | more, wanted to the end | that of one motion; early warning is told of the last slice | behind the last |
/// | more, given up | the count so far, and no stop | behind what was written; nothing of this was committed |
pub struct Sliced<'a> {
    drive: &'a mut dyn Drive,
    wanted: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> Sliced<'a> {
    /// The drive below, and whether somebody still waits.
    pub fn new(drive: &'a mut dyn Drive, wanted: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Sliced { drive, wanted }
    }

    fn write_in_slices(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<Done, Failed> {
        let mut written = 0_u64;
        let mut left = count;
        loop {
            let now = left.min(SLICE_MARKS);
            left -= now;
            // The last slice commits what the others wrote.
            let mode = if left == 0 {
                mode
            } else {
                WriteMode::Immediate
            };
            let done = self.drive.write_marks(mark, now, mode);
            let done = done.map_err(|failed| Failed {
                count: failed.count.saturating_add(written),
                ..failed
            })?;
            written = written.saturating_add(done.count);
            let whole = Done {
                count: written,
                ..done
            };
            if left == 0 || done.count < u64::from(now) {
                return Ok(whole);
            }
            if !(self.wanted)() {
                log::warn!("wrote {written} of {count} marks: nobody waits for the others");
                return Ok(Done {
                    stop: None,
                    ..whole
                });
            }
        }
    }
}

impl Drive for Sliced<'_> {
    fn identity(&self) -> Identity {
        self.drive.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.drive.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.drive.test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.drive.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.drive.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.drive.read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.drive.write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.drive.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { mark, count, mode } if count > SLICE_MARKS => {
                self.write_in_slices(mark, count, mode)
            }
            Motion::WriteMarks { .. }
            | Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind
            | Motion::Load(_)
            | Motion::Erase(_)
            | Motion::MakePartitions(_) => self.drive.execute(motion),
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.drive.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.drive.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.drive.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.drive.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        self.drive.take_recovered()
    }
}
