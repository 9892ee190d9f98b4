use std::fmt;

/// Number of an object (block or mark) in its partition, counted from 0 at the beginning of the partition.
///
/// This is what LOCATE, `MTSEEK` and `MTTELL` count (SSC-5 §4.2.7 "logical object identifier").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectNumber(pub u64);

/// Number of filemarks between the beginning of the partition and a place (SSC-5 "logical file identifier").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u64);

/// Number of a partition of the medium, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionNumber(pub u8);

impl fmt::Display for ObjectNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PartitionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An object, as messages call it: by its number, and by file and block, as `mt status` shows them.
///
/// Every program says it in these words, so that what one reports can be looked up with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectInFile {
    /// The object.
    pub object: ObjectNumber,
    /// Filemarks before it, where they are known.
    pub file: Option<FileNumber>,
    /// Objects between the last filemark and it, where that is known.
    pub block: Option<u64>,
}

impl fmt::Display for ObjectInFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object {}", self.object)?;
        match (self.file, self.block) {
            (Some(file), Some(block)) => write!(f, " (file {file}, block {block})"),
            (Some(file), None) => write!(f, " (file {file})"),
            (None, _) => Ok(()),
        }
    }
}

/// A place to go to: an object, in the current partition or in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// `None`: the current partition.
    pub partition: Option<PartitionNumber>,
    /// The object that the next read would meet.
    pub object: ObjectNumber,
}

/// Where the tape is: before the object with number `object`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: PartitionNumber,
    /// The object that the next read would meet.
    pub object: ObjectNumber,
    /// Filemarks before this place, where the drive knows them.
    pub file: Option<FileNumber>,
    /// Whether the place lies behind early warning.
    pub past_early_warning: bool,
}

impl Position {
    /// Whether this is the beginning of the partition (READ POSITION's BOP).
    #[must_use]
    pub fn at_beginning(&self) -> bool {
        self.object.0 == 0
    }
}

/// Lengths of blocks that a drive takes, in bytes (READ BLOCK LIMITS, SSC-5 §7.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Smallest block.
    pub min_bytes: u32,
    /// Largest block.
    pub max_bytes: u32,
    /// A block's length is a multiple of this; 1 where any length goes.
    pub granularity_bytes: u32,
}

impl BlockLimits {
    /// Whether a block of this length lies within the limits (granularity is the drive's to refuse).
    #[must_use]
    pub fn contain(&self, length_bytes: u64) -> bool {
        u64::from(self.min_bytes) <= length_bytes && length_bytes <= u64::from(self.max_bytes)
    }
}

/// How much fits on the current partition, in bytes as the drive counts them for its capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// To the physical end; `None`: no limit of its own.
    pub total_bytes: Option<u64>,
    /// Length of the zone before the physical end in which writes report early warning.
    pub early_warning_bytes: u64,
    /// Recorded now, to the end of data.
    pub used_bytes: u64,
    /// From the tape's place to the physical end: the longest block that fits here; `None`: no limit.
    pub room_bytes: Option<u64>,
}

impl Capacity {
    /// From the end of data to the physical end.
    #[must_use]
    pub fn left_bytes(&self) -> Option<u64> {
        self.total_bytes
            .map(|total| total.saturating_sub(self.used_bytes))
    }
}

/// What a drive says of itself (INQUIRY).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Up to 8 characters.
    pub vendor: String,
    /// Up to 16 characters.
    pub product: String,
    /// Up to 4 characters.
    pub revision: String,
    /// Unit serial number.
    pub serial: String,
}

/// How the drive reads and writes now (MODE SENSE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Block size in bytes of fixed block mode; 0 is variable block mode.
    pub block_size: u32,
    /// Density code of the medium.
    pub density: u8,
    /// Buffered mode, 0 to 7.
    pub buffering: u8,
    /// Whether the medium or the drive refuses to write.
    pub write_protected: bool,
    /// Whether the drive compresses; `None`: it can't.
    pub compression: Option<bool>,
    /// Largest partition number of the medium (0: one partition).
    pub last_partition: u8,
}
