//! The status of a drive, for the operator: what the bay saw of it as a message.

use std::time::Duration;

use pseudotape_bay::{LoadedVolume, Sighting, Transferred};
use pseudotape_control::{
    CapacityStatus, DriveStatus, MediumStatus, PositionStatus, TransferStatus,
};
use pseudotape_sink::left_on_both;
use pseudotape_tape::{Identity, Noted};

use crate::tape_drive::TapeDrive;

/// How long a call may last without being noticed by whoever asks for the status.
const BUSY_AFTER: Duration = Duration::from_millis(200);

impl TapeDrive {
    /// The status as the operator sees it; does not wait for a call that takes long.
    #[must_use]
    pub fn status(&self) -> DriveStatus {
        let Sighting { look, opener, busy } = self.look(BUSY_AFTER);
        let driver = look.driver;
        let position = look.position.map(|at| PositionStatus {
            partition: at.partition.0,
            file: driver.file.map(i64::from),
            block: driver.block.map(i64::from),
            object: at.object.0,
        });
        let Identity {
            vendor,
            product,
            revision,
            serial,
        } = look.identity;
        DriveStatus {
            drive: self.number(),
            nodes: self.known_nodes().clone(),
            identity: format!("{vendor} {product} {revision} {serial}"),
            personality: look
                .personality
                .unwrap_or(match self.legs_side() {
                    Some(_) => "mirror",
                    None => "slave",
                })
                .to_owned(),
            library: None,
            capacity: look.volume.as_ref().and_then(capacity_status),
            medium: look.volume.map(medium_status),
            position,
            transfer: transfer_status(look.transferred),
            flags: driver
                .general
                .iter_names()
                .map(|(name, _)| name.to_owned())
                .collect(),
            block_size: driver.block_size,
            density: driver.density,
            last_error: look.trouble.or(driver.last_error),
            open: opener.map(Into::into),
            busy,
            slave: self.slave_side().map(|side| side.status()),
            mirror: self.legs_side().map(|legs| legs.summary()),
            faults: self.listed_faults(),
        }
    }
}

fn medium_status(volume: LoadedVolume) -> MediumStatus {
    let LoadedVolume {
        loaded,
        identity,
        noted,
        ..
    } = volume;
    MediumStatus {
        image: loaded.name,
        volume: identity.id.map(|id| id.to_string()).unwrap_or_default(),
        label: Some(identity.label).filter(|label| !label.is_empty()),
        barcode: Some(identity.barcode).filter(|barcode| !barcode.is_empty()),
        loaded: loaded.ready,
        write_protected: loaded.write_protected,
        read_only: loaded.read_only,
        worm: loaded.worm,
        partitions: loaded.partitions,
        incomplete_from: incomplete_from(noted),
        notice: loaded.notice,
    }
}

/// The first object that a volume lacks, where the volume is marked as no whole copy.
pub(crate) fn incomplete_from(noted: Noted) -> Option<u64> {
    match noted {
        Noted::NotMirroredFrom(object) => Some(object.0),
        Noted::Mirrored | Noted::NoPlace => None,
    }
}

fn capacity_status(volume: &LoadedVolume) -> Option<CapacityStatus> {
    let capacity = volume.capacity?;
    Some(CapacityStatus {
        total_bytes: capacity.total_bytes,
        early_warning_bytes: capacity.early_warning_bytes,
        used_bytes: capacity.used_bytes,
        left_bytes: left_on_both(capacity.left_bytes(), volume.host_room_bytes),
        host_bytes: volume.loaded.host_bytes.unwrap_or(0),
    })
}

fn transfer_status(transferred: Transferred) -> TransferStatus {
    let Transferred {
        written_bytes,
        read_bytes,
        writes,
        reads,
    } = transferred;
    TransferStatus {
        written_bytes,
        read_bytes,
        writes,
        reads,
    }
}
