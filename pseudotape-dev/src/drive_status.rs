//! What an operator sees of a drive.

use std::time::{Duration, Instant};

use pseudotape_control::{CapacityStatus, DriveStatus, MediumStatus, PositionStatus};
use pseudotape_drive::{Cartridge, FileMedium, ImageDrive};
use pseudotape_tape::Drive;

use crate::held::Held;
use crate::tape_drive::{DriveState, TapeDrive};

/// How long a call may last without being noticed by who asks for the status.
const BUSY_AFTER: Duration = Duration::from_millis(200);
/// How often the drive's lock is tried meanwhile.
const TRY_EVERY: Duration = Duration::from_millis(1);

impl TapeDrive {
    /// What the operator sees; does not wait for a call that takes long.
    #[must_use]
    pub fn status(&self) -> DriveStatus {
        let until = Instant::now() + BUSY_AFTER;
        loop {
            if let Some(mut state) = self.idle_state() {
                let status = self.look(&mut state);
                self.seen().status = Some(status.clone());
                return status;
            }
            if Instant::now() >= until {
                break;
            }
            std::thread::sleep(TRY_EVERY);
        }
        let seen = self.seen();
        match seen.status.clone() {
            Some(status) => DriveStatus {
                nodes: seen.nodes.clone(),
                open: seen.opener.clone(),
                busy: true,
                slave: self.slave_side().map(|side| side.status()),
                ..status
            },
            None => {
                drop(seen);
                self.look(&mut self.state())
            }
        }
    }

    fn look(&self, state: &mut DriveState) -> DriveStatus {
        let snapshot = state.st.snapshot();
        let position = state.held.peek_position().map(|at| PositionStatus {
            partition: at.partition.0,
            file: snapshot.file.map(i64::from),
            block: snapshot.block.map(i64::from),
            object: at.object.0,
        });
        let (medium, capacity) = match &mut state.held {
            Held::Image(drive) => (medium_status(drive), capacity_status(drive)),
            // Only its slave knows, and it is not asked.
            Held::Slave(..) => (None, None),
        };
        let seen = self.seen();
        DriveStatus {
            drive: self.number(),
            nodes: seen.nodes.clone(),
            identity: state.held.identity(),
            personality: state.held.personality().to_owned(),
            medium,
            position,
            capacity,
            transfer: state.transfer,
            flags: snapshot
                .general
                .iter_names()
                .map(|(name, _)| name.to_owned())
                .collect(),
            block_size: snapshot.block_size,
            density: snapshot.density,
            last_error: state.last_error.clone().or(snapshot.last_error),
            open: seen.opener.clone(),
            busy: false,
            slave: self.slave_side().map(|side| side.status()),
        }
    }
}

fn medium_status(images: &ImageDrive<FileMedium>) -> Option<MediumStatus> {
    let cartridge = images.cartridge()?;
    Some(MediumStatus {
        image: cartridge.medium().path().to_owned(),
        volume: cartridge.header().volume.to_string(),
        label: Some(cartridge.label().to_owned()).filter(|label| !label.is_empty()),
        barcode: Some(cartridge.barcode().to_owned()).filter(|barcode| !barcode.is_empty()),
        loaded: images.is_loaded(),
        write_protected: cartridge.is_write_protected(),
        worm: cartridge.is_worm(),
        partitions: cartridge.partition_count(),
    })
}

fn capacity_status(images: &mut ImageDrive<FileMedium>) -> Option<CapacityStatus> {
    let capacity = images.capacity().ok()?;
    Some(CapacityStatus {
        total_bytes: capacity.total_bytes,
        early_warning_bytes: capacity.early_warning_bytes,
        used_bytes: capacity.used_bytes,
        left_bytes: capacity.left_bytes(),
        host_bytes: images.cartridge().map_or(0, Cartridge::host_bytes),
    })
}
