//! The status of a drive, for the operator.

use std::time::{Duration, Instant};

use pseudotape_bay::{Loaded, Slot};
use pseudotape_control::{CapacityStatus, DriveStatus, MediumStatus, PositionStatus};
use pseudotape_sink::left_on_both;
use pseudotape_tape::Noted;

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
        let position = state.slot.known_position().map(|at| PositionStatus {
            partition: at.partition.0,
            file: snapshot.file.map(i64::from),
            block: snapshot.block.map(i64::from),
            object: at.object.0,
        });
        let loaded = state.slot.loaded();
        let medium = loaded
            .as_ref()
            .map(|loaded| medium_status(&state.slot, loaded));
        // Where the volume is another hand's, only that hand knows, and it is not asked.
        let capacity = loaded.and_then(|loaded| capacity_status(&mut state.slot, &loaded));
        let personality = state.slot.personality();
        let personality = personality.map_or("slave", |personality| personality.name);
        let personality = personality.to_owned();
        let identity = state.slot.drive().identity();
        let seen = self.seen();
        DriveStatus {
            drive: self.number(),
            nodes: seen.nodes.clone(),
            identity: format!(
                "{} {} {} {}",
                identity.vendor, identity.product, identity.revision, identity.serial
            ),
            personality,
            medium,
            position,
            capacity,
            transfer: state.holder.transfer,
            flags: snapshot
                .general
                .iter_names()
                .map(|(name, _)| name.to_owned())
                .collect(),
            block_size: snapshot.block_size,
            density: snapshot.density,
            last_error: state.holder.last_error.clone().or(snapshot.last_error),
            open: seen.opener.clone(),
            busy: false,
            slave: self.slave_side().map(|side| side.status()),
        }
    }
}

fn medium_status(slot: &Slot, loaded: &Loaded) -> MediumStatus {
    let volume = slot.volume().volume_identity();
    MediumStatus {
        image: loaded.name.clone(),
        volume: volume.id.map(|id| id.to_string()).unwrap_or_default(),
        label: Some(volume.label).filter(|label| !label.is_empty()),
        barcode: Some(volume.barcode).filter(|barcode| !barcode.is_empty()),
        loaded: loaded.ready,
        write_protected: loaded.write_protected,
        read_only: loaded.read_only.clone(),
        worm: loaded.worm,
        partitions: loaded.partitions,
        incomplete_from: incomplete_from(slot),
    }
}

/// What the volume is marked with; asks no drive.
pub(crate) fn incomplete_from(slot: &Slot) -> Option<u64> {
    match slot.volume().noted() {
        Noted::NotMirroredFrom(object) => Some(object.0),
        Noted::Mirrored | Noted::NoPlace => None,
    }
}

fn capacity_status(slot: &mut Slot, loaded: &Loaded) -> Option<CapacityStatus> {
    // A drive that is another node or another host is not asked: it may take long.
    slot.volume().volume_identity().id?;
    let capacity = slot.drive().capacity().ok()?;
    Some(CapacityStatus {
        total_bytes: capacity.total_bytes,
        early_warning_bytes: capacity.early_warning_bytes,
        used_bytes: capacity.used_bytes,
        left_bytes: left_on_both(capacity.left_bytes(), slot.host_room_bytes()),
        host_bytes: loaded.host_bytes.unwrap_or(0),
    })
}
