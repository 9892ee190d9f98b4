//! `trait Drive` over the legs.

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind,
    Mark, Mode, ModeSelect, Partitioning, Position, ReadDone, SpaceUnit, Transfer, WriteMode,
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

    fn write_marks(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<Done, Failed> {
        self.put_marks(mark, count, mode)
    }

    fn space(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.motion(None, &|drive| drive.space(unit, count))
    }

    fn space_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.motion(None, &|drive| drive.space_to_end_of_data())
    }

    fn locate(&mut self, to: Address) -> Result<Done, Failed> {
        self.motion(Some(to), &|drive| drive.locate(to))
    }

    fn rewind(&mut self) -> Result<Done, Failed> {
        self.rewind_all()
    }

    fn load(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.load_all(kind)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.unload_all()
    }

    fn erase(&mut self, extent: EraseExtent) -> Result<Done, Failed> {
        self.change(Change::Erase(extent))
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

    fn make_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.cut(partitioning)
    }
}
