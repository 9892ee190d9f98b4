//! What a tape drive's unit remembers between commands.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pseudotape_tape::{Capacity, PartitionNumber, Partitioning, Volume};

use super::outcome::failed;
use super::segments::Segments;
use crate::changer_unit::Nexus;
use crate::reply::{Reply, Status};
use crate::sense::{Reason, Sense, SenseFormat};
use crate::tape_unit::Counters;

/// What a drive can do that `trait Drive` has no word for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapeFeatures {
    /// Most partitions that a medium can have; 0: not known, and then 2.
    pub max_partitions: u8,
    /// Density code of a fresh medium; 0: not known, and then that of the medium.
    pub density: u8,
    /// Whether media can hold setmarks.
    pub setmarks: bool,
    /// Whether READ POSITION does not mark the beginning of the partition (BOP).
    pub hides_beginning: bool,
    /// Whether a read of a length outside the block limits is refused in variable block mode.
    pub limits_reads: bool,
    /// Whether nobody is told of a medium that LOAD brought in.
    pub silent_load: bool,
}

/// What a tape drive answers to one command. The data are in the memory that came with the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapeReply {
    /// How the command ended.
    pub status: Status,
    /// Why, with [`Status::CheckCondition`].
    pub sense: Option<Sense>,
    /// Bytes that are valid at the beginning of the memory, also beside a sense: a short block, or the blocks before a
    /// filemark. Of data that came with the command: those that were taken.
    pub transferred: usize,
}

impl TapeReply {
    /// Done, and this much moved.
    pub(super) fn good(transferred: usize) -> Self {
        TapeReply {
            transferred,
            ..TapeReply::default()
        }
    }

    /// CHECK CONDITION with this sense.
    pub(super) fn check(sense: Sense) -> Self {
        Self::check_after(sense, 0)
    }

    /// The same, and this much moved before.
    pub(super) fn check_after(sense: Sense, transferred: usize) -> Self {
        TapeReply {
            status: Status::CheckCondition,
            sense: Some(sense),
            transferred,
        }
    }

    /// An answer with data, as it lies in the initiator's memory.
    pub(super) fn place(reply: &Reply, segments: &mut Segments<'_, '_>) -> Self {
        TapeReply {
            status: reply.status,
            sense: reply.sense,
            transferred: segments.put(&reply.data),
        }
    }
}

/// What has happened since the unit was made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) counters: Counters,
    /// Media loaded, as far as the drive told.
    pub(super) loads: u32,
    pub(super) failed_reads: u32,
    pub(super) failed_writes: u32,
    pub(super) recovered: u32,
    /// Whether a block of this medium could not be read.
    pub(super) unread: bool,
    /// Whether a block of this medium could not be written.
    pub(super) unwritten: bool,
}

/// The unit of a tape drive. The drive itself comes with each command, as its volume may be another one then.
///
/// Its commands are done one after the other, each before the next one is begun.
#[derive(Debug, Default)]
pub struct TapeUnit {
    pub(super) features: TapeFeatures,
    pub(super) reserved_by: Option<Nexus>,
    pub(super) prevented_by: BTreeSet<Nexus>,
    /// Every initiator that has come, and the news that it has not heard.
    pub(super) attentions: BTreeMap<Nexus, VecDeque<Reason>>,
    pub(super) tally: Tally,
    pub(super) sense_format: SenseFormat,
    /// What the mode page says that FORMAT MEDIUM is to do.
    pub(super) partitioning: Option<Partitioning>,
    /// What was seen of the partitions of this medium.
    pub(super) capacities: BTreeMap<u8, Capacity>,
    /// The drive's block size, while nothing can have changed it.
    pub(super) block_size: Option<u32>,
    /// For records that lie in several pieces; grows to the longest one.
    pub(super) scratch: Vec<u8>,
}

impl TapeUnit {
    /// A unit that nobody has reserved and nobody has come to.
    #[must_use]
    pub fn new(features: TapeFeatures) -> Self {
        TapeUnit {
            features,
            ..TapeUnit::default()
        }
    }

    /// How sense is wanted now (D_SENSE of the control mode page).
    #[must_use]
    pub fn sense_format(&self) -> SenseFormat {
        self.sense_format
    }

    /// What was moved.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.tally.counters
    }

    /// What was known of the medium is to be asked anew.
    pub(super) fn forget_medium(&mut self) {
        self.block_size = None;
        self.partitioning = None;
        self.capacities.clear();
        // What TapeAlert says of damage, it says of the medium.
        self.tally.unread = false;
        self.tally.unwritten = false;
    }

    /// Notes how much fits on the partition that the tape is about to leave: it can't be asked from another one.
    pub(super) fn note_capacity(
        &mut self,
        here: PartitionNumber,
        to: PartitionNumber,
        volume: &mut dyn Volume,
    ) {
        if here != to
            && let Ok(capacity) = volume.capacity()
        {
            self.capacities.insert(here.0, capacity);
        }
    }

    /// The drive's block size; 0: variable.
    pub(super) fn block_size(&mut self, volume: &mut dyn Volume) -> Result<u32, Sense> {
        if let Some(size) = self.block_size {
            return Ok(size);
        }
        let size = volume.mode().map_err(failed)?.block_size;
        self.block_size = Some(size);
        Ok(size)
    }
}
