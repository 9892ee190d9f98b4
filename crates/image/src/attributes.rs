//! The two areas of attributes, behind the header and behind its copy: what programs keep beside the data.
//!
//! Both hold the same, and are written one after the other, each committed before the other one is touched. So one of
//! them is whole whenever the power goes; and once a write has returned, no damage of one brings back what was before.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use pseudotape_tape::{Attribute, AttributeFormat, Attributes};

use crate::error::Error;
use crate::frame::{Key, checked_part};
use crate::header;
use crate::image::Image;
use crate::layout::{AREA_BYTES, AREA_OFFSETS, HEADER_COPY_OFFSET, HEADER_OFFSET, wide};
use crate::store::Store;

/// First bytes of an area that was written.
pub const AREA_MAGIC: u32 = 0x8A5F_414D;

/// What an area begins with.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct AreaBytes {
    pub magic: U32,
    pub length: U32,
    pub sequence: U64,
    pub reserved: [u8; 12],
    pub crc: U32,
}

const HEAD_BYTES: usize = size_of::<AreaBytes>();
const _: () = assert!(HEAD_BYTES == 32);

/// Most bytes of entries.
pub(crate) const ENTRIES_BYTES: usize = AREA_BYTES - HEAD_BYTES;

/// What an attribute begins with; its value follows.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct AttributeBytes {
    pub id: U16,
    pub format: u8,
    pub reserved: u8,
    pub length: U16,
}

const _: () = assert!(size_of::<AttributeBytes>() == 6);

/// Tries to read one area whole while their writer may be writing one after the other.
const TRIES: u32 = 64;

/// How one of the two areas was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaState {
    /// Never written.
    Empty,
    /// Whole.
    Whole,
    /// Written, and its check fails, or the host can't read it.
    Damaged,
}

/// How the two areas of attributes were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeAreas {
    /// Each of them, with its offset in the file.
    pub areas: [(u64, AreaState); 2],
    /// Whether what was written is known: one area at least is whole, or nothing was ever written.
    pub known: bool,
}

impl AttributeAreas {
    /// Offsets of the areas that are damaged.
    pub fn damaged(&self) -> impl Iterator<Item = u64> {
        let areas = self.areas.into_iter();
        areas
            .filter(|(_, state)| *state == AreaState::Damaged)
            .map(|(offset, _)| offset)
    }
}

/// One area as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Area {
    Empty,
    Whole(u64, Attributes),
    Damaged,
}

impl Area {
    fn sequence(&self) -> Option<u64> {
        match self {
            Area::Whole(sequence, _) => Some(*sequence),
            Area::Empty | Area::Damaged => None,
        }
    }

    fn state(&self) -> AreaState {
        match self {
            Area::Empty => AreaState::Empty,
            Area::Whole(..) => AreaState::Whole,
            Area::Damaged => AreaState::Damaged,
        }
    }
}

/// Both areas, as they were read.
struct FoundAreas([Area; 2]);

impl FoundAreas {
    fn read<S: Store>(store: &S, key: Key) -> Self {
        let [first, second] = AREA_OFFSETS;
        let read = || FoundAreas([read_one(store, key, first), read_one(store, key, second)]);
        let mut found = read();
        for _ in 1..TRIES {
            if found.newest().is_some() {
                break;
            }
            found = read();
        }
        found
    }

    /// What was written last; `None` where that is not known.
    fn newest(&self) -> Option<Attributes> {
        let FoundAreas([first, second]) = self;
        match (first, second) {
            (Area::Whole(a, held), Area::Whole(b, other)) => match a.cmp(b) {
                std::cmp::Ordering::Greater => Some(held.clone()),
                std::cmp::Ordering::Less => Some(other.clone()),
                std::cmp::Ordering::Equal => (held == other).then(|| held.clone()),
            },
            (Area::Whole(_, held), _) | (_, Area::Whole(_, held)) => Some(held.clone()),
            // The first writing begins with the first area: where it was cut off, nothing was ever written whole.
            (Area::Empty | Area::Damaged, Area::Empty) => Some(Attributes::new()),
            (Area::Empty | Area::Damaged, Area::Damaged) => None,
        }
    }

    /// Which of the two is written first: not the one that holds what was written last.
    fn first_to_write(&self) -> usize {
        let FoundAreas([first, second]) = self;
        match (first.sequence(), second.sequence()) {
            (Some(a), b) if b.is_none_or(|b| a >= b) => 1,
            _ => 0,
        }
    }

    fn next_sequence(&self) -> u64 {
        let sequences = self.0.iter().filter_map(Area::sequence);
        sequences.max().unwrap_or(0).saturating_add(1)
    }

    fn judged(&self) -> AttributeAreas {
        let FoundAreas([first, second]) = self;
        let [at_first, at_second] = AREA_OFFSETS;
        AttributeAreas {
            areas: [(at_first, first.state()), (at_second, second.state())],
            known: self.newest().is_some(),
        }
    }
}

fn read_one<S: Store>(store: &S, key: Key, offset: u64) -> Area {
    let mut bytes = [0; AREA_BYTES];
    match store.read_at(&mut bytes, offset) {
        Ok(count) => decode(bytes.get(..count).unwrap_or_default(), key, offset),
        // What the host can't read is as good as damaged.
        Err(_) => Area::Damaged,
    }
}

/// What the CRC is about: the head without it, and the entries.
fn crc_of(head: &AreaBytes, entries: &[u8], key: Key, offset: u64) -> u32 {
    let mut checked = checked_part(head.as_bytes()).to_vec();
    checked.extend_from_slice(entries);
    key.crc_at(offset, &checked)
}

fn decode(bytes: &[u8], key: Key, offset: u64) -> Area {
    let Ok((head, behind)) = AreaBytes::ref_from_prefix(bytes) else {
        return Area::Damaged;
    };
    if head.as_bytes().iter().all(|byte| *byte == 0) {
        return Area::Empty;
    }
    let length = usize::try_from(head.length.get()).unwrap_or(usize::MAX);
    let entries = behind.get(..length);
    let whole = entries.filter(|entries| {
        head.magic.get() == AREA_MAGIC && head.crc.get() == crc_of(head, entries, key, offset)
    });
    match whole.and_then(decode_entries) {
        Some(attributes) => Area::Whole(head.sequence.get(), attributes),
        None => Area::Damaged,
    }
}

/// The entries of an area; `None` where they are no list in rising order.
pub(crate) fn decode_entries(mut bytes: &[u8]) -> Option<Attributes> {
    let mut attributes = Attributes::new();
    let mut last = None;
    while !bytes.is_empty() {
        let (head, behind) = AttributeBytes::ref_from_prefix(bytes).ok()?;
        let (value, rest) = behind.split_at_checked(head.length.get().into())?;
        let id = head.id.get();
        if last.is_some_and(|last| last >= id) {
            return None;
        }
        let attribute = Attribute {
            format: match head.format {
                0 => AttributeFormat::Binary,
                1 => AttributeFormat::Ascii,
                2 => AttributeFormat::Text,
                _ => return None,
            },
            value: value.to_vec(),
        };
        attributes.insert(id, attribute);
        last = Some(id);
        bytes = rest;
    }
    Some(attributes)
}

/// The entries of an area; `None` where they do not fit into one.
pub(crate) fn encode_entries(attributes: &Attributes) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (id, attribute) in attributes.iter() {
        let head = AttributeBytes {
            id: id.into(),
            format: match attribute.format {
                AttributeFormat::Binary => 0,
                AttributeFormat::Ascii => 1,
                AttributeFormat::Text => 2,
            },
            reserved: 0,
            length: u16::try_from(attribute.value.len()).ok()?.into(),
        };
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&attribute.value);
    }
    (bytes.len() <= ENTRIES_BYTES).then_some(bytes)
}

/// Makes the bytes of an area for `offset`.
pub(crate) fn encode(sequence: u64, entries: &[u8], key: Key, offset: u64) -> Vec<u8> {
    let mut head = AreaBytes {
        magic: AREA_MAGIC.into(),
        length: u32::try_from(entries.len()).unwrap_or(u32::MAX).into(),
        sequence: sequence.into(),
        reserved: [0; 12],
        crc: U32::ZERO,
    };
    head.crc = crc_of(&head, entries, key, offset).into();
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend_from_slice(entries);
    bytes
}

impl<S: Store> Image<S> {
    /// What programs keep beside the data of this partition. Moves nothing.
    pub fn attributes(&self) -> Result<Attributes, Error> {
        let found = FoundAreas::read(&self.store, self.key);
        found.newest().ok_or(Error::AttributesDamaged {
            offsets: AREA_OFFSETS,
        })
    }

    /// How the areas are in which attributes are kept.
    #[must_use]
    pub fn check_attributes(&self) -> AttributeAreas {
        FoundAreas::read(&self.store, self.key).judged()
    }

    /// Keeps these attributes in the place of all that were kept before; committed when it returns, and so is all that
    /// was recorded before. Moves nothing.
    ///
    /// A power cut leaves the old ones or these. An area lies in one block of the disk with one of the copies of the
    /// header: where the other copy is damaged, nothing is written.
    pub fn set_attributes(&mut self, attributes: &Attributes) -> Result<(), Error> {
        self.check_writable()?;
        self.check_unprotected()?;
        let entries = encode_entries(attributes).ok_or(Error::AttributesTooLong {
            max: wide(ENTRIES_BYTES),
        })?;
        if let Some(offset) = header::damaged_copy(&self.store) {
            return Err(Error::HeaderCopyDamaged { offset });
        }
        self.sync()?;
        let found = FoundAreas::read(&self.store, self.key);
        let sequence = found.next_sequence();
        let [first, second] = AREA_OFFSETS;
        let order = match found.first_to_write() {
            0 => [first, second],
            _ => [second, first],
        };
        for offset in order {
            let bytes = encode(sequence, &entries, self.key, offset);
            self.store
                .write_at(&bytes, offset)
                .map_err(|source| Error::host("write", offset, wide(bytes.len()), source))?;
            self.store_sync()?;
        }
        Ok(())
    }
}

const _: () = assert!(AREA_OFFSETS[0] > HEADER_OFFSET && AREA_OFFSETS[1] > HEADER_COPY_OFFSET);
