//! What a block becomes below: a header, what belongs to the encryption, the bytes, padding.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::BlockError;

/// First bytes of every stored block.
pub(crate) const MAGIC: [u8; 4] = [0x8A, 0x5F, 0x54, 0x66];
/// Version of what is not encrypted, and of encrypted blocks that know neither their volume nor their place.
pub(crate) const VERSION: u8 = 1;
/// Version of encrypted blocks that are bound to their volume and their place.
pub(crate) const BOUND_VERSION: u8 = 2;
/// Length of the header.
pub const HEADER_BYTES: usize = 24;
/// What encryption adds: 48 bytes behind the header, and the tag of 16 at the end.
pub const ENCRYPTION_BYTES: usize = SEAL_BYTES + TAG_BYTES;
pub(crate) const SEAL_BYTES: usize = 48;
pub(crate) const TAG_BYTES: usize = 16;
/// The part of the header that is encrypted data's company: what comes before its checksums.
pub(crate) const AUTHENTICATED_BYTES: usize = 16;

/// The header as it lies in a block.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct HeaderBytes {
    pub magic: [u8; 4],
    pub version: u8,
    pub compression: u8,
    pub encryption: u8,
    pub reserved: u8,
    pub length: U32,
    pub stored: U32,
    pub stored_crc: U32,
    pub header_crc: U32,
}

const _: () = assert!(size_of::<HeaderBytes>() == HEADER_BYTES);

/// What follows the header of an encrypted block of version 1.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct SealBytes {
    pub key_check: [u8; 8],
    pub salt: [u8; 32],
    pub counter: U64,
}

const _: () = assert!(size_of::<SealBytes>() == SEAL_BYTES);

/// What follows the header of an encrypted block of version 2: as long as that of version 1, so that a volume that is
/// appended to takes the same blocks.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct BoundSealBytes {
    pub key_check: [u8; 8],
    pub salt: [u8; 16],
    pub volume: [u8; 8],
    pub counter: U32,
    pub reserved: [u8; 4],
    pub object: U48,
    pub partition: u8,
    pub reserved_too: u8,
}

const _: () = assert!(size_of::<BoundSealBytes>() == SEAL_BYTES);

/// A number of 48 bits.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub(crate) struct U48([u8; 6]);

impl U48 {
    /// `None` where the number is larger.
    pub(crate) fn new(number: u64) -> Option<Self> {
        let [a, b, c, d, e, f, 0, 0] = number.to_le_bytes() else {
            return None;
        };
        Some(U48([a, b, c, d, e, f]))
    }

    pub(crate) fn get(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}

/// The place of a block: what it is bound to, and what is compared when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: u8,
    pub(crate) object: u64,
}

/// What a volume is told from others by: the beginning of the salt of its first block.
pub(crate) type VolumeMark = [u8; 8];

/// What stands behind the header of an encrypted block, in either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) key_check: [u8; 8],
    /// Of 32 bytes; the salts of version 2 are shorter, with zeros behind.
    pub(crate) salt: [u8; 32],
    pub(crate) counter: u64,
    /// Volume and place; not in version 1.
    pub(crate) bound: Option<(VolumeMark, Place)>,
}

impl Seal {
    /// What the block says of its volume.
    pub(crate) fn volume(&self) -> VolumeMark {
        match self.bound {
            Some((volume, _)) => volume,
            None => beginning(&self.salt),
        }
    }

    /// The seal of a block of this version; the bytes are as many as they should be.
    pub(crate) fn read(version: u8, bytes: &[u8]) -> Option<Seal> {
        if version == VERSION {
            let seal = SealBytes::ref_from_bytes(bytes).ok()?;
            return Some(Seal {
                key_check: seal.key_check,
                salt: seal.salt,
                counter: seal.counter.get(),
                bound: None,
            });
        }
        let seal = BoundSealBytes::ref_from_bytes(bytes).ok()?;
        let place = Place {
            partition: seal.partition,
            object: seal.object.get(),
        };
        Some(Seal {
            key_check: seal.key_check,
            salt: lengthened(&seal.salt),
            counter: seal.counter.get().into(),
            bound: Some((seal.volume, place)),
        })
    }
}

/// The volume mark that a salt makes.
pub(crate) fn beginning(salt: &[u8; 32]) -> VolumeMark {
    let [a, b, c, d, e, f, g, h, ..] = *salt;
    [a, b, c, d, e, f, g, h]
}

/// A salt of version 2 with zeros behind.
pub(crate) fn lengthened(salt: &[u8; 16]) -> [u8; 32] {
    let mut long = [0; 32];
    long.iter_mut().zip(salt).for_each(|(to, from)| *to = *from);
    long
}

/// How the bytes were compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Raw,
    Zstd,
    Lz4,
}

impl Method {
    pub(crate) fn code(self) -> u8 {
        match self {
            Method::Raw => 0,
            Method::Zstd => 1,
            Method::Lz4 => 2,
        }
    }

    fn of(code: u8) -> Result<Self, BlockError> {
        match code {
            0 => Ok(Method::Raw),
            1 => Ok(Method::Zstd),
            2 => Ok(Method::Lz4),
            found => Err(BlockError::UnknownMethod {
                what: "compression",
                found,
            }),
        }
    }
}

/// A header that was checked, with the place of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredHeader {
    pub(crate) version: u8,
    pub(crate) method: Method,
    pub(crate) encrypted: bool,
    /// Length of the block above.
    pub(crate) length: u32,
    /// Bytes behind the header, without padding.
    pub(crate) stored: usize,
}

fn header_crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes.get(..HEADER_BYTES - 4).unwrap_or_default())
}

/// What a filter made of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredAs {
    /// Perhaps compressed, and open to everybody.
    Open,
    /// Encrypted.
    Encrypted,
}

impl StoredAs {
    /// What the beginning of a block says, [`HEADER_BYTES`] of it; `None` where no filter stored it.
    #[must_use]
    pub fn of(start: &[u8]) -> Option<Self> {
        let (header, _) = HeaderBytes::ref_from_prefix(start).ok()?;
        match (header.magic, header.header_crc.get(), header.encryption) {
            (MAGIC, crc, _) if crc != header_crc(start) => None,
            (MAGIC, _, 0) => Some(StoredAs::Open),
            (MAGIC, _, _) => Some(StoredAs::Encrypted),
            _ => None,
        }
    }
}

impl StoredHeader {
    /// The header for what `stored` holds.
    pub(crate) fn encode(&self, stored: &[u8]) -> [u8; HEADER_BYTES] {
        let mut bytes = self.authenticated(stored.len());
        bytes.stored_crc = crc32fast::hash(stored).into();
        bytes.header_crc = header_crc(bytes.as_bytes()).into();
        zerocopy::transmute!(bytes)
    }

    /// The header without its checksums.
    pub(crate) fn authenticated(&self, stored: usize) -> HeaderBytes {
        HeaderBytes {
            magic: MAGIC,
            version: self.version,
            compression: self.method.code(),
            encryption: u8::from(self.encrypted),
            reserved: 0,
            length: self.length.into(),
            stored: u32::try_from(stored).unwrap_or(u32::MAX).into(),
            stored_crc: U32::ZERO,
            header_crc: U32::ZERO,
        }
    }

    /// Checks a block that was read: header, lengths, checksums, padding.
    pub(crate) fn decode(block: &[u8]) -> Result<StoredHeader, BlockError> {
        let Ok((header, rest)) = HeaderBytes::ref_from_prefix(block) else {
            return Err(BlockError::NotFiltered);
        };
        if header.magic != MAGIC {
            return Err(BlockError::NotFiltered);
        }
        if header.header_crc.get() != header_crc(block) {
            return Err(BlockError::HeaderDamaged);
        }
        if !matches!(header.version, VERSION | BOUND_VERSION) {
            return Err(BlockError::NewerVersion {
                found: header.version,
                supported: BOUND_VERSION,
            });
        }
        let encrypted = match header.encryption {
            0 if header.version == VERSION => false,
            1 => true,
            found => {
                return Err(BlockError::UnknownMethod {
                    what: "encryption",
                    found,
                });
            }
        };
        let method = Method::of(header.compression)?;
        let wrong = |what, found: usize, expected: u64| {
            Err(BlockError::Length {
                what,
                found: found as u64,
                expected,
            })
        };
        let stored = usize::try_from(header.stored.get()).unwrap_or(usize::MAX);
        let Some((bytes, padding)) = rest.split_at_checked(stored) else {
            return wrong("a block of", rest.len(), stored as u64);
        };
        if crc32fast::hash(bytes) != header.stored_crc.get() || padding.iter().any(|b| *b != 0) {
            return Err(BlockError::Damaged);
        }
        let added = if encrypted { ENCRYPTION_BYTES } else { 0 };
        let Some(content) = stored.checked_sub(added) else {
            return wrong("bytes behind the header:", stored, added as u64);
        };
        let length = header.length.get();
        if length == 0 || content == 0 {
            return wrong("a length of", 0, 1);
        }
        if method == Method::Raw && content as u64 != u64::from(length) {
            return wrong("a length of", content, length.into());
        }
        Ok(StoredHeader {
            version: header.version,
            method,
            encrypted,
            length,
            stored,
        })
    }
}
