//! The frame before each record.

use crc32fast::Hasher;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::layout::{FRAME_BYTES, MAX_BLOCK_BYTES};

/// First bytes of every frame; not text, not UTF-8.
pub const FRAME_MAGIC: u32 = 0x8A5F_54F5;
/// Flag: everything before this frame was on stable storage before the frame was written.
pub const FLAG_SYNCED_BEFORE: u8 = 1;
/// Kinds from here on may be skipped by readers that do not know them.
pub const FIRST_OPTIONAL_KIND: u8 = 128;

/// A frame as it lies in the file.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct FrameBytes {
    pub magic: U32,
    pub kind: u8,
    pub flags: u8,
    pub form: u8,
    pub reserved: u8,
    pub length: U32,
    pub payload_crc: U32,
    pub object: U64,
    pub payload_before: U64,
    pub back: U32,
    pub file: U32,
    pub segment: U32,
    pub frame_crc: U32,
}

const _: () = assert!(size_of::<FrameBytes>() == 48 && FRAME_BYTES == 48);

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Host data.
    Block,
    /// Filemark.
    Filemark,
    /// Setmark.
    Setmark,
    /// A block that was unreadable where it came from.
    BadBlock,
    /// A part of the index.
    Index(Level),
    /// The last record of an image that was finished; holds a root of the index.
    EndOfData,
    /// From a later minor version; skipped.
    Optional,
}

/// A part of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Where 512 objects are.
    Leaf,
    /// Where 512 leaves are.
    Node,
    /// Where all nodes are, and what no node has yet.
    Root,
}

impl Kind {
    /// Bytes `kind` and `form` of the frame.
    pub fn to_bytes(self) -> (u8, u8) {
        match self {
            Kind::Block => (1, 0),
            Kind::Filemark => (2, 0),
            Kind::Setmark => (3, 0),
            Kind::BadBlock => (4, 0),
            Kind::Index(Level::Leaf) => (5, 0),
            Kind::Index(Level::Node) => (5, 1),
            Kind::Index(Level::Root) => (5, 2),
            Kind::EndOfData => (6, 2),
            Kind::Optional => (FIRST_OPTIONAL_KIND, 0),
        }
    }

    fn from_bytes(kind: u8, form: u8) -> Option<Self> {
        Some(match (kind, form) {
            (1, 0) => Kind::Block,
            (2, 0) => Kind::Filemark,
            (3, 0) => Kind::Setmark,
            (4, 0) => Kind::BadBlock,
            (5, 0) => Kind::Index(Level::Leaf),
            (5, 1) => Kind::Index(Level::Node),
            (5, 2) => Kind::Index(Level::Root),
            (6, 2) => Kind::EndOfData,
            (FIRST_OPTIONAL_KIND.., _) => Kind::Optional,
            _ => return None,
        })
    }

    /// Whether the record holds an object (and not something about objects).
    pub fn is_object(self) -> bool {
        match self {
            Kind::Block | Kind::Filemark | Kind::Setmark | Kind::BadBlock => true,
            Kind::Index(_) | Kind::EndOfData | Kind::Optional => false,
        }
    }
}

/// A frame whose check was right: ours, from this place, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub flags: u8,
    pub length: u32,
    pub payload_crc: u32,
    /// Its own number; for what is no object, the number of the next one.
    pub object: u64,
    /// Payload of all blocks before.
    pub payload_before: u64,
    /// Distance to the frame of the object before; 0 at the first.
    pub back: u32,
    /// Filemarks before.
    pub file: u32,
    pub segment: u32,
}

impl Frame {
    /// Length of frame and payload.
    pub fn record_bytes(&self) -> u64 {
        FRAME_BYTES + u64::from(self.length)
    }

    /// Whether the frame says that all before it was committed.
    pub fn synced_before(&self) -> bool {
        self.flags & FLAG_SYNCED_BEFORE != 0
    }

    /// Payload of blocks up to and with this one.
    pub fn payload_after(&self) -> u64 {
        match self.kind {
            Kind::Block | Kind::BadBlock => {
                self.payload_before.saturating_add(u64::from(self.length))
            }
            Kind::Filemark | Kind::Setmark | Kind::Index(_) | Kind::EndOfData | Kind::Optional => {
                self.payload_before
            }
        }
    }

    /// Number of the object behind.
    pub fn object_after(&self) -> u64 {
        self.object.saturating_add(u64::from(self.kind.is_object()))
    }

    /// Filemarks up to and with this one.
    pub fn file_after(&self) -> u32 {
        self.file
            .saturating_add(u32::from(self.kind == Kind::Filemark))
    }
}

/// What binds frames, slots and index to one partition of one volume.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    seed: u32,
}

impl Key {
    /// The key of a partition.
    pub fn new(volume: &[u8; 16], partition: u8) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(volume);
        hasher.update(&[partition]);
        Key {
            seed: hasher.finalize(),
        }
    }

    /// CRC of bytes that lie at `offset`; the same bytes elsewhere, or in another volume, have another one.
    pub fn crc_at(self, offset: u64, bytes: &[u8]) -> u32 {
        let mut hasher = Hasher::new_with_initial(self.seed);
        hasher.update(&offset.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }

    /// Makes the bytes of a frame for `offset`.
    pub fn encode(self, frame: &Frame, offset: u64) -> [u8; 48] {
        let (kind, form) = frame.kind.to_bytes();
        let mut bytes = FrameBytes {
            magic: FRAME_MAGIC.into(),
            kind,
            flags: frame.flags,
            form,
            reserved: 0,
            length: frame.length.into(),
            payload_crc: frame.payload_crc.into(),
            object: frame.object.into(),
            payload_before: frame.payload_before.into(),
            back: frame.back.into(),
            file: frame.file.into(),
            segment: frame.segment.into(),
            frame_crc: U32::ZERO,
        };
        bytes.frame_crc = self.crc_at(offset, checked_part(bytes.as_bytes())).into();
        zerocopy::transmute!(bytes)
    }

    /// Takes the bytes at `offset` for a frame, where they are one of this volume and this place.
    pub fn decode(self, bytes: &[u8], offset: u64) -> Option<Frame> {
        let (raw, _) = FrameBytes::ref_from_prefix(bytes).ok()?;
        if raw.magic.get() != FRAME_MAGIC
            || raw.length.get() > MAX_BLOCK_BYTES
            || raw.frame_crc.get() != self.crc_at(offset, checked_part(raw.as_bytes()))
        {
            return None;
        }
        Some(Frame {
            kind: Kind::from_bytes(raw.kind, raw.form)?,
            flags: raw.flags,
            length: raw.length.get(),
            payload_crc: raw.payload_crc.get(),
            object: raw.object.get(),
            payload_before: raw.payload_before.get(),
            back: raw.back.get(),
            file: raw.file.get(),
            segment: raw.segment.get(),
        })
    }
}

/// All but the CRC itself, which is last.
pub fn checked_part(bytes: &[u8]) -> &[u8] {
    bytes
        .get(..bytes.len().saturating_sub(4))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            kind: Kind::Block,
            flags: FLAG_SYNCED_BEFORE,
            length: MAX_BLOCK_BYTES,
            payload_crc: 7,
            object: u64::MAX - 1,
            payload_before: 1 << 50,
            back: u32::MAX,
            file: 9,
            segment: 3,
        }
    }

    #[test]
    fn a_frame_comes_back_as_it_was() {
        let key = Key::new(&[1; 16], 0);
        let bytes = key.encode(&frame(), 16384);
        assert_eq!(key.decode(&bytes, 16384), Some(frame()));
    }

    #[test]
    fn a_frame_is_not_taken_at_another_place_or_in_another_volume_or_partition() {
        let key = Key::new(&[1; 16], 0);
        let bytes = key.encode(&frame(), 16384);
        assert_eq!(key.decode(&bytes, 16385), None);
        assert_eq!(Key::new(&[2; 16], 0).decode(&bytes, 16384), None);
        assert_eq!(Key::new(&[1; 16], 1).decode(&bytes, 16384), None);
    }

    #[test]
    fn a_frame_with_any_bit_changed_is_not_taken() {
        let key = Key::new(&[1; 16], 0);
        let good = key.encode(&frame(), 16384);
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.decode(&bad, 16384), None, "bit {bit}");
        }
        assert_eq!(key.decode(&good[..47], 16384), None);
    }
}
