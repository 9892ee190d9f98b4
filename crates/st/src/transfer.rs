//! What reading and writing check alike (`rw_checks`).

use std::num::NonZeroU32;

use pseudotape_mtio::Booleans;
use pseudotape_tape::{Door, Drive, Transfer};

use crate::St;
use crate::errno::Refusal;
use crate::state::DoorState;

impl St {
    /// Checks whether a transfer of `count` bytes may begin; a count of 0 is checked as far as st does.
    pub(crate) fn check_transfer(
        &mut self,
        drive: &mut dyn Drive,
        count: usize,
    ) -> Result<(), Refusal> {
        self.require_open()?;
        self.mount.require_ready()?;
        if self.mode().is_none() {
            return Err(Refusal::ModeUndefined);
        }
        if self.drive.position_lost {
            return Err(Refusal::PositionLost);
        }
        if count == 0 {
            return Ok(());
        }
        self.switch_partition(drive)?;
        if self.mount.block_size == 0
            && let Some(limits) = self.mount.limits
            && !limits.contain(count as u64)
        {
            return Err(Refusal::OutsideLimits(count as u64));
        }
        if self.has(Booleans::AUTO_LOCK)
            && self.drive.door == DoorState::Unlocked
            && self.lock_door(drive, Door::Locked).is_ok()
        {
            self.drive.door = DoorState::Auto;
        }
        Ok(())
    }

    /// Requires an open file whose open is over.
    pub(crate) fn require_open(&self) -> Result<(), Refusal> {
        match &self.open {
            Some(open) if !open.waiting => Ok(()),
            Some(_) | None => Err(Refusal::NotOpen),
        }
    }

    /// How blocks are cut in the block mode in use.
    pub(crate) fn transfer(&self) -> Transfer {
        NonZeroU32::new(self.mount.block_size).map_or(Transfer::Variable, Transfer::Fixed)
    }

    /// Whether the count is a whole number of blocks.
    pub(crate) fn is_whole(&self, count: usize) -> bool {
        self.mount.block_size == 0 || (count as u64).is_multiple_of(self.mount.block_size.into())
    }
}
