//! A drive that takes its time for each record.

use std::time::Duration;

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Transfer,
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
    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.drive.execute(motion)
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
