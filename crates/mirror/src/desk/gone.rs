//! What is in the place of a leg that was closed: nobody.

use pseudotape_tape::{
    Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode,
    ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone, Sense, Transfer,
    Volume, VolumeError, VolumeIdentity, Writability,
};

/// A drive that is not there.
pub(crate) struct Gone;

const NOBODY: Failed = Failed {
    sense: Sense::NoDrive,
    count: 0,
    position: None,
};

impl Drive for Gone {
    fn identity(&self) -> Identity {
        Identity::default()
    }
    fn block_limits(&self) -> BlockLimits {
        BlockLimits {
            min_bytes: 1,
            max_bytes: 0,
            granularity_bytes: 1,
        }
    }
    fn test_ready(&mut self) -> Result<(), Failed> {
        Err(NOBODY)
    }
    fn mode(&mut self) -> Result<Mode, Failed> {
        Err(NOBODY)
    }
    fn set_mode(&mut self, _: ModeSelect) -> Result<(), Failed> {
        Err(NOBODY)
    }
    fn read(&mut self, _: Transfer, _: &mut [u8]) -> Result<ReadDone, Failed> {
        Err(NOBODY)
    }
    fn write(&mut self, _: Transfer, _: &[u8]) -> Result<Done, Failed> {
        Err(NOBODY)
    }
    fn extend(&mut self, _: &[u8]) -> Result<Done, Failed> {
        Err(NOBODY)
    }
    fn execute(&mut self, _: Motion) -> Result<Done, Failed> {
        Err(NOBODY)
    }
    fn unload(&mut self) -> Result<(), Failed> {
        Err(NOBODY)
    }
    fn position(&mut self) -> Result<Position, Failed> {
        Err(NOBODY)
    }
    fn capacity(&mut self) -> Result<Capacity, Failed> {
        Err(NOBODY)
    }
    fn set_door(&mut self, _: Door) -> Result<(), Failed> {
        Err(NOBODY)
    }

    fn take_recovered(&mut self) -> u32 {
        0
    }
}

impl Volume for Gone {
    fn take_trouble(&mut self) -> Option<String> {
        None
    }
    fn record_unreadable(&mut self, _: u32) -> Result<Done, Failed> {
        Err(NOBODY)
    }
    fn noted(&self) -> Noted {
        Noted::NoPlace
    }
    fn note_not_mirrored(&mut self, _: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }
    fn known_position(&self) -> Option<Position> {
        None
    }
    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }
    fn writability(&mut self) -> Writability {
        Writability::Unknown
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
    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Ok(())
    }
}
