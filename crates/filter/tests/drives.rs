//! A drive behind a filter is a drive: the suite, random operations, and what only a filter does.

use std::collections::HashSet;

use proptest::prelude::*;
use pseudotape_drive::{ImageDrive, MemoryMedium, Personality};
use pseudotape_fault::Faulty;
use pseudotape_filter::{Binding, Compression, Filter, FilterDrive, Key};
use pseudotape_tape::{
    Address, Done, Drive, EraseExtent, Failed, Mark, ModeSelect, ObjectNumber, PartitionNumber,
    Sense, SpaceUnit, Stop, Transfer, Volume, WriteMode,
};
use pseudotape_testkit::attributes_suite::attributes_of;
use pseudotape_testkit::{
    ModelCartridge, ModelDrive, ModelObject, Operation, SUITE, SuiteMedium, block_of, compare,
    image_drive, operation, recovering,
};

/// What the suite asks of a drive and a filter has not, each with the test that stands for it.
const ELSEWHERE: [&str; 4] = [
    // Stored blocks count, not blocks: early_warning_comes_by_what_is_stored
    "early_warning_comes_before_the_physical_end",
    "fixed_writes_stop_at_the_physical_end",
    "capacity_counts_bytes_of_blocks_and_marks",
    // Refused: a_block_can_not_be_lengthened
    "only_the_block_just_written_can_be_extended",
];

fn to(object: u64) -> Address {
    Address {
        partition: None,
        object: ObjectNumber(object),
    }
}

fn filemark(drive: &mut dyn Drive) -> Result<Done, Failed> {
    drive.write_marks(Mark::Filemark, 1, WriteMode::Commit)
}

fn key() -> Key {
    Key::new([9; 32])
}

fn filters() -> Vec<Filter> {
    [
        (None, None),
        (Some(Compression::Zstd), None),
        (Some(Compression::Lz4), None),
        (None, Some(key())),
        (Some(Compression::Zstd), Some(key())),
    ]
    .into_iter()
    .map(|(compression, key)| Filter {
        compression,
        key,
        binding: Binding::Checked,
    })
    .collect()
}

/// The same drive, but with room for what a stored block adds.
fn widened(personality: Personality, filter: &Filter) -> Personality {
    let mut below = personality;
    below.limits.max_bytes += filter.overhead_bytes();
    below
}

fn over_a_model(
    filter: Filter,
    personality: Personality,
    medium: SuiteMedium,
) -> FilterDrive<Faulty<ModelDrive>> {
    let mut drive = ModelDrive::new(widened(personality, &filter));
    drive.insert(ModelCartridge {
        capacity_bytes: medium.capacity_bytes,
        early_warning_bytes: medium.early_warning_bytes,
        write_protected: medium.write_protected,
        worm: medium.worm,
        ..ModelCartridge::default()
    });
    drive.clear_attention();
    FilterDrive::new(recovering(drive, medium.recovered_errors), filter)
}

fn over_an_image(
    filter: Filter,
    personality: Personality,
    medium: SuiteMedium,
) -> FilterDrive<Faulty<ImageDrive<MemoryMedium>>> {
    let mut drive = image_drive(widened(personality, &filter), medium);
    drive.clear_attention();
    FilterDrive::new(recovering(drive, medium.recovered_errors), filter)
}

fn plain(filter: Filter) -> FilterDrive<Faulty<ModelDrive>> {
    over_a_model(filter, Personality::default(), SuiteMedium::default())
}

#[test]
fn a_filtered_model_runs_the_suite() {
    for filter in filters() {
        for case in SUITE.iter().filter(|case| !ELSEWHERE.contains(&case.name)) {
            (case.run)(&|personality, medium| {
                Box::new(over_a_model(filter.clone(), personality, medium))
            });
        }
    }
}

#[test]
fn a_filtered_image_runs_the_suite() {
    let filter = Filter {
        compression: Some(Compression::Lz4),
        key: Some(key()),
        binding: Binding::Checked,
    };
    for case in SUITE.iter().filter(|case| !ELSEWHERE.contains(&case.name)) {
        (case.run)(&|personality, medium| {
            Box::new(over_an_image(filter.clone(), personality, medium))
        });
    }
}

#[test]
fn every_case_that_is_elsewhere_is_one_of_the_suite() {
    for name in ELSEWHERE {
        assert!(SUITE.iter().any(|case| case.name == name), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// PT-04: blocks, lengths, marks and positions are those of a tape without a filter.
    #[test]
    fn random_operations_answer_as_without_a_filter(
        filter in prop::sample::select(filters()),
        personality in prop::sample::select(Personality::ALL),
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        let operations: Vec<_> = operations
            .into_iter()
            .filter(|operation| !matches!(operation, Operation::Extend { .. }))
            .collect();
        let mut model = ModelDrive::new(personality);
        model.insert(ModelCartridge::default());
        model.clear_attention();
        let mut filtered = over_an_image(filter, personality, SuiteMedium::default());
        if let Err(difference) = compare(&mut model, &mut filtered, &operations) {
            prop_assert!(false, "{}", difference);
        }
    }

    /// One byte changed anywhere below is found, whatever the filter.
    #[test]
    fn a_changed_byte_never_gives_wrong_data(
        filter in prop::sample::select(filters()),
        seed in any::<u64>(),
        length in 1..3000_usize,
        place in any::<prop::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let mut drive = plain(filter);
        let mut block = block_of(seed, length);
        block[length / 2..].fill(7);
        drive.write(Transfer::Variable, &block).unwrap();
        let objects = &mut drive.below_mut().behind_mut().cartridge_mut().unwrap().partitions[0];
        let Some(ModelObject::Block(stored)) = objects.first_mut() else {
            return Err(TestCaseError::fail("one block was written"));
        };
        let at = place.index(stored.len());
        stored[at] ^= change;
        drive.rewind().unwrap();
        let mut buffer = vec![0xEE; 4000];
        let failed = drive.read(Transfer::Variable, &mut buffer).unwrap_err();
        prop_assert_eq!(failed.sense, Sense::MediumError);
        prop_assert_eq!(failed.position.map(|p| p.object.0), Some(1));
        prop_assert!(buffer.iter().all(|byte| *byte == 0xEE), "bytes of a damaged block were given");
        prop_assert!(drive.take_trouble().is_some());
    }
}

/// What reading the first block gives, through this filter.
fn read_through(drive: FilterDrive<Faulty<ModelDrive>>, filter: Filter) -> Result<Vec<u8>, String> {
    let mut drive = FilterDrive::new(drive.into_below(), filter);
    drive.rewind().unwrap();
    let mut buffer = vec![0; 4000];
    match drive.read(Transfer::Variable, &mut buffer) {
        Ok(done) => Ok(buffer[..done.bytes].to_vec()),
        Err(failed) => {
            assert_eq!(
                failed.position.map(|p| p.object.0),
                Some(1),
                "behind the block"
            );
            let cause = drive.take_trouble().expect("the cause is told");
            // A wrong key is no damage of the tape.
            let damage = !cause.contains("another key") && !cause.contains("it is encrypted");
            assert_eq!(failed.sense == Sense::MediumError, damage, "{cause}");
            Err(cause)
        }
    }
}

/// PT-04: a wrong key is an error, never wrong data.
#[test]
fn what_does_not_fit_the_filter_is_refused_by_its_cause() {
    let with = |compression, key| Filter {
        compression,
        key,
        binding: Binding::Checked,
    };
    let block = vec![5; 2000];
    let written = |filter| {
        let mut drive = plain(filter);
        drive.write(Transfer::Variable, &block).unwrap();
        drive
    };
    let encrypted = || with(Some(Compression::Zstd), Some(key()));
    let open = || with(Some(Compression::Lz4), None);
    assert_eq!(
        read_through(written(encrypted()), encrypted()),
        Ok(block.clone())
    );
    // Another compression, or none, is no matter when reading.
    assert_eq!(
        read_through(written(encrypted()), with(None, Some(key()))),
        Ok(block.clone())
    );
    assert_eq!(
        read_through(written(open()), with(Some(Compression::Zstd), None)),
        Ok(block.clone())
    );
    for (filter, reader, words) in [
        (
            encrypted(),
            with(None, Some(Key::new([8; 32]))),
            "with another key",
        ),
        (encrypted(), open(), "it is encrypted"),
        (open(), encrypted(), "it is not encrypted"),
    ] {
        let error = read_through(written(filter), reader).unwrap_err();
        assert!(
            error.contains(words) && error.starts_with("object 0: "),
            "{error}"
        );
    }
    let mut unfiltered = plain(open());
    unfiltered
        .below_mut()
        .write(Transfer::Variable, &block)
        .unwrap();
    let error = read_through(unfiltered, open()).unwrap_err();
    assert!(error.contains("not written through a filter"), "{error}");
}

/// Three blocks, a filemark and a block, written through a filter, or without one.
fn recorded(filter: Option<Filter>) -> Recording {
    let mut drive = match filter {
        Some(filter) => plain(filter),
        None => {
            let mut drive = plain(Filter::default());
            for seed in 0..3 {
                let block = block_of(seed, 700);
                drive.below_mut().write(Transfer::Variable, &block).unwrap();
            }
            drive
        }
    };
    for seed in drive.position().unwrap().object.0..3 {
        drive
            .write(Transfer::Variable, &block_of(seed, 700))
            .unwrap();
    }
    filemark(drive.below_mut()).unwrap();
    let last = drive.below_mut().behind_mut().cartridge_mut().unwrap();
    let copy = last.partitions[0][0].clone();
    last.partitions[0].push(copy);
    drive.into_below()
}

type Recording = Faulty<ModelDrive>;

/// A change of the tape, where it is.
type Change = fn(&mut FilterDrive<Recording>) -> Result<Done, Failed>;

const CHANGES: [(&str, Change); 5] = [
    ("a block", |drive| drive.write(Transfer::Variable, b"new")),
    ("a filemark", |drive| filemark(drive)),
    ("a mark of a close", |drive| {
        // Refused as well, and the tape is closed.
        drive.write(Transfer::Variable, b"new").unwrap_err();
        drive.write_marks(Mark::Filemark, 1, WriteMode::Immediate)
    }),
    ("an erasure", |drive| drive.erase(EraseExtent::Long)),
    ("an unreadable block", |drive| drive.record_unreadable(700)),
];

#[test]
fn nothing_is_changed_behind_blocks_that_the_filter_does_not_read() {
    let with = |compression, key| Filter {
        compression,
        key,
        binding: Binding::Checked,
    };
    let encrypted = || with(None, Some(key()));
    let other = || with(None, Some(Key::new([8; 32])));
    let open = || with(Some(Compression::Zstd), None);
    for (wrote, reads, why) in [
        (Some(encrypted()), other(), "with another key"),
        (Some(encrypted()), open(), "it is encrypted"),
        (Some(open()), encrypted(), "it is not encrypted"),
        (None, open(), "not written through a filter"),
        (None, encrypted(), "not written through a filter"),
    ] {
        for ((what, change), object) in CHANGES.iter().flat_map(|c| (1..=5).map(move |o| (c, o))) {
            let mut drive = FilterDrive::new(recorded(wrote.clone()), reads.clone());
            let before = drive
                .below_mut()
                .behind_mut()
                .cartridge_mut()
                .unwrap()
                .partitions
                .clone();
            drive.locate(to(object)).unwrap();
            let failed = change(&mut drive).expect_err(what);
            assert_eq!(
                (failed.sense, failed.position.map(|p| p.object.0)),
                (Sense::IllegalRequest, Some(object)),
                "{what}"
            );
            let trouble = drive.take_trouble().expect("the cause is told");
            assert!(
                trouble.contains("behind object 0: ") && trouble.contains(why),
                "{trouble}"
            );
            // A commit changes nothing.
            drive
                .write_marks(Mark::Filemark, 0, WriteMode::Commit)
                .unwrap();
            let after = drive
                .below_mut()
                .behind_mut()
                .cartridge_mut()
                .unwrap()
                .partitions
                .clone();
            assert!(
                before == after,
                "{what} at object {object} changed the tape"
            );
            // Who begins at the beginning means it.
            drive.rewind().unwrap();
            drive.write(Transfer::Variable, b"new").unwrap();
            filemark(&mut drive).unwrap();
            drive.write(Transfer::Variable, b"more").unwrap();
        }
    }
}

/// A tape that begins with marks, and has blocks behind them.
fn behind_marks(filter: Option<Filter>) -> Recording {
    let mut drive = plain(filter.clone().unwrap_or_default());
    for _ in 0..2 {
        filemark(&mut drive).unwrap();
    }
    for seed in 0..3 {
        let block = block_of(seed, 700);
        let written = match filter {
            Some(_) => drive.write(Transfer::Variable, &block),
            None => drive.below_mut().write(Transfer::Variable, &block),
        };
        written.unwrap();
    }
    drive.into_below()
}

/// Who writes behind the marks at the beginning of a tape would drop the blocks that follow, as a stranger who has not
/// the key, or the wrong one, does after 'mt fsf'.
#[test]
fn nothing_is_changed_between_marks_and_blocks_that_the_filter_does_not_read() {
    let other = Filter {
        key: Some(Key::new([8; 32])),
        ..Filter::default()
    };
    let open = filters().remove(1);
    let wrote = [Some(filters().remove(3)), Some(open.clone()), None];
    let content = |drive: &mut FilterDrive<Recording>| {
        let cartridge = drive.below_mut().behind_mut().cartridge_mut().unwrap();
        cartridge.partitions.clone()
    };
    for (wrote, reads) in wrote.into_iter().zip([other.clone(), other, open]) {
        for ((what, change), object) in CHANGES.iter().flat_map(|c| (1..=2).map(move |o| (c, o))) {
            let mut drive = FilterDrive::new(behind_marks(wrote.clone()), reads.clone());
            let before = content(&mut drive);
            drive.locate(to(object)).unwrap();
            let failed = change(&mut drive).expect_err(what);
            assert_eq!(
                (failed.sense, failed.position.map(|p| p.object.0)),
                (Sense::IllegalRequest, Some(object)),
                "{what}"
            );
            let trouble = drive.take_trouble().expect("the cause is told");
            assert!(trouble.contains("before object 2: "), "{trouble}");
            assert!(before == content(&mut drive), "{what} at object {object}");
            // The place is the one it was.
            assert_eq!(drive.position().unwrap().object.0, object);
            // Who begins at the beginning means it, and then the tape is his.
            drive.rewind().unwrap();
            filemark(&mut drive).unwrap();
            drive.write(Transfer::Variable, b"new").unwrap();
        }
    }
}

/// What begins with marks is not foreign for that: blocks of the filter's own follow, or none do.
#[test]
fn behind_marks_alone_or_before_own_blocks_everything_can_be_written() {
    for filter in filters() {
        for (what, change) in CHANGES
            .iter()
            .filter(|(what, _)| *what != "a mark of a close")
        {
            for object in 1..=2 {
                let own = behind_marks(Some(filter.clone()));
                let mut drive = FilterDrive::new(own, filter.clone());
                drive.locate(to(object)).unwrap();
                change(&mut drive).unwrap_or_else(|failed| panic!("{what}: {failed}"));
                let mut marks = plain(filter.clone());
                filemark(&mut marks).unwrap();
                filemark(&mut marks).unwrap();
                let mut drive = FilterDrive::new(marks.into_below(), filter.clone());
                drive.locate(to(object)).unwrap();
                change(&mut drive).unwrap_or_else(|failed| panic!("{what}: {failed}"));
                drive.rewind().unwrap();
                filemark(&mut drive).unwrap();
            }
        }
    }
}

/// A program that only was refused a block to read is behind it: its place is no place to write at.
#[test]
fn a_refused_read_is_no_beginning() {
    let other = Filter {
        key: Some(Key::new([8; 32])),
        ..Filter::default()
    };
    let mut drive = FilterDrive::new(recorded(Some(filters().remove(4))), other);
    drive.rewind().unwrap();
    drive.read(Transfer::Variable, &mut [0; 700]).unwrap_err();
    let failed = filemark(&mut drive).unwrap_err();
    assert_eq!(
        (failed.sense, failed.position.map(|p| p.object.0)),
        (Sense::IllegalRequest, Some(1))
    );
}

#[test]
fn what_reads_from_anywhere_changes_nothing() {
    let anywhere = Filter {
        key: Some(key()),
        binding: Binding::Ignored,
        ..Filter::default()
    };
    for (what, change) in CHANGES {
        let mut drive = FilterDrive::new(recorded(Some(filters().remove(4))), anywhere.clone());
        assert_eq!(
            change(&mut drive).expect_err(what).sense,
            Sense::WriteProtected,
            "{what}"
        );
    }
}

/// PT-04: early warning is counted on compressed bytes.
#[test]
fn early_warning_comes_by_what_is_stored() {
    let medium = SuiteMedium {
        capacity_bytes: Some(100_000),
        early_warning_bytes: 30_000,
        ..SuiteMedium::default()
    };
    let until_warned = |filter: Filter, block: &[u8]| {
        let mut drive = over_a_model(filter, Personality::default(), medium);
        for count in 1.. {
            let done = drive.write(Transfer::Variable, block).unwrap();
            let stored = drive.capacity().unwrap().used_bytes;
            assert_eq!(stored, drive.below_mut().capacity().unwrap().used_bytes);
            assert_eq!(done.stop.is_some(), stored >= 70_000, "{stored}");
            if done.stop == Some(Stop::EarlyWarning) {
                // The zone is there for what must still be written.
                drive
                    .write_marks(Mark::Filemark, 1, WriteMode::Commit)
                    .unwrap();
                return count;
            }
        }
        unreachable!("the loop has no end")
    };
    let raw = Filter::default();
    let zstd = Filter {
        compression: Some(Compression::Zstd),
        key: None,
        binding: Binding::Checked,
    };
    let noise = block_of(1, 10_000);
    // 10,024 bytes each.
    assert_eq!(until_warned(raw.clone(), &noise), 7);
    assert_eq!(until_warned(zstd.clone(), &noise), 7);
    assert_eq!(until_warned(raw, &[0; 10_000]), 7);
    assert!(until_warned(zstd, &[0; 10_000]) > 700);
}

#[test]
fn what_does_not_fit_at_the_physical_end_is_not_counted() {
    let medium = SuiteMedium {
        capacity_bytes: Some(5000),
        ..SuiteMedium::default()
    };
    let mut drive = over_a_model(Filter::default(), Personality::default(), medium);
    let fixed = Transfer::Fixed(512.try_into().unwrap());
    // 536 bytes each.
    let done = drive.write(fixed, &block_of(3, 10 * 512)).unwrap();
    assert_eq!((done.count, done.stop), (9, Some(Stop::EndOfPartition)));
    assert_eq!(
        drive.capacity().unwrap().room_bytes,
        Some(5000 - 9 * 536 - 24)
    );
    drive.rewind().unwrap();
    let mut buffer = vec![0; 10 * 512];
    let done = drive.read(fixed, &mut buffer).unwrap();
    assert_eq!((done.blocks, done.stop), (9, Some(Stop::EndOfData)));
    assert!(buffer[..9 * 512] == block_of(3, 10 * 512)[..9 * 512]);
}

#[test]
fn a_block_can_not_be_lengthened() {
    let mut drive = plain(Filter::default());
    drive.write(Transfer::Variable, b"block").unwrap();
    let failed = drive.extend(b"more").unwrap_err();
    assert_eq!(
        (failed.sense, failed.position.map(|p| p.object.0)),
        (Sense::IllegalRequest, Some(1))
    );
    drive.rewind().unwrap();
    let mut buffer = [0; 10];
    let done = drive.read(Transfer::Variable, &mut buffer).unwrap();
    assert_eq!(&buffer[..done.bytes], b"block");
}

#[test]
fn limits_shrink_by_what_a_stored_block_adds() {
    let small = Personality::named("scsi_debug").expect("a personality of ours");
    for filter in filters() {
        let overhead = filter.overhead_bytes();
        let mut below = ModelDrive::new(small);
        below.insert(ModelCartridge::default());
        below.clear_attention();
        let mut drive = FilterDrive::new(below, filter);
        let limits = drive.block_limits();
        assert_eq!((limits.min_bytes, limits.granularity_bytes), (512, 1));
        assert_eq!(limits.max_bytes, (1 << 20) - overhead);
        let longest = block_of(1, limits.max_bytes as usize);
        drive.write(Transfer::Variable, &longest).unwrap();
        let failed = drive
            .write(Transfer::Variable, &block_of(1, longest.len() + 4))
            .unwrap_err();
        assert_eq!(failed.sense, Sense::IllegalRequest);
        let size = |block_size| ModeSelect {
            block_size,
            ..ModeSelect::default()
        };
        assert_eq!(
            drive.set_mode(size(Some(1 << 20))).unwrap_err().sense,
            Sense::IllegalRequest
        );
        drive.set_mode(size(Some(1024))).unwrap();
        assert_eq!(drive.mode().unwrap().block_size, 1024);
        assert_eq!(drive.below_mut().mode().unwrap().block_size, 0);
        drive.rewind().unwrap();
        let mut buffer = vec![0; longest.len()];
        assert_eq!(
            drive.read(Transfer::Variable, &mut buffer).unwrap().bytes,
            longest.len()
        );
        assert!(buffer == longest);
    }
}

/// Salt and counter of every block of version 2 on the tape below.
fn nonces(drive: &FilterDrive<Faulty<ModelDrive>>) -> Vec<Vec<u8>> {
    let objects = &drive
        .below()
        .behind()
        .cartridge()
        .expect("a cartridge")
        .partitions[0];
    let stored = objects.iter().filter_map(|object| match object {
        ModelObject::Block(stored) => Some([&stored[32..48], &stored[56..60]].concat()),
        _ => None,
    });
    stored.collect()
}

#[test]
fn no_nonce_comes_twice_however_often_a_place_is_written() {
    let filter = Filter {
        compression: None,
        key: Some(key()),
        binding: Binding::Checked,
    };
    let mut seen = HashSet::new();
    let mut written = 0;
    let mut drive = plain(filter.clone());
    for round in 0..6 {
        if round % 2 == 1 {
            // Opened anew over the same tape.
            drive = FilterDrive::new(drive.into_below(), filter.clone());
        }
        drive.rewind().unwrap();
        drive.space(SpaceUnit::Blocks, round).unwrap();
        for seed in 0..5 {
            drive
                .write(Transfer::Variable, &block_of(seed, 100))
                .unwrap();
            let last = nonces(&drive).pop().expect("a block was written");
            seen.insert(last);
            written += 1;
        }
    }
    assert_eq!(seen.len(), written);
    let salts: HashSet<_> = seen.iter().map(|nonce| nonce[..16].to_vec()).collect();
    assert_eq!(salts.len(), 6, "one for each place where writing began");
}

#[test]
fn a_damaged_block_below_is_passed_on() {
    let mut drive = plain(Filter::default());
    drive.write(Transfer::Variable, b"one").unwrap();
    drive.write(Transfer::Variable, b"two").unwrap();
    drive
        .below_mut()
        .behind_mut()
        .cartridge_mut()
        .unwrap()
        .partitions[0][0] = ModelObject::Damaged(3);
    drive.rewind().unwrap();
    let mut buffer = [0; 10];
    let failed = drive.read(Transfer::Variable, &mut buffer).unwrap_err();
    assert_eq!(
        (failed.sense, failed.position.map(|p| p.object.0)),
        (Sense::MediumError, Some(1))
    );
    let done = drive.read(Transfer::Variable, &mut buffer).unwrap();
    assert_eq!(&buffer[..done.bytes], b"two");
}

/// A filter has nothing to do with them: they are stored as they are.
#[test]
fn attributes_of_programs_are_those_of_the_drive_below() {
    for filter in filters() {
        let mut drive = FilterDrive::new(
            image_drive(Personality::default(), SuiteMedium::default()),
            filter,
        );
        let kept = attributes_of(1);
        drive.set_attributes(PartitionNumber(0), &kept).unwrap();
        assert_eq!(drive.attributes(PartitionNumber(0)).unwrap(), kept);
        let mut below = drive.into_below();
        assert_eq!(below.attributes(PartitionNumber(0)).unwrap(), kept);
    }
}
