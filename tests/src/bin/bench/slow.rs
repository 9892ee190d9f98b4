//! A drive that takes its time for each record.

use std::time::Duration;

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind,
    Mark, Mode, ModeSelect, Partitioning, Position, ReadDone, SpaceUnit, Transfer, WriteMode,
};

/// Waits before each write.
pub struct Slow<D> {
    drive: D,
    delay: Duration,
}

impl<D> Slow<D> {
    pub fn new(drive: D, delay: Duration) -> Self {
        Slow { drive, delay }
    }
}

impl<D: Drive> Drive for Slow<D> {
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
        std::thread::sleep(self.delay);
        self.drive.write(transfer, data)
    }
    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.drive.extend(data)
    }
    fn write_marks(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<Done, Failed> {
        self.drive.write_marks(mark, count, mode)
    }
    fn space(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.drive.space(unit, count)
    }
    fn space_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.drive.space_to_end_of_data()
    }
    fn locate(&mut self, to: Address) -> Result<Done, Failed> {
        self.drive.locate(to)
    }
    fn rewind(&mut self) -> Result<Done, Failed> {
        self.drive.rewind()
    }
    fn load(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.drive.load(kind)
    }
    fn unload(&mut self) -> Result<(), Failed> {
        self.drive.unload()
    }
    fn erase(&mut self, extent: EraseExtent) -> Result<Done, Failed> {
        self.drive.erase(extent)
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
    fn make_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.drive.make_partitions(partitioning)
    }
}
