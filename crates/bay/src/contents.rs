//! What is in a slot, as one volume.

use pseudotape_drive::{FileMedium, ImageDrive, Overrides};
use pseudotape_tape::{
    Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode,
    ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone, Transfer, Volume,
    VolumeError, VolumeIdentity, Writability,
};

use crate::guest::Guest;
use crate::keeper::Keeper;

/// A drive of ours, and what was loaded in place of an image.
pub(crate) struct Own {
    pub(crate) drive: Box<ImageDrive<FileMedium>>,
    /// What the drive was configured with; a guest could not keep it.
    pub(crate) overrides: Overrides,
    /// Why the host did not let the cartridge be opened for writing.
    pub(crate) refusal: Option<String>,
    pub(crate) guest: Option<Box<Guest>>,
    /// What was said of the filter when the volume was loaded.
    pub(crate) notice: Option<String>,
    /// Who keeps the volume in the drive, and is told what becomes of it.
    pub(crate) keeper: Option<Box<dyn Keeper>>,
    /// What an errno can't say of a kept volume.
    pub(crate) trouble: Option<String>,
}

impl Own {
    /// Puts a volume in that brings its own drive. To programs the drive stays the same one.
    pub(crate) fn put_guest(&mut self, mut guest: Box<Guest>) {
        guest.chosen = self.drive.chosen();
        self.guest = Some(guest);
    }

    /// Takes that volume out.
    pub(crate) fn take_guest(&mut self) -> Option<Box<Guest>> {
        let guest = self.guest.take()?;
        self.drive.adopt_mode(guest.chosen);
        Some(guest)
    }
}

pub(crate) enum Contents {
    /// Volumes are loaded here by their specification.
    Own(Own),
    /// The volume comes and goes by another hand: a slave, a tape that a server holds for good.
    Fixed(Box<dyn Volume>),
}

impl Contents {
    /// The drive, for st.
    pub(crate) fn drive(&mut self) -> &mut dyn Drive {
        match self {
            Contents::Own(Own {
                guest: Some(guest), ..
            }) => &mut **guest,
            Contents::Own(own) => match own.keeper {
                Some(_) => own,
                None => &mut *own.drive,
            },
            Contents::Fixed(volume) => volume,
        }
    }

    fn asked(&self) -> &dyn Drive {
        match self {
            Contents::Own(Own {
                guest: Some(guest), ..
            }) => &**guest,
            Contents::Own(Own { drive, .. }) => &**drive,
            Contents::Fixed(volume) => volume,
        }
    }

    /// The volume, for those who hold it.
    pub(crate) fn volume(&self) -> &dyn Volume {
        match self {
            Contents::Own(Own {
                guest: Some(guest), ..
            }) => &*guest.volume,
            Contents::Own(Own { drive, .. }) => &**drive,
            Contents::Fixed(volume) => &**volume,
        }
    }

    fn volume_mut(&mut self) -> &mut dyn Volume {
        match self {
            Contents::Own(Own {
                guest: Some(guest), ..
            }) => &mut *guest.volume,
            Contents::Own(Own { drive, .. }) => &mut **drive,
            Contents::Fixed(volume) => &mut **volume,
        }
    }
}

impl Drive for Contents {
    fn identity(&self) -> Identity {
        self.asked().identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.asked().block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.drive().test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.drive().mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.drive().set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.drive().read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.drive().write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.drive().extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.drive().execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.drive().unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.drive().position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.drive().capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.drive().set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        self.drive().take_recovered()
    }
}

impl Volume for Contents {
    fn take_trouble(&mut self) -> Option<String> {
        let kept = match self {
            Contents::Own(own) => own.trouble.take(),
            Contents::Fixed(_) => None,
        };
        kept.or_else(|| self.volume_mut().take_trouble())
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        self.volume_mut().record_unreadable(length_bytes)
    }

    fn noted(&self) -> Noted {
        self.volume().noted()
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        self.volume_mut().note_not_mirrored(from)
    }

    fn known_position(&self) -> Option<Position> {
        self.volume().known_position()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        self.volume().volume_identity()
    }

    fn writability(&mut self) -> Writability {
        self.volume_mut().writability()
    }

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        self.volume_mut().attributes(partition)
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        self.volume_mut().set_attributes(partition, attributes)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        self.volume_mut().lost_when_closed()
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        match *self {
            Contents::Own(Own {
                guest: Some(guest), ..
            }) => guest.volume.finish(),
            Contents::Own(Own { drive, .. }) => drive.finish(),
            Contents::Fixed(volume) => volume.finish(),
        }
    }
}
