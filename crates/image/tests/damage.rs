//! Damage at every place: it costs what it hits, is reported, and nothing else changes.

use pseudotape_image::{
    Access, CreateParameters, Error, Gap, Image, MemoryStore, Object, OpenReport, RECORDS_OFFSET,
    Uuid, VolumeId, WriteProtect, fuzz_open,
};
use pseudotape_tape::{Mark, ObjectNumber};
use pseudotape_testkit::block_of;

const FRAME: usize = 48;
const FIRST: usize = RECORDS_OFFSET as usize;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Met {
    Block(Vec<u8>),
    Filemark,
    Damaged(u64),
    Lost(u64, u64),
}

fn new_image() -> Image<MemoryStore> {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0);
    parameters.label = "label".to_owned();
    Image::create(MemoryStore::default(), &parameters).unwrap()
}

/// Blocks of 100 bytes, a filemark after each tenth object.
fn recorded(objects: u64) -> Image<MemoryStore> {
    let mut image = new_image();
    for object in 0..objects {
        match expected(object) {
            Met::Block(data) => image.append_block(&data).unwrap(),
            _ => image.append_marks(Mark::Filemark, 1).unwrap(),
        }
    }
    image
}

fn expected(object: u64) -> Met {
    if object % 10 == 9 {
        Met::Filemark
    } else {
        Met::Block(block_of(object, 100))
    }
}

fn all_expected(objects: u64) -> Vec<Met> {
    (0..objects).map(expected).collect()
}

fn finished(objects: u64) -> Vec<u8> {
    recorded(objects).finish().unwrap().into_bytes()
}

fn open(bytes: Vec<u8>) -> Result<(Image<MemoryStore>, OpenReport), Error> {
    Image::open(MemoryStore::new(bytes), Access::ReadWrite)
}

/// Reads to the end of data, past damage.
fn read_all(image: &mut Image<MemoryStore>) -> Vec<Met> {
    let mut met = Vec::new();
    let mut buffer = [0; 200];
    image.rewind();
    loop {
        let before = image.place().object.0;
        match image.read_object(&mut buffer) {
            Ok(Object::Block { copied, .. }) => met.push(Met::Block(buffer[..copied].to_vec())),
            Ok(Object::Filemark) => met.push(Met::Filemark),
            Ok(Object::Setmark) => panic!("no setmark was written"),
            Ok(Object::EndOfData) => return met,
            Err(Error::DamagedPayload { at, .. }) => met.push(Met::Damaged(at.object.0)),
            Err(Error::DamagedFrame {
                gap:
                    Gap {
                        first_object,
                        objects,
                        ..
                    },
                ..
            }) => {
                met.push(Met::Lost(first_object, objects));
            }
            Err(error) => panic!("{error}"),
        }
        assert!(image.place().object.0 > before, "reading moves on");
    }
}

/// Where the frames of objects begin, found by their lengths; leaves of the index lie between.
fn frames(bytes: &[u8], objects: u64) -> Vec<usize> {
    let mut at = FIRST;
    let mut found = Vec::new();
    while (found.len() as u64) < objects {
        let kind = bytes[at + 4];
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        if kind < 5 {
            found.push(at);
        }
        at += FRAME + length;
    }
    found
}

#[test]
fn a_damaged_payload_costs_that_block_and_reading_goes_on() {
    let mut bytes = finished(30);
    let at = frames(&bytes, 30)[4];
    bytes[at + FRAME + 50] ^= 1;
    let (mut image, report) = open(bytes).unwrap();
    assert!(report.is_clean());
    let mut wanted = all_expected(30);
    wanted[4] = Met::Damaged(4);
    assert_eq!(read_all(&mut image), wanted);
}

#[test]
fn a_damaged_payload_is_noticed_also_behind_the_end_of_a_short_buffer() {
    let mut bytes = finished(30);
    let at = frames(&bytes, 30)[4];
    bytes[at + FRAME + 99] ^= 1;
    let (mut image, _) = open(bytes).unwrap();
    image.locate(ObjectNumber(4)).unwrap();
    assert!(matches!(
        image.read_object(&mut [0; 10]),
        Err(Error::DamagedPayload { at, .. }) if at.object.0 == 4
    ));
    assert_eq!(image.place().object, ObjectNumber(5));
}

#[test]
fn a_damaged_frame_costs_its_object_and_is_reported_as_a_gap() {
    for lost in [0, 4, 9, 511, 512, 1199] {
        let mut bytes = finished(1200);
        let at = frames(&bytes, 1200)[lost as usize];
        bytes[at + 20] ^= 1;
        let (mut image, report) = open(bytes).unwrap();
        assert!(report.is_clean());
        let mut wanted = all_expected(1200);
        wanted[lost as usize] = Met::Lost(lost, 1);
        assert_eq!(read_all(&mut image), wanted);
        // Going there from both sides finds the place all the same.
        for object in [lost, lost + 1] {
            image.locate(ObjectNumber(object)).unwrap();
            assert_eq!(image.place().object.0, object);
            assert_eq!(image.place().file.0, object / 10);
        }
    }
}

/// What a crash leaves is told apart from this in `crash.rs`.
#[test]
fn real_damage_is_called_damage() {
    let good = finished(30);
    assert!(!open(good.clone()).unwrap().1.is_damaged());
    let mut header = good.clone();
    header[40] ^= 1;
    let mut slots = good.clone();
    slots[4096 + 30] ^= 1;
    slots[8192 + 30] ^= 1;
    let end = open(good.clone()).unwrap().0.host_bytes() as usize;
    let cut = good[..end - 1].to_vec();
    // Without the record of the end of data the frames are read again.
    let mut frame = good[..end].to_vec();
    frame[frames(&good, 30)[4] + 20] ^= 1;
    for (what, bytes) in [
        ("header", header),
        ("slots", slots),
        ("cut", cut),
        ("frame", frame),
    ] {
        let (_, report) = open(bytes).unwrap();
        assert!(report.is_damaged(), "{what}: {report}");
    }
}

#[test]
fn several_damaged_frames_in_a_row_are_one_gap() {
    let mut bytes = finished(100);
    for object in 37..42 {
        let at = frames(&finished(100), 100)[object];
        bytes[at..at + FRAME].fill(0);
    }
    let (mut image, _) = open(bytes).unwrap();
    let mut wanted = all_expected(100);
    wanted.splice(37..42, [Met::Lost(37, 5)]);
    assert_eq!(read_all(&mut image), wanted);
    image.locate(ObjectNumber(40)).unwrap();
    assert!(matches!(
        image.read_object(&mut [0; 200]),
        Err(Error::DamagedFrame {
            gap: Gap {
                first_object: 40,
                objects: 2,
                ..
            },
            ..
        })
    ));
    assert_eq!(image.place().object.0, 42);
    assert_eq!(image.place().file.0, 4);
}

#[test]
fn what_is_written_behind_or_within_a_gap_is_found_again() {
    for at in 36..44 {
        let mut bytes = finished(100);
        for object in 37..42 {
            let at = frames(&finished(100), 100)[object];
            bytes[at..at + FRAME].fill(0xAA);
        }
        let (mut image, _) = open(bytes).unwrap();
        image.locate(ObjectNumber(at)).unwrap();
        image.append_block(b"new").unwrap();
        image.append_marks(Mark::Filemark, 1).unwrap();
        for finish in [false, true] {
            let (mut again, _) = open(image.store().bytes().to_vec()).unwrap();
            assert_eq!(again.end_of_data().object.0, at + 2, "cut at {at}");
            again.locate(ObjectNumber(at)).unwrap();
            let mut buffer = [0; 200];
            assert!(matches!(
                again.read_object(&mut buffer),
                Ok(Object::Block { length: 3, .. })
            ));
            assert_eq!(&buffer[..3], b"new");
            again.rewind();
            let whole = at.min(37) as usize;
            let mut lost = 0;
            for object in 0..at {
                if again.place().object.0 > object {
                    continue;
                }
                match again.read_object(&mut buffer) {
                    Ok(_) => {}
                    Err(error) if error.is_damage() => {
                        assert!(object as usize >= whole);
                        lost += again.place().object.0 - object;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(
                lost,
                at.clamp(37, 42) - 37,
                "cut at {at}, finished {finish}"
            );
            if !finish {
                let store = image.finish().unwrap();
                image = open(store.into_bytes()).unwrap().0;
            }
        }
    }
}

#[test]
fn leftovers_of_dropped_data_are_never_taken_for_new_although_they_fit_exactly() {
    let old = finished(60);
    let (mut image, _) = open(old.clone()).unwrap();
    image.locate(ObjectNumber(30)).unwrap();
    image.append_block(&block_of(777, 100)).unwrap();
    let new = image.into_store().into_bytes();
    assert!(new.len() < old.len());
    // As if the truncation had never happened.
    let mut mixed = new.clone();
    mixed.extend_from_slice(&old[new.len()..]);
    let (mut image, report) = open(mixed).unwrap();
    assert_eq!(image.end_of_data().object.0, 31);
    assert_eq!(report.torn_tail.unwrap().offset as usize, new.len());
    let mut wanted = all_expected(30);
    wanted.push(Met::Block(block_of(777, 100)));
    assert_eq!(read_all(&mut image), wanted);
}

#[test]
fn a_damaged_header_is_read_from_its_copy() {
    let mut bytes = finished(5);
    bytes[40] ^= 1;
    let (mut image, report) = open(bytes.clone()).unwrap();
    assert!(report.header_copy_used);
    assert_eq!(read_all(&mut image), all_expected(5));
    bytes[12288 + 40] ^= 1;
    assert!(matches!(
        open(bytes.clone()),
        Err(Error::HeaderDamaged { .. })
    ));
    bytes[0..8].fill(0);
    bytes[12288..12296].fill(0);
    assert!(matches!(open(bytes), Err(Error::NotAnImage { .. })));
    for length in [0, 1, 7, 128, 4096] {
        assert!(open(vec![0; length]).is_err());
    }
}

#[test]
fn a_copy_of_the_header_that_is_damaged_or_anothers_is_told() {
    let whole = finished(5);
    assert!(!open(whole.clone()).unwrap().1.header_copy_damaged);
    for at in 0..128 {
        let mut bytes = whole.clone();
        bytes[12288 + at] ^= 1;
        let (mut image, report) = open(bytes).unwrap();
        assert!(report.header_copy_damaged && report.is_damaged(), "{at}");
        assert_eq!(read_all(&mut image), all_expected(5));
    }
    // Whole, and of another volume.
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(0x0193)), 0);
    let other = Image::create(MemoryStore::default(), &parameters).unwrap();
    let other = other.finish().unwrap().into_bytes();
    let mut bytes = whole;
    bytes[12288..12288 + 128].copy_from_slice(&other[..128]);
    let (_, report) = open(bytes).unwrap();
    assert!(report.header_copy_damaged && report.is_damaged());
}

#[test]
fn one_damaged_slot_costs_nothing_and_two_leave_the_volume_write_protected() {
    let mut one = finished(5);
    one[8192 + 30] ^= 1;
    let mut other = finished(5);
    other[4096 + 30] ^= 1;
    for bytes in [&one, &other] {
        let (mut image, report) = open(bytes.clone()).unwrap();
        assert_eq!(report.damaged_slots, 1);
        assert_eq!(image.label(), "label");
        assert_eq!(read_all(&mut image), all_expected(5));
    }
    one[4096 + 30] ^= 1;
    let (mut image, report) = open(one).unwrap();
    assert_eq!(report.damaged_slots, 2);
    assert_eq!(read_all(&mut image), all_expected(5));
    assert!(matches!(
        image.append_block(b"x"),
        Err(Error::WriteProtected)
    ));
    image.set_write_protect(WriteProtect::Off).unwrap();
    image.append_block(b"x").unwrap();
    let (image, report) = open(image.finish().unwrap().into_bytes()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(image.end_of_data().object.0, 6);
}

#[test]
fn records_of_several_write_segments_are_found_again_after_both_slots_were_lost() {
    let mut image = recorded(50);
    image.locate(ObjectNumber(20)).unwrap();
    image.append_block(b"second segment").unwrap();
    let mut bytes = image.finish().unwrap().into_bytes();
    bytes[4096] ^= 1;
    bytes[8192] ^= 1;
    let (mut image, _) = open(bytes).unwrap();
    image.set_write_protect(WriteProtect::Off).unwrap();
    image.to_end_of_data();
    image.append_block(b"behind").unwrap();
    let mut bytes = image.into_store().into_bytes();
    // Without a root, all frames are read.
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    let (mut image, _) = open(bytes[..end - 6 - FRAME].to_vec()).unwrap();
    let mut wanted = all_expected(20);
    wanted.push(Met::Block(b"second segment".to_vec()));
    assert_eq!(read_all(&mut image), wanted);
}

/// Offsets of index records, by kind and form.
fn index_records(bytes: &[u8]) -> Vec<(u8, u8, usize, usize)> {
    let mut at = FIRST;
    let mut found = Vec::new();
    while at + FRAME <= bytes.len() {
        let (kind, form) = (bytes[at + 4], bytes[at + 6]);
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        if kind >= 5 {
            found.push((kind, form, at, length));
        }
        at += FRAME + length;
    }
    found
}

#[test]
fn a_damaged_index_is_made_anew_wherever_it_is_damaged() {
    let good = finished(10_000);
    let records = index_records(&good);
    assert_eq!(
        records
            .iter()
            .filter(|(kind, form, ..)| (*kind, *form) == (5, 0))
            .count(),
        19
    );
    assert_eq!(
        records
            .iter()
            .filter(|(kind, form, ..)| (*kind, *form) == (5, 2))
            .count(),
        1
    );
    assert_eq!(records.iter().filter(|(kind, ..)| *kind == 6).count(), 1);
    let mut cases: Vec<Vec<usize>> = Vec::new();
    for (_, _, at, length) in &records {
        cases.push(vec![*at]);
        cases.push(vec![*at + FRAME + length / 2]);
    }
    cases.push(records.iter().map(|(_, _, at, _)| *at).collect());
    cases.push(
        records
            .iter()
            .map(|(_, _, at, _)| *at + FRAME + 9)
            .collect(),
    );
    for case in cases {
        let mut bytes = good.clone();
        case.iter().for_each(|at| bytes[*at] ^= 0xFF);
        let (mut image, _) = open(bytes).unwrap();
        assert_eq!(image.end_of_data().object.0, 10_000);
        assert_eq!(image.mark_counts(), (1000, 0));
        for object in [
            9_999, 511, 512, 513, 0, 5_000, 1_023, 8_192, 8_191, 9_727, 9_728,
        ] {
            image.locate(ObjectNumber(object)).unwrap();
            assert_eq!(
                (image.place().object.0, image.place().file.0),
                (object, object / 10)
            );
            let mut buffer = [0; 100];
            match (image.read_object(&mut buffer).unwrap(), expected(object)) {
                (Object::Block { .. }, Met::Block(data)) => assert_eq!(buffer[..], data[..]),
                (Object::Filemark, Met::Filemark) => {}
                other => panic!("{other:?}"),
            }
        }
        image.rewind();
        let spaced = image.space_marks(Mark::Filemark, 700).unwrap();
        assert_eq!((spaced.count, image.place().object.0), (700, 7000));
        image.append_block(b"new").unwrap();
        let (image, _) = open(image.finish().unwrap().into_bytes()).unwrap();
        assert_eq!(image.end_of_data().object.0, 7001);
    }
}

#[test]
fn damage_to_leaves_is_found_by_the_check_of_the_index() {
    let good = finished(2000);
    let (mut image, _) = open(good.clone()).unwrap();
    assert_eq!(image.check_index().unwrap(), []);
    for (_, _, at, _) in index_records(&good).iter().filter(|(kind, ..)| *kind == 5) {
        let mut bytes = good.clone();
        bytes[at + FRAME + 100] ^= 1;
        let (mut image, _) = open(bytes).unwrap();
        let damage = image.check_index().unwrap();
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].offset, *at as u64);
    }
}

#[test]
fn hints_that_lie_are_not_trusted() {
    // The slots of a longer recording of the same volume, on a shorter one.
    let long = finished(9000);
    let mut short = finished(100);
    short[4096..12288].copy_from_slice(&long[4096..12288]);
    let (mut image, report) = open(short).unwrap();
    assert!(report.missing.is_some());
    assert_eq!(read_all(&mut image), all_expected(100));
}

#[test]
fn damage_in_what_was_committed_is_a_gap_although_the_image_was_not_finished() {
    let mut image = recorded(40);
    image.sync().unwrap();
    image.append_block(b"behind the commit").unwrap();
    let good = image.into_store().into_bytes();
    for slots in [true, false] {
        let mut bytes = good.clone();
        let at = frames(&bytes, 40)[20];
        bytes[at + 3] ^= 1;
        if !slots {
            bytes[4096] ^= 1;
            bytes[8192] ^= 1;
        }
        let (mut image, report) = open(bytes).unwrap();
        assert_eq!(report.gaps.len(), 1);
        assert_eq!(
            (report.gaps[0].first_object, report.gaps[0].objects),
            (20, 1)
        );
        assert_eq!(report.torn_tail, None);
        let met = read_all(&mut image);
        assert_eq!(met[20], Met::Lost(20, 1));
        assert_eq!(met.len(), 41);
    }
}

#[test]
fn damage_before_the_end_of_data_loses_what_it_hits_and_not_the_count() {
    let good = finished(12);
    let mut bytes = good.clone();
    let at = frames(&good, 12)[10];
    // Both last frames, and the root that knew of them.
    for place in [at, frames(&good, 12)[11], good.len() - 1] {
        bytes[place] ^= 1;
    }
    let (mut image, report) = open(bytes).unwrap();
    // Only the record of the end of data, which is derived.
    assert_eq!(report.torn_tail.map(|torn| torn.object), Some(12));
    assert_eq!(image.end_of_data().object.0, 12);
    let mut wanted = all_expected(12);
    wanted.splice(10..12, [Met::Lost(10, 2)]);
    assert_eq!(read_all(&mut image), wanted);
    let spaced = image.space_blocks(-1).unwrap();
    assert_eq!((spaced.count, image.place().object.0), (1, 11));
}

/// What was read is what was written, or named as damaged or lost, or cut off.
fn is_honest(met: &[Met], wanted: &[Met]) -> bool {
    let mut object = 0;
    met.iter().all(|met| {
        let (honest, count) = match met {
            Met::Damaged(at) => (*at == object, 1),
            Met::Lost(first, count) => (*first == object, *count),
            other => (wanted.get(object as usize) == Some(other), 1),
        };
        object += count;
        honest
    })
}

#[test]
fn any_byte_changed_is_refused_named_or_harmless_but_never_wrong_data() {
    let unfinished = recorded(12).into_store().into_bytes();
    for good in [finished(12), unfinished] {
        let wanted = all_expected(12);
        let places = (0..128)
            .chain(4096..4352)
            .chain(8192..8448)
            .chain(12288..12416)
            .chain(FIRST..good.len());
        for at in places {
            for change in [0x01, 0xFF] {
                let mut bytes = good.clone();
                bytes[at] ^= change;
                fuzz_open(&bytes);
                let (mut image, report) =
                    open(bytes).unwrap_or_else(|error| panic!("byte {at}: {error}"));
                let met = read_all(&mut image);
                assert!(is_honest(&met, &wanted), "byte {at}: {met:?}");
                let damaged = met != wanted;
                assert!(!damaged || at >= FIRST, "byte {at}");
                assert!(
                    !damaged
                        || met.len() < 12
                        || met.iter().filter(|met| !wanted.contains(met)).count() == 1
                );
                let cut = report.torn_tail.is_some();
                assert!(met.len() == 12 || cut, "byte {at}: {report}");
            }
        }
    }
}

/// PT-02.
#[test]
fn an_image_cut_at_any_byte_is_an_exact_prefix_and_says_so() {
    let unfinished = recorded(12).into_store().into_bytes();
    let end_of_data = recorded(12).host_bytes() as usize;
    for (good, committed) in [(finished(12), end_of_data), (unfinished, FIRST)] {
        let wanted = all_expected(12);
        for length in FIRST..good.len() {
            let bytes = good[..length].to_vec();
            fuzz_open(&bytes);
            let (mut image, report) = open(bytes).unwrap();
            let met = read_all(&mut image);
            assert!(wanted.starts_with(&met));
            let end = image.host_bytes() as usize;
            assert_eq!(report.missing.is_some(), length < committed);
            let torn = end != length && report.missing.is_none();
            assert_eq!(report.torn_tail.is_some(), torn);
            assert!(length - end < FRAME + 200);
        }
        for length in (0..FIRST).step_by(61) {
            fuzz_open(&good[..length]);
        }
    }
}

#[test]
fn an_image_on_the_tape_is_not_taken_for_the_tape() {
    let mut image = new_image();
    // The tape holds images, of this volume too, and its frame is then damaged: what is inside has frames as well.
    for object in [30, 60] {
        image.append_block(&finished(object)).unwrap();
    }
    image.append_block(b"last").unwrap();
    let mut bytes = image.finish().unwrap().into_bytes();
    bytes[FIRST] ^= 1;
    let (mut image, _) = open(bytes).unwrap();
    let mut buffer = vec![0; 1 << 16];
    assert!(matches!(
        image.read_object(&mut buffer),
        Err(Error::DamagedFrame {
            gap: Gap {
                first_object: 0,
                objects: 1,
                ..
            },
            ..
        })
    ));
    assert!(matches!(
        image.read_object(&mut buffer),
        Ok(Object::Block { .. })
    ));
    assert!(matches!(
        image.read_object(&mut buffer),
        Ok(Object::Block { length: 4, .. })
    ));
}
