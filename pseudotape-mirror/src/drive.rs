//! `trait Drive` over the legs.

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Transfer,
};

use crate::change::Change;
use crate::mirror::MirrorDrive;

impl Drive for MirrorDrive {
    fn identity(&self) -> Identity {
        self.own_identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.limits
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.begin().map(drop)
    }

    /// Blocks that one leg could not read and another could, and what the legs' drives recovered.
    fn take_recovered(&mut self) -> u32 {
        let own = std::mem::take(&mut self.recovered);
        self.legs.iter().fold(own, |sum, leg| {
            // One that is working is asked the next time.
            let core = leg.seat.core.try_lock();
            sum.saturating_add(core.map_or(0, |mut core| core.drive().take_recovered()))
        })
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.mode_now()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.change_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.read_blocks(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.change(Change::Blocks(transfer, data))
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.change(Change::Extend(data))
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { mark, count, mode } => self.put_marks(mark, count, mode),
            Motion::Space { .. } | Motion::SpaceToEndOfData => {
                self.motion(None, &|drive| drive.execute(motion))
            }
            Motion::Locate(to) => self.motion(Some(to), &|drive| drive.execute(motion)),
            Motion::Rewind => self.rewind_all(),
            Motion::Load(kind) => self.load_all(kind),
            Motion::Erase(extent) => self.change(Change::Erase(extent)),
            Motion::MakePartitions(partitioning) => self.cut(partitioning),
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.unload_all()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.begin()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.capacity_now()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.move_door(door)
    }
}
