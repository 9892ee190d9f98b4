//! The header: what a volume is from its making on.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use pseudotape_tape::{BlockLimits, PartitionNumber, VolumeId};
use uuid::Uuid;

use crate::error::Error;
use crate::frame::checked_part;
use crate::layout::{
    BARCODE_BYTES, HEADER_COPY_OFFSET, HEADER_OFFSET, LABEL_BYTES, MAJOR_VERSION, MAX_BLOCK_BYTES,
    MINOR_VERSION, wide,
};
use crate::store::Store;

/// First bytes of every image: a bad byte first, and line ends that a text transfer would change.
pub const HEADER_MAGIC: [u8; 8] = *b"\x8ATAPE\r\n\x1A";
/// Flag: recorded data can only be appended to.
pub const FLAG_WORM: u16 = 1;
/// Incompatible features that this crate knows: none yet.
pub const KNOWN_INCOMPATIBLE: u64 = 0;
/// Read-only compatible features that this crate knows: none yet.
pub const KNOWN_READ_ONLY_COMPATIBLE: u64 = 0;

/// The header as it lies in the file.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct HeaderBytes {
    pub magic: [u8; 8],
    pub major: U16,
    pub minor: U16,
    pub flags: U16,
    pub partition: u8,
    pub partition_count: u8,
    pub volume: [u8; 16],
    pub created_ms: U64,
    pub capacity: U64,
    pub early_warning: U64,
    pub block_min: U32,
    pub block_max: U32,
    pub block_granularity: U32,
    pub reserved_a: [u8; 4],
    pub incompatible: U64,
    pub read_only_compatible: U64,
    pub compatible: U64,
    pub reserved_b: [u8; 28],
    pub crc: U32,
}

const _: () = assert!(size_of::<HeaderBytes>() == 128);

/// Whether recorded data may be overwritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rewriting {
    /// It may.
    #[default]
    Allowed,
    /// Data can only be appended (WORM). The drive keeps this, not the image.
    AppendOnly,
}

/// What a volume is from its making on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Identity, never used for another recording.
    pub volume: VolumeId,
    /// When it was made, in milliseconds since 1970 UTC.
    pub created_ms: u64,
    /// Bytes to the physical end as the drive counts them; `None`: no limit.
    pub capacity_bytes: Option<u64>,
    /// Length of the zone before the physical end in which early warning is given.
    pub early_warning_bytes: u64,
    /// Lengths of blocks that the volume takes.
    pub block_limits: BlockLimits,
    /// Whether recorded data may be overwritten.
    pub rewriting: Rewriting,
    /// Which partition of the volume this file holds.
    pub partition: PartitionNumber,
    /// How many partitions the volume has.
    pub partition_count: u8,
}

/// What [`Image::create`](crate::Image::create) makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateParameters {
    /// The fixed part.
    pub header: Header,
    /// Label, at most [`LABEL_BYTES`] bytes; may be empty.
    pub label: String,
    /// Barcode, at most [`BARCODE_BYTES`] bytes; may be empty.
    pub barcode: String,
}

impl CreateParameters {
    /// A volume without limits. `volume` must be fresh (UUID version 7) for each making.
    #[must_use]
    pub fn new(volume: VolumeId, created_ms: u64) -> Self {
        CreateParameters {
            header: Header {
                volume,
                created_ms,
                capacity_bytes: None,
                early_warning_bytes: 0,
                block_limits: BlockLimits {
                    min_bytes: 1,
                    max_bytes: 16 << 20,
                    granularity_bytes: 1,
                },
                rewriting: Rewriting::Allowed,
                partition: PartitionNumber(0),
                partition_count: 1,
            },
            label: String::new(),
            barcode: String::new(),
        }
    }

    /// Checks all values.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.header.check()?;
        check_text("label", &self.label, LABEL_BYTES)?;
        check_text("barcode", &self.barcode, BARCODE_BYTES)
    }
}

/// Checks that a text fits into its field and comes back as it was.
pub(crate) fn check_text(what: &'static str, text: &str, max: usize) -> Result<(), Error> {
    if text.len() > max || text.contains('\0') {
        return Err(Error::TextLength {
            what,
            length: wide(text.len()),
            max: wide(max),
        });
    }
    Ok(())
}

impl Header {
    fn check(&self) -> Result<(), Error> {
        let wrong = |field, value, allowed| {
            Err(Error::HeaderValue {
                field,
                value,
                allowed,
            })
        };
        let limits = self.block_limits;
        if limits.min_bytes == 0 {
            return wrong("smallest block", 0, "at least 1");
        }
        if limits.max_bytes < limits.min_bytes || limits.max_bytes > MAX_BLOCK_BYTES {
            return wrong(
                "largest block",
                limits.max_bytes.into(),
                "from the smallest block to 2147483648",
            );
        }
        if limits.granularity_bytes == 0 {
            return wrong("granularity of blocks", 0, "at least 1");
        }
        if self.partition.0 >= self.partition_count {
            return wrong(
                "partition",
                self.partition.0.into(),
                "less than the number of partitions",
            );
        }
        match self.capacity_bytes {
            Some(0) => wrong("capacity", 0, "at least 1 where there is one"),
            Some(capacity) if self.early_warning_bytes > capacity => wrong(
                "early warning",
                self.early_warning_bytes,
                "at most the capacity",
            ),
            Some(_) | None => Ok(()),
        }
    }

    /// Makes the bytes.
    pub(crate) fn encode(&self) -> [u8; 128] {
        let mut bytes = HeaderBytes {
            magic: HEADER_MAGIC,
            major: MAJOR_VERSION.into(),
            minor: MINOR_VERSION.into(),
            flags: match self.rewriting {
                Rewriting::Allowed => U16::ZERO,
                Rewriting::AppendOnly => FLAG_WORM.into(),
            },
            partition: self.partition.0,
            partition_count: self.partition_count,
            volume: self.volume.0.into_bytes(),
            created_ms: self.created_ms.into(),
            capacity: self.capacity_bytes.unwrap_or(0).into(),
            early_warning: self.early_warning_bytes.into(),
            block_min: self.block_limits.min_bytes.into(),
            block_max: self.block_limits.max_bytes.into(),
            block_granularity: self.block_limits.granularity_bytes.into(),
            reserved_a: [0; 4],
            incompatible: U64::ZERO,
            read_only_compatible: U64::ZERO,
            compatible: U64::ZERO,
            reserved_b: [0; 28],
            crc: U32::ZERO,
        };
        bytes.crc = crc32fast::hash(checked_part(bytes.as_bytes())).into();
        zerocopy::transmute!(bytes)
    }
}

/// A header that was read, with what may be done beside it.
pub(crate) struct FoundHeader {
    pub header: Header,
    pub copy_used: bool,
    /// The header served, and its copy is damaged or says something else.
    pub copy_damaged: bool,
    /// Unknown read-only compatible features: writing is not for this program.
    pub unknown_read_only: u64,
}

enum Candidate {
    Foreign,
    Damaged,
    Unreadable(Error),
    Whole(HeaderBytes),
}

fn candidate<S: Store>(store: &S, offset: u64) -> Candidate {
    let mut bytes = [0; 128];
    let count = match store.read_at(&mut bytes, offset) {
        Ok(count) => count,
        Err(source) => return Candidate::Unreadable(Error::host("read", offset, 0, source)),
    };
    let raw: HeaderBytes = zerocopy::transmute!(bytes);
    if raw.magic != HEADER_MAGIC {
        Candidate::Foreign
    } else if count < bytes.len() || raw.crc.get() != crc32fast::hash(checked_part(&bytes)) {
        Candidate::Damaged
    } else {
        Candidate::Whole(raw)
    }
}

/// Reads the header, or its copy.
pub(crate) fn read<S: Store>(store: &S) -> Result<FoundHeader, Error> {
    let first = candidate(store, HEADER_OFFSET);
    if let Candidate::Whole(raw) = first {
        let mut found = prove(&raw, false)?;
        // It is needed when this one rots, and then it is too late to learn of it.
        let copy = candidate(store, HEADER_COPY_OFFSET);
        found.copy_damaged =
            !matches!(copy, Candidate::Whole(copy) if copy.as_bytes() == raw.as_bytes());
        return Ok(found);
    }
    match (first, candidate(store, HEADER_COPY_OFFSET)) {
        (_, Candidate::Whole(raw)) => prove(&raw, true),
        (Candidate::Unreadable(error), _) => Err(error),
        (Candidate::Foreign, Candidate::Foreign) => Err(Error::NotAnImage {
            copy_offset: HEADER_COPY_OFFSET,
        }),
        (_, _) => Err(Error::HeaderDamaged {
            copy_offset: HEADER_COPY_OFFSET,
        }),
    }
}

/// Where a copy of the header lies that is not whole, if one is not.
pub(crate) fn damaged_copy<S: Store>(store: &S) -> Option<u64> {
    let mut copies = [HEADER_OFFSET, HEADER_COPY_OFFSET].into_iter();
    copies.find(|offset| !matches!(candidate(store, *offset), Candidate::Whole(_)))
}

fn prove(raw: &HeaderBytes, copy_used: bool) -> Result<FoundHeader, Error> {
    if raw.major.get() != MAJOR_VERSION {
        return Err(Error::NewerVersion {
            found: raw.major.get(),
            supported: MAJOR_VERSION,
        });
    }
    let unknown = raw.incompatible.get() & !KNOWN_INCOMPATIBLE;
    if unknown != 0 {
        return Err(Error::UnknownFeatures { bits: unknown });
    }
    let header = Header {
        volume: VolumeId(Uuid::from_bytes(raw.volume)),
        created_ms: raw.created_ms.get(),
        capacity_bytes: Some(raw.capacity.get()).filter(|capacity| *capacity > 0),
        early_warning_bytes: raw.early_warning.get(),
        block_limits: BlockLimits {
            min_bytes: raw.block_min.get(),
            max_bytes: raw.block_max.get(),
            granularity_bytes: raw.block_granularity.get(),
        },
        rewriting: match raw.flags.get() & FLAG_WORM {
            0 => Rewriting::Allowed,
            _ => Rewriting::AppendOnly,
        },
        partition: PartitionNumber(raw.partition),
        partition_count: raw.partition_count,
    };
    header.check()?;
    Ok(FoundHeader {
        header,
        copy_used,
        copy_damaged: false,
        unknown_read_only: raw.read_only_compatible.get() & !KNOWN_READ_ONLY_COMPATIBLE,
    })
}
