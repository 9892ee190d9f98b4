//! An image in its drive as an opened volume.

use pseudotape_image::{Error, Image};
use pseudotape_tape::{
    Attributes, AttributesError, Done, Failed, Noted, ObjectNumber, PartitionNumber, Position,
    Volume, VolumeError, VolumeIdentity, Writability,
};

use crate::cartridge::Medium;
use crate::image_drive::ImageDrive;

impl<M: Medium> ImageDrive<M> {
    /// The image of a partition of the loaded cartridge, for what is kept beside its data.
    fn beside(
        &mut self,
        partition: PartitionNumber,
    ) -> Result<&mut Image<M::Store>, AttributesError> {
        let loaded = self.require_loaded();
        loaded.map_err(|failed| AttributesError::Failed(VolumeError::new(failed)))?;
        let cartridge = self.cartridge_in();
        match partition.0 < cartridge.partition_count() {
            true => Ok(cartridge.image_mut(partition.0)),
            false => Err(AttributesError::NoPartition),
        }
    }

    /// What an error of an image is to who asks for attributes.
    fn beside_error(&mut self, error: Error) -> AttributesError {
        match error {
            Error::AttributesTooLong { .. } => AttributesError::TooLong(VolumeError::new(error)),
            Error::ReadOnly | Error::WriteProtected | Error::DataMissing { .. } => {
                AttributesError::Protected
            }
            Error::AttributesDamaged { .. } => {
                self.trouble = Some(error.to_string());
                AttributesError::Damaged {
                    left: Attributes::new(),
                    error: VolumeError::new(error),
                }
            }
            _ => {
                self.trouble = Some(error.to_string());
                AttributesError::Failed(VolumeError::new(error))
            }
        }
    }
}

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

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        let kept = self.beside(partition)?.attributes();
        kept.map_err(|error| self.beside_error(error))
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        // A protected cartridge is protected in all its partitions.
        if self.beside(partition).is_ok() && self.tape().is_write_protected() {
            return Err(AttributesError::Protected);
        }
        let kept = self.beside(partition)?.set_attributes(attributes);
        self.extendable = None;
        kept.map_err(|error| self.beside_error(error))
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
