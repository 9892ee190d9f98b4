//! Attributes of programs beside the data: kept, never lost by a crash, never wrong after damage.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;

use pseudotape_image::{
    Access, AreaState, CreateParameters, Error, FileStore, Image, MemoryStore, Object, Store, Uuid,
    VolumeId, WriteProtect,
};
use pseudotape_tape::{Attribute, AttributeFormat, Attributes, Mark, PartitionNumber};
use pseudotape_testkit::store::{FaultyStore, StoreAction, StoreFault, Survival, after_power_loss};

const AREAS: [usize; 2] = [512, 12800];
const AREA_BYTES: usize = 3584;
const HEAD_BYTES: usize = 32;

fn parameters() -> CreateParameters {
    CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0)
}

fn new_image() -> Image<MemoryStore> {
    Image::create(MemoryStore::default(), &parameters()).unwrap()
}

fn reopened(bytes: Vec<u8>) -> Image<MemoryStore> {
    Image::open(MemoryStore::new(bytes), Access::ReadWrite)
        .unwrap()
        .0
}

fn attribute(value: &[u8]) -> Attribute {
    Attribute {
        format: AttributeFormat::Binary,
        value: value.to_vec(),
    }
}

/// What a program might have written, more of it with each number.
fn written(number: u8) -> Attributes {
    let text = Attribute {
        format: AttributeFormat::Text,
        value: format!("volume {number}").into_bytes(),
    };
    let coherency = attribute(&vec![number; 40 + 600 * usize::from(number % 4)]);
    [(0x0803, text), (0x080c, coherency)].into_iter().collect()
}

#[test]
fn a_new_image_has_no_attributes_and_keeps_what_is_written() {
    let mut image = new_image();
    assert_eq!(image.attributes().unwrap(), Attributes::new());
    image.set_attributes(&written(1)).unwrap();
    assert_eq!(image.attributes().unwrap(), written(1));
    image.set_attributes(&written(2)).unwrap();
    let mut image = reopened(image.finish().unwrap().into_bytes());
    assert_eq!(image.attributes().unwrap(), written(2));
    image.set_attributes(&Attributes::new()).unwrap();
    let image = reopened(image.into_store().into_bytes());
    assert_eq!(image.attributes().unwrap(), Attributes::new());
}

#[test]
fn attributes_stay_whatever_is_recorded_erased_or_changed_beside() {
    let mut image = new_image();
    image.set_attributes(&written(3)).unwrap();
    for _ in 0..2000 {
        image.append_block(b"data").unwrap();
    }
    image.append_marks(Mark::Filemark, 3).unwrap();
    image.sync().unwrap();
    image.rewind();
    image.append_block(b"new").unwrap();
    image.set_label("other").unwrap();
    image.set_barcode("B00001L8").unwrap();
    image.set_incomplete_from(None).unwrap();
    image.rewind();
    image.erase_from_here().unwrap();
    let image = reopened(image.finish().unwrap().into_bytes());
    assert_eq!(image.attributes().unwrap(), written(3));
}

#[test]
fn writing_attributes_commits_what_was_recorded_and_moves_nothing() {
    let store = FaultyStore::default();
    let mut image = Image::create(store.clone(), &parameters()).unwrap();
    image.append_block(b"first").unwrap();
    image.append_block(b"second").unwrap();
    image.rewind();
    image.read_object(&mut [0; 8]).unwrap();
    image.set_attributes(&written(1)).unwrap();
    assert_eq!(image.place().object.0, 1);
    assert!(!image.has_uncommitted());
    let disk = after_power_loss(&store.log(), usize::MAX, Survival::None);
    let (image, report) = Image::open(MemoryStore::new(disk), Access::ReadOnly).unwrap();
    assert!(report.torn_tail.is_none(), "{report}");
    assert_eq!(image.end_of_data().object.0, 2);
}

#[test]
fn a_block_goes_on_growing_only_where_no_attributes_came_between() {
    let mut image = new_image();
    image.append_block(b"grows").unwrap();
    image.set_attributes(&written(1)).unwrap();
    assert!(matches!(
        image.extend_block(b"more"),
        Err(Error::NotExtendable)
    ));
}

#[test]
fn what_can_not_be_written_takes_no_attributes() {
    let mut image = new_image();
    image.set_write_protect(WriteProtect::On).unwrap();
    let refused = image.set_attributes(&written(1));
    assert!(matches!(refused, Err(Error::WriteProtected)));
    let store = MemoryStore::new(image.into_store().into_bytes());
    let (mut image, _) = Image::open(store, Access::ReadOnly).unwrap();
    assert!(matches!(
        image.set_attributes(&written(1)),
        Err(Error::ReadOnly)
    ));
    assert_eq!(image.attributes().unwrap(), Attributes::new());
}

#[test]
fn more_than_fits_is_refused_and_changes_nothing() {
    let mut image = new_image();
    let most = AREA_BYTES - HEAD_BYTES - 6;
    let fits: Attributes = [(1, attribute(&vec![7; most]))].into_iter().collect();
    image.set_attributes(&fits).unwrap();
    let too_long: Attributes = [(1, attribute(&vec![8; most + 1]))].into_iter().collect();
    let refused = image.set_attributes(&too_long).unwrap_err();
    assert!(
        matches!(refused, Error::AttributesTooLong { max } if max == most as u64 + 6),
        "{refused}"
    );
    let image = reopened(image.into_store().into_bytes());
    assert_eq!(image.attributes().unwrap(), fits);
}

#[test]
fn attributes_of_another_volume_partition_or_place_are_none_of_this_one() {
    let bytes_of = |parameters: &CreateParameters| {
        let mut image = Image::create(MemoryStore::default(), parameters).unwrap();
        image.set_attributes(&written(1)).unwrap();
        image.into_store().into_bytes()
    };
    let own = bytes_of(&parameters());
    let mut other = parameters();
    other.header.volume = VolumeId(Uuid::from_u128(0x0193));
    let mut second = parameters();
    (second.header.partition, second.header.partition_count) = (PartitionNumber(1), 2);
    for foreign in [bytes_of(&other), bytes_of(&second)] {
        let mut mixed = own.clone();
        for area in AREAS {
            mixed[area..area + AREA_BYTES].copy_from_slice(&foreign[area..area + AREA_BYTES]);
        }
        let image = reopened(mixed);
        assert!(matches!(
            image.attributes(),
            Err(Error::AttributesDamaged { .. })
        ));
    }
    let mut exchanged = own.clone();
    let [first, second] = AREAS;
    exchanged[first..first + AREA_BYTES].copy_from_slice(&own[second..second + AREA_BYTES]);
    exchanged[second..second + AREA_BYTES].copy_from_slice(&own[first..first + AREA_BYTES]);
    assert!(reopened(exchanged).attributes().is_err());
}

/// Every byte of an area in turn, changed in several ways.
fn flipped(bytes: &[u8], range: Range<usize>, mut look: impl FnMut(usize, Image<MemoryStore>)) {
    let mut damaged = bytes.to_vec();
    for at in range {
        for change in [1, 0x80, 0xFF] {
            damaged[at] ^= change;
            look(at, reopened(damaged.clone()));
            damaged[at] ^= change;
        }
    }
}

#[test]
fn one_damaged_byte_of_an_area_changes_no_attribute_and_is_told() {
    let mut image = new_image();
    image.append_block(b"data").unwrap();
    image.set_attributes(&written(1)).unwrap();
    image.set_attributes(&written(2)).unwrap();
    let used = HEAD_BYTES
        + written(2)
            .iter()
            .map(|(_, attribute)| 6 + attribute.value.len())
            .sum::<usize>();
    let bytes = image.finish().unwrap().into_bytes();
    for area in AREAS {
        flipped(&bytes, area..area + used + 40, |at, mut image| {
            // Never what was before.
            assert_eq!(image.attributes().unwrap(), written(2), "byte {at}");
            let damaged: Vec<u64> = image.check_attributes().damaged().collect();
            let wanted = if at < area + used {
                vec![area as u64]
            } else {
                vec![]
            };
            assert_eq!(damaged, wanted, "byte {at}");
            // The next writing makes it whole.
            image.set_attributes(&written(3)).unwrap();
            let image = reopened(image.into_store().into_bytes());
            assert_eq!(image.check_attributes().damaged().count(), 0);
            assert_eq!(image.attributes().unwrap(), written(3));
        });
    }
}

#[test]
fn two_damaged_areas_are_told_and_made_whole_by_writing() {
    let mut image = new_image();
    image.append_block(b"data").unwrap();
    image.set_attributes(&written(1)).unwrap();
    let mut bytes = image.finish().unwrap().into_bytes();
    bytes[AREAS[0] + 40] ^= 1;
    flipped(&bytes, AREAS[1]..AREAS[1] + 60, |at, image| {
        let told = image.attributes().unwrap_err();
        assert!(
            matches!(
                told,
                Error::AttributesDamaged {
                    offsets: [512, 12800]
                }
            ),
            "byte {at}: {told}"
        );
        let areas = image.check_attributes();
        assert!(!areas.known && areas.damaged().count() == 2, "{areas:?}");
    });
    bytes[AREAS[1] + 40] ^= 1;
    let mut image = reopened(bytes);
    assert!(matches!(
        image.read_object(&mut [0; 8]).unwrap(),
        Object::Block { length: 4, .. }
    ));
    image.set_attributes(&written(2)).unwrap();
    let image = reopened(image.into_store().into_bytes());
    assert_eq!(image.attributes().unwrap(), written(2));
}

#[test]
fn an_area_that_the_host_can_not_read_is_a_damaged_one() {
    let store = FaultyStore::default();
    let mut image = Image::create(store.clone(), &parameters()).unwrap();
    image.set_attributes(&written(1)).unwrap();
    let fault = |from: usize, to: usize| {
        store.set_fault(Some(StoreFault::Read {
            from: from as u64,
            to: to as u64,
        }));
    };
    fault(AREAS[0], AREAS[0] + 1);
    assert_eq!(image.attributes().unwrap(), written(1));
    let [(_, first), (_, second)] = image.check_attributes().areas;
    assert_eq!((first, second), (AreaState::Damaged, AreaState::Whole));
    fault(AREAS[0], AREAS[1] + 1);
    assert!(image.attributes().is_err());
}

#[test]
fn nothing_is_written_beside_the_only_whole_header() {
    let mut image = new_image();
    image.set_attributes(&written(1)).unwrap();
    let bytes = image.finish().unwrap().into_bytes();
    for header in [0, 12288] {
        let mut damaged = bytes.clone();
        damaged[header + 20] ^= 1;
        let mut image = reopened(damaged.clone());
        let refused = image.set_attributes(&written(2)).unwrap_err();
        assert!(
            matches!(refused, Error::HeaderCopyDamaged { offset } if offset == header as u64),
            "{refused}"
        );
        assert_eq!(image.attributes().unwrap(), written(1));
        assert!(image.into_store().into_bytes() == damaged);
    }
}

#[test]
fn a_sync_that_fails_is_a_failure_and_leaves_old_or_new() {
    let store = FaultyStore::default();
    let mut image = Image::create(store.clone(), &parameters()).unwrap();
    image.set_attributes(&written(1)).unwrap();
    store.set_fault(Some(StoreFault::Sync));
    assert!(image.set_attributes(&written(2)).is_err());
    store.set_fault(None);
    assert!(image.set_attributes(&written(3)).is_err());
    let found = reopened(store.bytes()).attributes().unwrap();
    assert!(found == written(1) || found == written(2));
}

/// What a block of 4 KiB holds when the disk was cut off within it: these sectors of it are garbage.
fn with_lost_sectors(disk: &[u8], block: usize, sectors: u8) -> Vec<u8> {
    let mut disk = disk.to_vec();
    for sector in (0..8).filter(|sector| sectors >> sector & 1 == 1) {
        let start = block + sector * 512;
        disk[start..start + 512].fill(0xA7);
    }
    disk
}

/// Power losses at every action of a log that writes attributes 0 to `last`, one after the other.
struct Losses {
    log: Vec<StoreAction>,
    /// How long the log was when each was acknowledged.
    done: Vec<usize>,
}

impl Losses {
    fn new() -> Self {
        let store = FaultyStore::default();
        let mut image = Image::create(store.clone(), &parameters()).unwrap();
        let mut done = vec![store.log_length()];
        for number in 1..=6 {
            image.append_block(&[number; 100]).unwrap();
            if number % 2 == 0 {
                image.sync().unwrap();
            }
            image.set_attributes(&written(number)).unwrap();
            done.push(store.log_length());
        }
        Losses {
            log: store.log(),
            done,
        }
    }

    fn of(number: usize) -> Attributes {
        match number {
            0 => Attributes::new(),
            _ => written(u8::try_from(number).unwrap()),
        }
    }

    /// Old or new, and the data that were committed with the old.
    fn check(&self, count: usize, disk: Vec<u8>, context: &str) {
        let acknowledged = self.done.iter().filter(|done| **done <= count).count() - 1;
        let (mut image, _) = Image::open(MemoryStore::new(disk), Access::ReadWrite).unwrap();
        let found = image.attributes();
        let found = found.unwrap_or_else(|error| panic!("after {count} {context}: {error}"));
        let known = [acknowledged, acknowledged + 1].map(Losses::of);
        assert!(known.contains(&found), "after {count} {context}: {found:?}");
        assert!(image.end_of_data().object.0 >= acknowledged as u64);
        // Whatever was found can be written over, and that holds, where the header has its copy.
        match image.set_attributes(&written(9)) {
            Ok(()) => {
                let image = reopened(image.into_store().into_bytes());
                assert_eq!(image.attributes().unwrap(), written(9));
            }
            Err(Error::HeaderCopyDamaged { .. }) => {}
            Err(error) => panic!("after {count} {context}: {error}"),
        }
    }
}

#[test]
fn after_a_crash_at_any_write_torn_at_any_byte_there_are_the_old_attributes_or_the_new() {
    let losses = Losses::new();
    let mut torn_areas = 0;
    for count in losses.done[0]..=losses.log.len() {
        for survival in [Survival::All, Survival::None] {
            let disk = after_power_loss(&losses.log, count, survival);
            losses.check(count, disk, &format!("{survival:?}"));
        }
        for seed in 0..30 {
            let survival = Survival::Any(seed * 7919 + count as u64);
            let disk = after_power_loss(&losses.log, count, survival);
            losses.check(count, disk, &format!("{survival:?}"));
        }
        let Some(StoreAction::Write { offset, bytes }) = losses.log[..count].last() else {
            continue;
        };
        for torn in 0..bytes.len() {
            let disk = after_power_loss(&losses.log, count, Survival::Torn(torn));
            losses.check(count, disk, &format!("torn at {torn}"));
        }
        // A disk whose sectors are 4 KiB writes the header with the area: any sectors of the block may be lost.
        if let Some(area) = AREAS.into_iter().find(|area| *area as u64 == *offset) {
            torn_areas += 1;
            let disk = after_power_loss(&losses.log, count, Survival::All);
            for sectors in 1..=u8::MAX {
                let disk = with_lost_sectors(&disk, area - 512, sectors);
                losses.check(count, disk, &format!("lost sectors {sectors:08b}"));
            }
        }
    }
    assert_eq!(torn_areas, 12, "each write is of both areas");
}

/// A store that holds this, and a log of all that is done to it from then on.
fn store_of(disk: &[u8]) -> FaultyStore {
    let mut store = FaultyStore::default();
    store.write_at(disk, 0).unwrap();
    store.sync().unwrap();
    store
}

#[test]
fn after_a_crash_upon_a_crash_there_is_what_the_first_one_left_or_the_new() {
    let losses = Losses::new();
    let (from, to) = (losses.done[3], losses.done[5]);
    let mut checked = 0;
    for count in from..=to {
        for first in [Survival::All, Survival::Torn(512), Survival::Torn(1024)] {
            let store = store_of(&after_power_loss(&losses.log, count, first));
            let (mut image, _) = Image::open(store.clone(), Access::ReadWrite).unwrap();
            let left = image.attributes().unwrap();
            let begun = store.log_length();
            image.set_attributes(&written(7)).unwrap();
            let log = store.log();
            for again in begun..=log.len() {
                for second in (0..4000).step_by(512).map(Survival::Torn) {
                    let disk = after_power_loss(&log, again, second);
                    let found = reopened(disk).attributes().unwrap();
                    assert!(
                        found == left || found == written(7),
                        "{count} {first:?}, then {again} {second:?}: {found:?}"
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 500, "only {checked}");
}

#[test]
fn attributes_are_seen_while_another_program_writes_the_image() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let mut image = Image::create(FileStore::create(&path).unwrap(), &parameters()).unwrap();
    image.append_block(b"data").unwrap();
    image.set_attributes(&written(1)).unwrap();
    let (seen, _) = Image::view(&path).unwrap();
    assert!(seen.is_in_use());
    assert_eq!(seen.attributes().unwrap(), written(1));
    image.set_attributes(&written(2)).unwrap();
    assert_eq!(seen.attributes().unwrap(), written(2));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u16, Attribute),
    Take(u16),
    Append(usize),
    Drop,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let format = prop_oneof![
        Just(AttributeFormat::Binary),
        Just(AttributeFormat::Ascii),
        Just(AttributeFormat::Text)
    ];
    let value = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200),
        1 => prop::collection::vec(any::<u8>(), 1000..1300),
    ];
    let id = prop_oneof![0x0800_u16..0x0810, any::<u16>()];
    prop_oneof![
        6 => (id, format, value)
            .prop_map(|(id, format, value)| Step::Put(id, Attribute { format, value })),
        2 => (0x0800_u16..0x0810).prop_map(Step::Take),
        2 => (1_usize..300).prop_map(Step::Append),
        1 => Just(Step::Drop),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_image_keeps_attributes_as_a_map_does(steps in prop::collection::vec(step(), 1..40)) {
        let mut image = new_image();
        let mut model: BTreeMap<u16, Attribute> = BTreeMap::new();
        let mut objects = 0;
        for step in steps {
            let mut wanted = model.clone();
            match step {
                Step::Put(id, attribute) => drop(wanted.insert(id, attribute)),
                Step::Take(id) => drop(wanted.remove(&id)),
                Step::Append(length) => {
                    image.to_end_of_data();
                    image.append_block(&vec![1; length]).unwrap();
                    objects += 1;
                }
                Step::Drop => {
                    image.rewind();
                    image.erase_from_here().unwrap();
                    objects = 0;
                }
                Step::Reopen => image = reopened(image.finish().unwrap().into_bytes()),
            }
            if wanted != model {
                let bytes: usize = wanted.values().map(|one| 6 + one.value.len()).sum();
                let written = image.set_attributes(&wanted.clone().into_iter().collect());
                prop_assert_eq!(written.is_ok(), bytes <= AREA_BYTES - HEAD_BYTES);
                if written.is_ok() {
                    model = wanted;
                }
            }
            let wanted: Attributes = model.clone().into_iter().collect();
            prop_assert_eq!(image.attributes().unwrap(), wanted);
            prop_assert_eq!(image.end_of_data().object.0, objects);
        }
        let image = reopened(image.into_store().into_bytes());
        let wanted: Attributes = model.into_iter().collect();
        prop_assert_eq!(image.attributes().unwrap(), wanted);
        prop_assert_eq!(image.check_attributes().damaged().count(), 0);
    }
}
