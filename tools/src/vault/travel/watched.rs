//! A drive that fails from the moment on in which a signal asks to end.

use std::sync::atomic::{AtomicBool, Ordering};

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Sense, Transfer,
};

/// A drive, and what says that it is to stop: a cartridge can take hours to be read, and goes back before the end.
pub(super) struct Watched<'a> {
    drive: &'a mut dyn Drive,
    ending: &'a AtomicBool,
}

impl<'a> Watched<'a> {
    pub(super) fn new(drive: &'a mut dyn Drive, ending: &'a AtomicBool) -> Self {
        Watched { drive, ending }
    }

    fn go_on(&self) -> Result<(), Failed> {
        match self.ending.load(Ordering::Relaxed) {
            true => Err(Failed::at(Sense::NoDrive, None)),
            false => Ok(()),
        }
    }
}

impl Drive for Watched<'_> {
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
        self.go_on()?;
        self.drive.read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.drive.write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.drive.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.go_on()?;
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
