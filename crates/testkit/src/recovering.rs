//! A drive that has to repair something now and then.

use std::ops::{Deref, DerefMut};

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Noted,
    ObjectNumber, Position, ReadDone, Transfer, Volume, VolumeError, VolumeIdentity, Writability,
};

/// A drive whose first writes succeed after a repair (RECOVERED ERROR), one error each.
#[derive(Debug)]
pub struct Recovering<D> {
    drive: D,
    left: u32,
    recovered: u32,
}

impl<D> Recovering<D> {
    /// The drive, with so many errors that it is going to recover.
    #[must_use]
    pub fn new(drive: D, errors: u32) -> Self {
        Recovering {
            drive,
            left: errors,
            recovered: 0,
        }
    }
}

impl<D> Deref for Recovering<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.drive
    }
}

impl<D> DerefMut for Recovering<D> {
    fn deref_mut(&mut self) -> &mut D {
        &mut self.drive
    }
}

impl<D: Drive> Drive for Recovering<D> {
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
        let done = self.drive.write(transfer, data)?;
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.recovered += 1;
        }
        Ok(done)
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
        std::mem::take(&mut self.recovered).saturating_add(self.drive.take_recovered())
    }
}

impl<V: Volume> Volume for Recovering<V> {
    fn take_trouble(&mut self) -> Option<String> {
        self.drive.take_trouble()
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        self.drive.record_unreadable(length_bytes)
    }

    fn noted(&self) -> Noted {
        self.drive.noted()
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        self.drive.note_not_mirrored(from)
    }

    fn known_position(&self) -> Option<Position> {
        self.drive.known_position()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        self.drive.volume_identity()
    }

    fn writability(&mut self) -> Writability {
        self.drive.writability()
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        self.drive.lost_when_closed()
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Box::new(self.drive).finish()
    }
}
