//! The medium in another drive, as an opened volume.

use pseudotape_tape::{
    Attributes, AttributesError, Done, Drive, Failed, Noted, ObjectNumber, PartitionNumber,
    Position, Sense, Volume, VolumeError, VolumeIdentity, Writability, commit_before_end,
    writability_by_mode,
};

use crate::state::DeviceDrive;
use pseudotape_tape::Access;

impl Volume for DeviceDrive {
    fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Refused: no request writes such a record.
    fn record_unreadable(&mut self, _length_bytes: u32) -> Result<Done, Failed> {
        let position = self.position().ok();
        Err(Failed::at(Sense::IllegalRequest, position))
    }

    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    fn known_position(&self) -> Option<Position> {
        self.here()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        match self.access {
            Access::ReadOnly => Writability::OpenedReadOnly,
            // No request returns whether a medium is WORM. It is known only after a refused overwrite.
            Access::ReadWrite => match writability_by_mode(self) {
                Writability::Untried if self.medium.worm => Writability::AppendOnly,
                told => told,
            },
        }
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
        commit_before_end(&mut *self).map_err(|failed| {
            let path = self.path().display();
            VolumeError::new(format!(
                "{path}: {failed}: what was written last may not be there"
            ))
        })
    }
}
