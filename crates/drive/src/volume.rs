//! An image in its drive as an opened volume.

use pseudotape_tape::{
    Done, Failed, Noted, ObjectNumber, Position, Volume, VolumeError, VolumeIdentity, Writability,
};

use crate::cartridge::Medium;
use crate::image_drive::ImageDrive;

impl<M: Medium> Volume for ImageDrive<M> {
    fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        self.put_bad_block(length_bytes)
    }

    fn noted(&self) -> Noted {
        match &self.cartridge {
            Some(cartridge) => match cartridge.incomplete_from() {
                Some(from) => Noted::NotMirroredFrom(from),
                None => Noted::Mirrored,
            },
            None => Noted::NoPlace,
        }
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        let Some(cartridge) = &mut self.cartridge else {
            return Ok(false);
        };
        if cartridge.incomplete_from() != from {
            cartridge
                .set_incomplete_from(from)
                .map_err(VolumeError::new)?;
        }
        Ok(true)
    }

    fn known_position(&self) -> Option<Position> {
        self.place()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        self.cartridge
            .as_ref()
            .map_or_else(VolumeIdentity::default, |cartridge| VolumeIdentity {
                id: Some(cartridge.header().volume),
                label: cartridge.label().to_owned(),
                barcode: cartridge.barcode().to_owned(),
                generation: Some(cartridge.generation()),
            })
    }

    fn writability(&mut self) -> Writability {
        match &self.cartridge {
            Some(cartridge) => cartridge.writability(),
            None => Writability::Unknown,
        }
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        let absent = self.cartridge.as_mut()?.check_presence().err()?;
        absent
            .is_lost_when_closed()
            .then(|| VolumeError::new(absent))
    }

    /// Commits and closes the cartridge, loaded or not; an empty drive has none to close.
    fn finish(mut self: Box<Self>) -> Result<(), VolumeError> {
        match self.eject() {
            Some(cartridge) => cartridge.finish().map_err(VolumeError::new),
            None => Ok(()),
        }
    }
}
