//! Trying everything on bytes of unknown origin: the entries of the fuzz targets.

use pseudotape_tape::{Mark, ObjectNumber};

use crate::frame::{Frame, Key, Kind, Level};
use pseudotape_tape::Access;
use pseudotape_tape::VolumeId;

use crate::attributes::{self, ENTRIES_BYTES};
use crate::header::CreateParameters;
use crate::image::{Image, Place, key_of};
use crate::layout::{AREA_OFFSETS, LABEL_BYTES, RECORDS_OFFSET, SLOT_OFFSETS};
use crate::memory_store::MemoryStore;
use crate::read::Object;
use crate::slot::{self, State};
use crate::walk::Spot;

/// Opens bytes as an image and reads, spaces and writes all over it: the entry of the fuzz target.
///
/// Whatever the bytes are, this ends, and nothing panics.
///
/// # Panics
///
/// Where an invariant does not hold: a place behind the end of data, a motion that does not move on, or an
/// image that after writing does not open again.
pub fn fuzz_open(bytes: &[u8]) {
    let Some((end, store)) = exercise(bytes) else {
        return;
    };
    let (again, _) = Image::open(store, Access::ReadOnly).expect("what was finished opens");
    assert_eq!(again.end_of_data(), end);
    assert!(again.label().len() <= 3 * LABEL_BYTES);
}

/// Goes all over an image and writes in its middle; gives back where it then ended, and its bytes.
fn exercise(bytes: &[u8]) -> Option<(Place, MemoryStore)> {
    let store = MemoryStore::new(bytes.to_vec());
    let (mut image, _) = Image::open(store, Access::ReadWrite).ok()?;
    let mut buffer = [0; 4096];
    let objects = image.end_of_data().object.0;
    let mut last = None;
    loop {
        let place = image.place().object.0;
        assert!(last < Some(place) && place <= objects, "reading moves on");
        last = Some(place);
        match image.read_object(&mut buffer) {
            Ok(Object::EndOfData) => break,
            Ok(Object::Block { .. } | Object::Filemark | Object::Setmark) => {}
            Err(error) => assert!(error.is_damage(), "{error}"),
        }
    }
    let step = i64::try_from(objects / 7 + 1).unwrap_or(i64::MAX);
    for count in [-1, -step, 1, step, i64::MIN, i64::MAX] {
        drop(image.space_blocks(count));
        for mark in [Mark::Filemark, Mark::Setmark] {
            drop(image.space_marks(mark, count));
        }
        assert!(image.place().object.0 <= objects);
    }
    drop(image.check_index());
    let areas = image.check_attributes();
    let kept = image.attributes();
    assert_eq!(areas.known, kept.is_ok(), "{areas:?}");
    for object in [objects / 2, objects / 3, objects.saturating_sub(1)] {
        drop(image.locate(ObjectNumber(object)));
        drop(image.objects_since_filemark());
        drop(image.look_ahead());
    }
    drop(image.locate(ObjectNumber(objects / 2)));
    image.append_block(b"behind damage").ok()?;
    image.append_marks(Mark::Filemark, 1).ok()?;
    let end = image.end_of_data();
    Some((end, image.finish().ok()?))
}

/// As [`fuzz_open`], on records and attributes whose checks are right but whose numbers are not: the bytes say what
/// they are.
///
/// Random bytes never get past a CRC; these do, as a forger's would.
pub fn fuzz_records(bytes: &[u8]) {
    fuzz_attributes(bytes);
    let parameters = CreateParameters::new(VolumeId(uuid::Uuid::from_u128(1)), 0);
    let key = key_of(&parameters.header);
    let Ok(empty) = Image::create(MemoryStore::default(), &parameters) else {
        return;
    };
    let mut image = empty.into_store().into_bytes();
    let mut source = Source(bytes);
    let slots = [source.state(), source.state()];
    let mut spot = Spot::BEGINNING;
    while let Some(control) = source.byte() {
        let (frame, payload) = source.record(control, &spot);
        image.extend_from_slice(&key.encode(&frame, spot.offset));
        image.extend_from_slice(&payload);
        spot = Spot::behind(&frame, spot.offset);
    }
    for (offset, state) in SLOT_OFFSETS.into_iter().zip(slots) {
        put_slot(&mut image, key, offset, state);
    }
    // A forger can make frames and index contradict each other, so that writing does not make it whole; but it ends.
    if let Some((_, store)) = exercise(&image) {
        drop(exercise(store.bytes()));
    }
}

/// Decodes bytes as the two areas of attributes of an image, as they are and with right checks around them. Panics
/// where attributes that were read are others when they are written and read again, or where writing does not make
/// damaged areas whole.
fn fuzz_attributes(bytes: &[u8]) {
    let parameters = CreateParameters::new(VolumeId(uuid::Uuid::from_u128(1)), 0);
    let key = key_of(&parameters.header);
    let Ok(empty) = Image::create(MemoryStore::default(), &parameters) else {
        return;
    };
    let empty = empty.into_store().into_bytes();
    let mut source = Source(bytes);
    let control = source.byte().unwrap_or(0);
    let sequences = [source.number(), source.number()];
    let Source(rest) = source;
    let (one, other) = match control & 1 {
        0 => (rest, rest),
        _ => rest.split_at(rest.len() / 2),
    };
    let mut image = empty;
    for ((offset, part), (sequence, forged)) in AREA_OFFSETS
        .into_iter()
        .zip([one, other])
        .zip(sequences.into_iter().zip([control & 2, control & 4]))
    {
        let entries = part.get(..part.len().min(ENTRIES_BYTES)).unwrap_or(part);
        let area = match forged {
            0 => entries.to_vec(),
            _ => attributes::encode(sequence, entries, key, offset),
        };
        put(&mut image, offset, &area);
    }
    let (mut image, report) = Image::open(MemoryStore::new(image), Access::ReadWrite)
        .expect("attributes are no part of opening");
    assert!(report.is_clean(), "{report}");
    let areas = image.check_attributes();
    let found = image.attributes();
    assert_eq!(areas.known, found.is_ok(), "{areas:?}");
    let attributes = found.unwrap_or_default();
    image
        .set_attributes(&attributes)
        .expect("what was read fits again");
    let whole = image.check_attributes();
    assert_eq!(whole.damaged().count(), 0, "{whole:?}");
    assert_eq!(image.attributes().ok(), Some(attributes));
}

fn put_slot(image: &mut [u8], key: Key, offset: u64, state: Option<State>) {
    let Some(state) = state else {
        return;
    };
    put(image, offset, &slot::encode(&state, key, offset));
}

fn put(image: &mut [u8], offset: u64, bytes: &[u8]) {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    if let Some(into) = image.get_mut(start..start.saturating_add(bytes.len())) {
        into.copy_from_slice(bytes);
    }
}

/// Takes numbers from bytes; zeros once they are used up.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Small numbers mostly; with the upper two bits set, large ones.
    fn number(&mut self) -> u64 {
        match self.byte().unwrap_or(0) {
            byte @ 0..=0xBF => byte.into(),
            byte => u64::from(self.byte().unwrap_or(0)) << (byte & 0x3F),
        }
    }

    fn number_u32(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or(u32::MAX)
    }

    /// `None`: the slot stays as it was made.
    fn state(&mut self) -> Option<State> {
        (self.byte()? & 1 != 0).then(|| State {
            sequence: self.number(),
            segment: self.number_u32(),
            segment_start: RECORDS_OFFSET.saturating_add(self.number()),
            committed_end: RECORDS_OFFSET.saturating_add(self.number()),
            last_root: RECORDS_OFFSET.saturating_add(self.number()),
            inner_root: RECORDS_OFFSET.saturating_add(self.number()),
            ..State::default()
        })
    }

    /// A record that follows from the one before, except where the control byte says otherwise.
    fn record(&mut self, control: u8, spot: &Spot) -> (Frame, Vec<u8>) {
        let kind = match control & 7 {
            0 => Kind::Block,
            1 => Kind::Filemark,
            2 => Kind::Setmark,
            3 => Kind::BadBlock,
            4 => Kind::Index(Level::Leaf),
            5 => Kind::Index(Level::Node),
            6 => Kind::Index(Level::Root),
            _ => Kind::EndOfData,
        };
        let mut payload = Vec::new();
        for _ in 0..self.byte().unwrap_or(0) {
            payload.push(self.byte().unwrap_or(0));
        }
        if matches!(kind, Kind::Index(Level::Root) | Kind::EndOfData) {
            payload.extend_from_slice(&spot.offset.to_le_bytes());
        }
        let mut frame = Frame {
            kind,
            flags: control >> 7,
            length: u32::try_from(payload.len()).unwrap_or(0),
            payload_crc: crc32fast::hash(&payload),
            object: spot.object,
            payload_before: spot.payload,
            back: match spot.previous {
                0 => 0,
                previous => u32::try_from(spot.offset - previous).unwrap_or(0),
            },
            file: spot.file,
            segment: 1,
        };
        if control & 8 != 0 {
            frame.object = self.number();
        }
        if control & 16 != 0 {
            frame.file = self.number_u32();
            frame.payload_before = self.number();
        }
        if control & 32 != 0 {
            frame.segment = self.number_u32();
            frame.back = self.number_u32();
        }
        if control & 64 != 0 {
            frame.length = self.number_u32() & 0x7FFF_FFFF;
        }
        (frame, payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_records_of_all_sorts_neither_panic_nor_hang() {
        let mut random = 1_u64;
        for case in 0..3000 {
            let bytes: Vec<u8> = (0..case % 257)
                .map(|_| {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (random >> 56).to_le_bytes()[0]
                })
                .collect();
            fuzz_records(&bytes);
        }
    }

    #[test]
    fn areas_of_attributes_of_all_sorts_neither_panic_nor_come_out_wrong() {
        let entry = [0x0C, 8, 0, 0, 3, 0, 1, 2, 3];
        let area = |control: u8, entries: &[u8]| [&[control, 5, 6], entries].concat();
        for control in 0..8 {
            fuzz_attributes(&area(control, &entry));
            fuzz_attributes(&area(control, &[entry, entry].concat()));
            fuzz_attributes(&area(control, &entry[..8]));
            fuzz_attributes(&area(control, &[0; 64]));
            fuzz_attributes(&area(control, &[]));
        }
        let mut random = 7_u64;
        for case in 0..2000 {
            let bytes: Vec<u8> = (0..case % 97)
                .map(|_| {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    // Lengths and formats are small numbers: let some of them be right.
                    (random >> 56).to_le_bytes()[0] & [0xFF, 3, 9][case % 3]
                })
                .collect();
            fuzz_attributes(&bytes);
        }
    }

    #[test]
    fn a_root_that_claims_more_than_there_is_does_no_harm() {
        for objects in [1_u64, 0x40, 0xBF] {
            let mut root = vec![0; 32];
            root[8] = 1;
            root.extend_from_slice(&[0; 16]);
            let mut bytes = vec![0, 0, 0x8E, u8::try_from(root.len()).unwrap()];
            bytes.extend_from_slice(&root);
            bytes.push(u8::try_from(objects).unwrap());
            fuzz_records(&bytes);
        }
    }
}
