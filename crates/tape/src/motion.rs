use crate::numbers::Address;

/// A mark between blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Filemark.
    Filemark,
    /// Setmark.
    Setmark,
}

/// Whether an operation waits for stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Returns when everything written before is on stable storage.
    Commit,
    /// Promises nothing (IMMED, `MTWEOFI`).
    Immediate,
}

/// What SPACE counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceUnit {
    /// Blocks; stops at a mark.
    Blocks,
    /// Filemarks.
    Filemarks,
    /// Setmarks.
    Setmarks,
}

/// What LOAD does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKind {
    /// Load, to the beginning.
    Load,
    /// Retension: to the end of the medium and back to the beginning.
    Retension,
}

/// How far ERASE goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseExtent {
    /// Writes an end of data here.
    Short,
    /// Erases to the end of the partition.
    Long,
}

/// How the medium is cut into partitions (MODE SELECT, medium partition page), in MiB as `MTMKPART` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioning {
    /// One partition.
    Single,
    /// Two partitions, the second one of this size.
    SecondOf(u32),
    /// Two partitions, the first one of this size.
    FirstOf(u32),
}

/// An operation that transfers no block and answers with [`Done`](crate::Done), as a value.
///
/// A value can be queued, sent, compared and forwarded: a drive over other drives needs one line for all of
/// them ([`Drive::execute`](crate::Drive::execute)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// Writes marks here; what was recorded behind is gone (WRITE FILEMARKS).
    ///
    /// With [`WriteMode::Commit`], a count of 0 included, everything written before is on stable
    /// storage when this returns. Early warning and physical end as for [`Drive::write`](crate::Drive::write).
    WriteMarks {
        /// Which kind of mark.
        mark: Mark,
        /// How many.
        count: u32,
        /// Whether the drive waits for stable storage.
        mode: WriteMode,
    },
    /// Moves over units, backwards where the count is negative (SPACE).
    ///
    /// | met | result | position after |
    /// |---|---|---|
    /// | all | whole count | behind the last one (before it when going backwards) |
    /// | a mark, while counting blocks (or a setmark, counting filemarks) | count so far, `stop` | on its far side |
    /// | end of data | count so far, [`Stop::EndOfData`](crate::Stop::EndOfData) | there |
    /// | beginning of partition | count so far, [`Stop::BeginningOfPartition`](crate::Stop::BeginningOfPartition) | there |
    Space {
        /// What is counted.
        unit: SpaceUnit,
        /// How many of them.
        count: i64,
    },
    /// Moves to the end of data (SPACE, code 3).
    SpaceToEndOfData,
    /// Moves to an object, in the current or another partition (LOCATE).
    ///
    /// Behind the end of data: [`Stop::EndOfData`](crate::Stop::EndOfData), positioned there. A
    /// partition that the medium does not have: [`Sense::IllegalRequest`](crate::Sense::IllegalRequest).
    Locate(Address),
    /// Moves to the beginning of the current partition; commits (REWIND).
    Rewind,
    /// Loads the medium that is in the drive, to the beginning of partition 0 (LOAD).
    Load(LoadKind),
    /// Erases from here on (ERASE).
    Erase(EraseExtent),
    /// Cuts the medium into partitions, losing what is recorded; ends at the beginning of partition 0.
    MakePartitions(Partitioning),
}
