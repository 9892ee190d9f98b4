//! The mode of the drive, and the lock of its door.

use nix::errno::Errno;
use pseudotape_mtio::{GeneralStatus, Operation};
use pseudotape_tape::{Door, Failed, Mode, ModeSelect, Sense};

use crate::local::options_shown;
use crate::state::{DeviceDrive, Readiness};
use pseudotape_tape::Access;

/// Number of partitions that st supports.
const MOST_PARTITIONS: u8 = 4;

/// Buffered mode that is assumed until the host sets one.
const USUAL_BUFFERING: u8 = 1;

impl DeviceDrive {
    pub(crate) fn mode_now(&mut self) -> Result<Mode, Failed> {
        let status = match self.status() {
            Ok(status) => Some(status),
            Err(_) if self.readiness != Readiness::Ready => None,
            Err(errno) => return Err(self.failed("asking for the status", errno)),
        };
        let protected = self.access == Access::ReadOnly
            || self.medium.protected && self.readiness == Readiness::Ready
            || status.is_some_and(|status| status.general.contains(GeneralStatus::WR_PROT));
        Ok(Mode {
            block_size: self.block_size,
            density: status.map_or(0, |status| status.density),
            buffering: self.buffering.unwrap_or(USUAL_BUFFERING),
            write_protected: protected,
            compression: self.compression,
            last_partition: self.last_partition(),
        })
    }

    /// Largest partition number that st accepts; selecting a partition does not move the tape. This is not
    /// tried before partitions are used, because it needs an option of the driver to be set.
    pub(crate) fn last_partition(&self) -> u8 {
        let allowed = self.partitions_allowed
            || options_shown(&self.path).contains(pseudotape_mtio::Booleans::CAN_PARTITIONS);
        if !allowed || self.readiness != Readiness::Ready {
            return 0;
        }
        let takes = |number: u8| self.operate(Operation::SetPartition, number.into()).is_ok();
        let last = (1..MOST_PARTITIONS).rev().find(|number| takes(*number));
        // Selects the partition that the tape is in again.
        takes(self.medium.partition);
        last.unwrap_or(0)
    }

    /// Changes everything or nothing: if a change is refused, the changes before it are undone.
    pub(crate) fn change_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.begin_anywhere()?;
        if let Some(size) = change.block_size.filter(|size| *size != 0) {
            // The node stays in variable block mode. This only tests whether the drive accepts the size.
            let asked = i32::try_from(size).map_err(|_| Errno::EINVAL);
            let taken = asked.and_then(|size| self.operate(Operation::SetBlockSize, size));
            let variable = self.operate(Operation::SetBlockSize, 0);
            self.accept("setting the block size", taken.and(variable))?;
        }
        let density_before = self.status().ok().map(|status| status.density);
        if let Some(density) = change.density {
            let set = self.operate(Operation::SetDensity, density.into());
            self.accept("setting the density", set)?;
        }
        let rest = self.change_buffering(change.buffering);
        let rest = rest.and_then(|()| self.change_compression(change.compression));
        if let Err(failed) = rest {
            if let Some(density) = density_before.filter(|_| change.density.is_some()) {
                // The refusal is reported, whether this succeeds or not. The drive had this density before.
                self.operate(Operation::SetDensity, density.into()).ok();
            }
            return Err(failed);
        }
        self.block_size = change.block_size.unwrap_or(self.block_size);
        self.buffering = change.buffering.or(self.buffering);
        self.compression = change.compression.or(self.compression);
        Ok(())
    }

    fn change_buffering(&mut self, buffering: Option<u8>) -> Result<(), Failed> {
        match buffering {
            None => Ok(()),
            Some(mode @ 0..=7) => {
                let set = self.operate(Operation::SetDriveBuffer, mode.into());
                self.accept("setting the buffered mode", set)
            }
            Some(_) => self.fail(Sense::IllegalRequest, 0),
        }
    }

    fn change_compression(&mut self, compression: Option<bool>) -> Result<(), Failed> {
        let Some(on) = compression else {
            return Ok(());
        };
        let set = self.operate(Operation::Compression, on.into());
        self.accept("setting compression", set)
    }

    /// A drive that refuses a mode and is otherwise fine does not support that mode.
    fn accept(&mut self, what: &str, result: Result<(), Errno>) -> Result<(), Failed> {
        match result {
            Ok(()) => Ok(()),
            Err(errno) => {
                self.find(what, errno)?;
                self.fail(Sense::IllegalRequest, 0)
            }
        }
    }

    pub(crate) fn move_door(&mut self, door: Door) -> Result<(), Failed> {
        if self.node.is_none() {
            self.require_ready()?;
        }
        let operation = match door {
            Door::Locked => Operation::Lock,
            Door::Unlocked => Operation::Unlock,
        };
        let moved = self.operate(operation, 1);
        self.accept("moving the door's lock", moved)?;
        self.door = door;
        Ok(())
    }
}
