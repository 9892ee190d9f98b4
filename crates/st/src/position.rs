//! `MTIOCPOS` and `MTSEEK` (`get_location`, `set_location`).

use pseudotape_mtio::{Booleans, MtPos};
use pseudotape_tape::{Address, Done, Drive, ObjectNumber, PartitionNumber};

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::settle::Next;
use crate::state::{Edge, Motion};

/// Where the drive says that the head is.
pub(crate) struct Location {
    pub(crate) object: u32,
    pub(crate) partition: usize,
}

impl St {
    /// Says the number of the next object (`MTIOCPOS`). At the beginning of partition 0 file and block
    /// become 0, known or not.
    pub fn pos(&mut self, drive: &mut dyn Drive) -> Result<MtPos, Errno> {
        let result = self.tell(drive);
        self.answer(result)
    }

    fn tell(&mut self, drive: &mut dyn Drive) -> Result<MtPos, Refusal> {
        self.require_open()?;
        if self.mode().is_none() {
            return Err(Refusal::ModeUndefined);
        }
        self.settle(drive, Next::FromHere)?;
        self.switch_partition(drive)?;
        Ok(MtPos {
            object: self.locate_head(drive)?.object,
        })
    }

    /// Asks the drive where it is (`get_location`).
    pub(crate) fn locate_head(&mut self, drive: &mut dyn Drive) -> Result<Location, Refusal> {
        if !self.is_ready() {
            return Err(Refusal::NoPositionWithoutMedium);
        }
        let position = drive.position();
        let position = self
            .heard(position)
            .map_err(|failed| Refusal::Drive(failed.sense))?;
        let location = Location {
            // READ POSITION has 32 bits.
            object: (position.object.0 & 0xffff_ffff) as u32,
            partition: position.partition.0.into(),
        };
        if location.partition == 0 && position.at_beginning() && self.settings.reports_beginning {
            self.mount.partitions[0].file = 0;
            self.mount.partitions[0].block = 0;
        }
        Ok(location)
    }

    /// `MTSEEK`, in the partition that was chosen.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | object 0 | ok | file 0, block 0 |
    /// | another object | ok | there, file −1, block −1 |
    /// | behind the end of data | EIO | end of data, file −1, block −1 |
    pub(crate) fn seek(&mut self, drive: &mut dyn Drive, count: i32) -> Result<(), Refusal> {
        let partition = self.mount.wanted_partition;
        self.go_to(drive, count.cast_unsigned(), partition)
    }

    /// Goes to an object of a partition; what is known of the partition left is its place (`set_location`).
    pub(crate) fn go_to(
        &mut self,
        drive: &mut dyn Drive,
        object: u32,
        partition: usize,
    ) -> Result<(), Refusal> {
        if !self.is_ready() {
            return Err(Refusal::NoPositionWithoutMedium);
        }
        let can_partitions = self.has(Booleans::CAN_PARTITIONS);
        let number = match u8::try_from(partition) {
            Ok(number) if can_partitions || number == 0 => number,
            Ok(_) | Err(_) => {
                return Err(Refusal::NoSuchPartition(
                    i32::try_from(partition).unwrap_or(i32::MAX),
                ));
            }
        };
        let from = self.mount.partition;
        if partition != from {
            let visited = self.locate_head(drive).ok().map(|at| at.object);
            self.mount.partitions[from].visited = visited;
        }
        let located = drive.locate(Address {
            partition: (partition != from).then_some(PartitionNumber(number)),
            object: ObjectNumber(object.into()),
        });
        let located = self.heard(located);
        let left = &mut self.mount.partitions[from];
        left.file = -1;
        left.block = -1;
        left.edge = Edge::None;
        let refusal = match located {
            Ok(Done { stop: None, .. }) => None,
            Ok(Done {
                stop: Some(stop), ..
            }) => Some(Refusal::Stopped(stop)),
            Err(failed) => Some(Refusal::Drive(failed.sense)),
        };
        if let Some(refusal) = refusal {
            if can_partitions && let Ok(partition) = self.find_partition(drive) {
                self.mount.partition = partition;
            }
            return Err(refusal);
        }
        if can_partitions {
            self.mount.partition = partition;
        }
        let here = self.mount.here();
        if !can_partitions {
            here.at_setmark = false;
        } else if here.visited != Some(object) {
            here.at_setmark = false;
            here.motion = Motion::Idle;
        }
        if object == 0 {
            here.file = 0;
            here.block = 0;
        }
        Ok(())
    }
}
