//! `MTSETPART` and `MTMKPART` (`switch_partition`, `partition_tape`).

use pseudotape_mtio::Booleans;
use pseudotape_tape::{Drive, Partitioning};

use crate::St;
use crate::errno::Refusal;
use crate::state::{Motion, PARTITIONS};

/// Sizes from here on are sent in GB, and lose what is below (`partition_tape`).
const SIZE_IN_GB_FROM: u32 = 65_534;

/// Sizes in MB or GB that fit into the mode page.
const SIZES: u32 = 65_535;

impl St {
    /// `MTSETPART`: the next operation goes there.
    pub(crate) fn choose_partition(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let none = Err(Refusal::NoSuchPartition(count));
        let Ok(number) = u8::try_from(count) else {
            return none;
        };
        let partition = usize::from(number);
        if !self.has(Booleans::CAN_PARTITIONS) || partition >= PARTITIONS {
            return none;
        }
        if self
            .mount
            .partition_count
            .is_none_or(|known| number >= known)
        {
            let count = self.count_partitions(drive)?;
            self.mount.partition_count = Some(count);
            if number >= count {
                return none;
            }
        }
        self.mount.wanted_partition = partition;
        Ok(())
    }

    /// `MTMKPART`: cuts the medium, losing what is recorded; ends at the beginning of partition 0.
    ///
    /// `count` is the size of partition 1 in MB; where negative, of partition 0; 0 is one partition.
    pub(crate) fn make_partitions(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
        started_in: usize,
    ) -> Result<(), Refusal> {
        if !self.has(Booleans::CAN_PARTITIONS) {
            return Err(Refusal::NoSuchPartition(count));
        }
        self.load(drive)?;
        let size = size_in_mb(count)?;
        let partitioning = match count {
            0 => Partitioning::Single,
            1.. => Partitioning::SecondOf(size),
            _ => Partitioning::FirstOf(size),
        };
        let made = drive.make_partitions(partitioning);
        self.heard(made)
            .map_err(|failed| Refusal::PartitioningFailed(failed.sense))?;
        for partition in &mut self.mount.partitions {
            partition.motion = Motion::Idle;
            partition.at_setmark = false;
            partition.visited = None;
        }
        self.mount.partition = 0;
        self.mount.wanted_partition = 0;
        self.mount.partition_count = Some(if count == 0 { 1 } else { 2 });
        let started_in = &mut self.mount.partitions[started_in];
        started_in.file = 0;
        started_in.block = 0;
        Ok(())
    }

    /// Goes to the partition that was chosen, where it was left (`switch_partition`).
    pub(crate) fn switch_partition(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let wanted = self.mount.wanted_partition;
        if !self.has(Booleans::CAN_PARTITIONS) || wanted == self.mount.partition {
            return Ok(());
        }
        let object = self.mount.partitions[wanted].visited.unwrap_or(0);
        self.go_to(drive, object, wanted)
    }

    /// Asks the drive in which partition the head is (`find_partition`).
    pub(crate) fn find_partition(&mut self, drive: &mut dyn Drive) -> Result<usize, Refusal> {
        let partition = self.locate_head(drive)?.partition;
        if partition >= PARTITIONS {
            return Err(Refusal::NoPositionWithoutMedium);
        }
        Ok(partition)
    }

    /// Asks how many partitions the medium has (`nbr_partitions`).
    fn count_partitions(&mut self, drive: &mut dyn Drive) -> Result<u8, Refusal> {
        if !self.is_ready() {
            return Err(Refusal::NoPositionWithoutMedium);
        }
        let mode = drive.mode();
        let mode = self
            .heard(mode)
            .map_err(|failed| Refusal::Drive(failed.sense))?;
        Ok(mode.last_partition.saturating_add(1))
    }
}

/// The size that the drive gets, in MB.
fn size_in_mb(count: i32) -> Result<u32, Refusal> {
    let size = count.unsigned_abs();
    if size < SIZE_IN_GB_FROM {
        return Ok(size);
    }
    let gigabytes = size / 1000;
    if gigabytes >= SIZES {
        return Err(Refusal::PartitionSize(count));
    }
    Ok(gigabytes * 1000)
}
