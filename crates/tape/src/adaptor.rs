//! Adaptors: a volume behind a pointer, and a drive with nothing beside.

use crate::attributes::Attributes;
use crate::drive::{Door, Drive, ModeSelect, Transfer};
use crate::motion::Motion;
use crate::numbers::{
    BlockLimits, Capacity, Identity, Mode, ObjectNumber, PartitionNumber, Position,
};
use crate::outcome::{Done, Failed, ReadDone, Sense};
use crate::volume::{
    AttributesError, Noted, Volume, VolumeError, VolumeIdentity, Writability, commit_before_end,
    writability_by_mode,
};

/// A drive that has nothing of a volume beside its operations.
#[derive(Debug)]
pub struct Bare<D>(
    /// The drive.
    pub D,
);

impl<D: Drive> Drive for Bare<D> {
    fn identity(&self) -> Identity {
        self.0.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.0.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.0.test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.0.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.0.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.0.read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.0.write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.0.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.0.execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.0.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.0.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.0.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.0.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        self.0.take_recovered()
    }
}

impl<D: Drive> Volume for Bare<D> {
    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn record_unreadable(&mut self, _length_bytes: u32) -> Result<Done, Failed> {
        let position = self.0.position().ok();
        Err(Failed::at(Sense::IllegalRequest, position))
    }

    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    fn known_position(&self) -> Option<Position> {
        None
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        writability_by_mode(&mut self.0)
    }

    fn attributes(&mut self, _partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn set_attributes(
        &mut self,
        _partition: PartitionNumber,
        _attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    fn finish(mut self: Box<Self>) -> Result<(), VolumeError> {
        commit_before_end(&mut self.0).map_err(VolumeError::new)
    }
}

impl<V: Drive + ?Sized> Drive for Box<V> {
    fn identity(&self) -> Identity {
        (**self).identity()
    }

    fn block_limits(&self) -> BlockLimits {
        (**self).block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        (**self).test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        (**self).mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        (**self).set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        (**self).read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        (**self).write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        (**self).extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        (**self).execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        (**self).unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        (**self).position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        (**self).capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        (**self).set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        (**self).take_recovered()
    }
}

impl Volume for Box<dyn Volume> {
    fn take_trouble(&mut self) -> Option<String> {
        (**self).take_trouble()
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        (**self).record_unreadable(length_bytes)
    }

    fn noted(&self) -> Noted {
        (**self).noted()
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        (**self).note_not_mirrored(from)
    }

    fn known_position(&self) -> Option<Position> {
        (**self).known_position()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        (**self).volume_identity()
    }

    fn writability(&mut self) -> Writability {
        (**self).writability()
    }

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        (**self).attributes(partition)
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        (**self).set_attributes(partition, attributes)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        (**self).lost_when_closed()
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        (*self).finish()
    }
}
