//! `trait Drive` over the legs.

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Transfer,
};

use super::MirrorDrive;
use super::besides::Rest;
use crate::change::Change;

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
        let legs = self.legs.iter().map(crate::leg::Leg::take_recovered);
        legs.fold(own, u32::saturating_add)
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
        self.change(Change::blocks(transfer, data))
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.change(Change::extend(data))
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { .. } | Motion::Erase(_) => self.change(Change::motion(motion)),
            Motion::Space { .. } | Motion::SpaceToEndOfData => self.move_all(motion, None),
            Motion::Locate(to) => self.move_all(motion, Some(to)),
            Motion::Rewind => self.rewind_all(),
            Motion::Load(_) => self.load_all(motion),
            Motion::MakePartitions(_) => self.make_partitions_on_all(motion),
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.unload_all(Rest::Stays)
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
