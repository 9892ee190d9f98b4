//! The two slots of mutable state: one is always whole, the other is being written.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use pseudotape_tape::ObjectNumber;

use crate::frame::{Key, checked_part};
use crate::layout::{BARCODE_BYTES, LABEL_BYTES, SLOT_OFFSETS};
use crate::store::Store;

/// First bytes of a slot.
pub const SLOT_MAGIC: u32 = 0x8A5F_5354;
/// Flag: the volume is write protected.
pub const FLAG_WRITE_PROTECT: u32 = 1;
/// Flag: `incomplete_from` holds.
pub const FLAG_INCOMPLETE: u32 = 2;

/// Flag: what `incomplete_from` says was lost here, and its loss was accepted.
pub const FLAG_LOST: u32 = 4;

/// A slot as it lies in the file.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SlotBytes {
    pub magic: U32,
    pub flags: U32,
    pub sequence: U64,
    pub segment_start: U64,
    pub committed_end: U64,
    pub last_root: U64,
    pub inner_root: U64,
    pub segment: U32,
    pub reserved_a: [u8; 4],
    pub label: [u8; LABEL_BYTES],
    pub barcode: [u8; BARCODE_BYTES],
    pub incomplete_from: U64,
    pub reserved_b: [u8; 28],
    pub crc: U32,
}

const _: () = assert!(size_of::<SlotBytes>() == 256);

/// What a volume says that it misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// The first object that is missing.
    pub from: ObjectNumber,
    /// Why.
    pub cause: IncompleteCause,
}

/// Why something is missing on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncompleteCause {
    /// It is no whole copy: its copying was not finished, or a mirror wrote on without it.
    NotCopied,
    /// It was committed here and lost, and somebody accepted that.
    Lost,
}

/// Mutable state of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub write_protected: bool,
    /// Rises with each writing of a slot; the higher one holds.
    pub sequence: u64,
    /// Number of the current write segment; rises when recorded data are dropped.
    pub segment: u32,
    /// Where it began: frames of older segments behind are leftovers.
    pub segment_start: u64,
    /// Everything before is on stable storage.
    pub committed_end: u64,
    /// A hint: the newest root of the index (perhaps in an end of data); 0: none.
    pub last_root: u64,
    /// A hint: the newest root that nothing overwrites when more is appended; 0: none.
    pub inner_root: u64,
    pub label: String,
    pub barcode: String,
    /// What the volume misses.
    pub incomplete: Option<Incomplete>,
}

impl State {
    /// Notes that data were lost from an object on, where not more is missing already.
    pub fn note_lost(&mut self, from: ObjectNumber) {
        if self.incomplete.is_none_or(|noted| noted.from > from) {
            self.incomplete = Some(Incomplete {
                from,
                cause: IncompleteCause::Lost,
            });
        }
    }
}

/// Both slots, as they were read.
pub(crate) struct FoundSlots {
    /// The newest whole one and its number.
    pub newest: Option<(usize, State)>,
    /// The older one, where it is whole.
    pub older: Option<State>,
}

/// Reads both slots.
pub(crate) fn read<S: Store>(store: &S, key: Key) -> FoundSlots {
    let [first, second] = SLOT_OFFSETS;
    let found = [read_one(store, key, first), read_one(store, key, second)];
    match found {
        [Some(a), Some(b)] if a.sequence >= b.sequence => FoundSlots {
            newest: Some((0, a)),
            older: Some(b),
        },
        [a, Some(b)] => FoundSlots {
            newest: Some((1, b)),
            older: a,
        },
        [Some(a), None] => FoundSlots {
            newest: Some((0, a)),
            older: None,
        },
        [None, None] => FoundSlots {
            newest: None,
            older: None,
        },
    }
}

fn read_one<S: Store>(store: &S, key: Key, offset: u64) -> Option<State> {
    let mut bytes = [0; 256];
    // What the host can't read is as good as damaged.
    let count = store.read_at(&mut bytes, offset).unwrap_or(0);
    let raw: SlotBytes = zerocopy::transmute!(bytes);
    if count < bytes.len()
        || raw.magic.get() != SLOT_MAGIC
        || raw.crc.get() != key.crc_at(offset, checked_part(&bytes))
    {
        return None;
    }
    let flags = raw.flags.get();
    Some(State {
        write_protected: flags & FLAG_WRITE_PROTECT != 0,
        incomplete: (flags & FLAG_INCOMPLETE != 0).then_some(Incomplete {
            from: ObjectNumber(raw.incomplete_from.get()),
            cause: match flags & FLAG_LOST {
                0 => IncompleteCause::NotCopied,
                _ => IncompleteCause::Lost,
            },
        }),
        sequence: raw.sequence.get(),
        segment: raw.segment.get(),
        segment_start: raw.segment_start.get(),
        committed_end: raw.committed_end.get(),
        last_root: raw.last_root.get(),
        inner_root: raw.inner_root.get(),
        label: text(&raw.label),
        barcode: text(&raw.barcode),
    })
}

/// Makes the bytes of a slot for `offset`.
pub(crate) fn encode(state: &State, key: Key, offset: u64) -> [u8; 256] {
    let mut flags = 0;
    if state.write_protected {
        flags |= FLAG_WRITE_PROTECT;
    }
    flags |= match state.incomplete.map(|incomplete| incomplete.cause) {
        None => 0,
        Some(IncompleteCause::NotCopied) => FLAG_INCOMPLETE,
        Some(IncompleteCause::Lost) => FLAG_INCOMPLETE | FLAG_LOST,
    };
    let mut bytes = SlotBytes {
        magic: SLOT_MAGIC.into(),
        flags: flags.into(),
        sequence: state.sequence.into(),
        segment_start: state.segment_start.into(),
        committed_end: state.committed_end.into(),
        last_root: state.last_root.into(),
        inner_root: state.inner_root.into(),
        segment: state.segment.into(),
        reserved_a: [0; 4],
        label: padded(&state.label),
        barcode: padded(&state.barcode),
        incomplete_from: state
            .incomplete
            .map_or(0, |incomplete| incomplete.from.0)
            .into(),
        reserved_b: [0; 28],
        crc: U32::ZERO,
    };
    bytes.crc = key.crc_at(offset, checked_part(bytes.as_bytes())).into();
    zerocopy::transmute!(bytes)
}

fn text(bytes: &[u8]) -> String {
    let used = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(used).into_owned()
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes
        .iter_mut()
        .zip(text.as_bytes())
        .for_each(|(into, byte)| *into = *byte);
    bytes
}
