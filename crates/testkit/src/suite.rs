//! One suite for every [`Drive`]: each implementation runs all of it through [`drive_suite!`](crate::drive_suite).

use std::num::NonZeroU32;

use pseudotape_drive::Personality;
use pseudotape_tape::{
    Address, Done, Door, Drive, EraseExtent, LoadKind, Mark, ModeSelect, ObjectNumber,
    PartitionNumber, Partitioning, ReadDone, Sense, SpaceUnit, Stop, Transfer, WriteMode,
};

use crate::block_of;

/// What a case asks of the drive that it is given: loaded, blank, attention already fetched.
#[derive(Clone, Copy, Debug, Default)]
pub struct SuiteMedium {
    /// Bytes of blocks up to the physical end.
    pub capacity_bytes: Option<u64>,
    /// Length of the early-warning zone.
    pub early_warning_bytes: u64,
    /// Write-protect switch.
    pub write_protected: bool,
    /// Append-only medium.
    pub worm: bool,
    /// Errors that the drive recovers, one in each of the first writes: [`recovering`](crate::recovering) around a
    /// drive that recovers none by itself, below whatever the suite is to judge.
    pub recovered_errors: u32,
}

/// Makes the drive of a case.
pub type Make<'a> = &'a dyn Fn(Personality, SuiteMedium) -> Box<dyn Drive>;

fn generic(make: Make<'_>) -> Box<dyn Drive> {
    make(Personality::default(), SuiteMedium::default())
}

fn write(drive: &mut dyn Drive, seed: u64, length: usize) -> Done {
    drive
        .write(Transfer::Variable, &block_of(seed, length))
        .expect("the medium takes the block")
}

fn filemarks(drive: &mut dyn Drive, count: u32) -> Done {
    drive
        .write_marks(Mark::Filemark, count, WriteMode::Commit)
        .expect("the medium takes marks")
}

fn read(drive: &mut dyn Drive, length: usize) -> (Vec<u8>, ReadDone) {
    let mut buffer = vec![0; length];
    let done = drive
        .read(Transfer::Variable, &mut buffer)
        .expect("the medium is readable");
    buffer.truncate(done.bytes);
    (buffer, done)
}

fn object(drive: &mut dyn Drive) -> u64 {
    drive.position().expect("the position is known").object.0
}

fn fixed(size: u32) -> Transfer {
    Transfer::Fixed(NonZeroU32::new(size).expect("sizes of cases are not 0"))
}

fn to(object: u64) -> Address {
    Address {
        partition: None,
        object: ObjectNumber(object),
    }
}

pub fn blocks_come_back_with_their_lengths(make: Make<'_>) {
    let drive = &mut *generic(make);
    let lengths = [1, 512, 10_240, 65_536, 262_144, 1 << 20, 3, 16 << 20];
    for (seed, length) in lengths.into_iter().enumerate() {
        let done = write(drive, seed as u64, length);
        assert_eq!(
            (done.count, done.stop, done.position.object.0),
            (1, None, seed as u64 + 1)
        );
    }
    drive.rewind().unwrap();
    for (seed, length) in lengths.into_iter().enumerate() {
        let (data, done) = read(drive, 16 << 20);
        assert_eq!(
            (done.blocks, done.stop, done.block_length as usize),
            (1, None, length)
        );
        assert!(
            data == block_of(seed as u64, length),
            "block {seed} of {length} bytes came back different"
        );
    }
}

pub fn a_longer_block_is_cut_and_skipped(make: Make<'_>) {
    let drive = &mut *generic(make);
    write(drive, 1, 5000);
    write(drive, 2, 700);
    drive.rewind().unwrap();
    let (data, done) = read(drive, 1000);
    assert_eq!(
        (done.bytes, done.block_length, done.blocks),
        (1000, 5000, 1)
    );
    assert_eq!(data, block_of(1, 5000)[..1000]);
    assert_eq!(read(drive, 1000).0, block_of(2, 700));
}

pub fn marks_stop_reads_and_end_of_data_stays(make: Make<'_>) {
    let drive = &mut *generic(make);
    write(drive, 1, 100);
    let marks = filemarks(drive, 2);
    assert_eq!((marks.count, marks.position.object.0), (2, 3));
    assert_eq!(marks.position.file.map(|f| f.0), Some(2));
    drive.rewind().unwrap();
    assert_eq!(read(drive, 100).1.stop, None);
    for after in [2, 3] {
        let (data, done) = read(drive, 100);
        assert_eq!(
            (data.len(), done.stop, done.position.object.0),
            (0, Some(Stop::Filemark), after)
        );
    }
    for _ in 0..3 {
        let (data, done) = read(drive, 100);
        assert_eq!(
            (data.len(), done.stop, done.position.object.0),
            (0, Some(Stop::EndOfData), 3)
        );
    }
}

pub fn fixed_blocks_stop_at_marks_and_other_lengths(make: Make<'_>) {
    let drive = &mut *generic(make);
    let data = block_of(7, 5 * 512);
    assert_eq!(drive.write(fixed(512), &data).unwrap().count, 5);
    filemarks(drive, 1);
    drive.write(fixed(512), &data[..1024]).unwrap();
    write(drive, 8, 600);
    drive.rewind().unwrap();
    let mut buffer = vec![0; 8 * 512];
    let done = drive.read(fixed(512), &mut buffer).unwrap();
    assert_eq!(
        (done.blocks, done.bytes, done.stop),
        (5, 2560, Some(Stop::Filemark))
    );
    assert_eq!(done.position.object.0, 6);
    assert_eq!(buffer[..2560], data);
    let done = drive.read(fixed(512), &mut buffer).unwrap();
    assert_eq!(
        (done.blocks, done.stop, done.block_length),
        (2, Some(Stop::IllegalLength), 600)
    );
    assert_eq!(done.position.object.0, 9);
    let done = drive.read(fixed(512), &mut buffer).unwrap();
    assert_eq!((done.blocks, done.stop), (0, Some(Stop::EndOfData)));
}

pub fn writing_in_the_middle_drops_what_follows(make: Make<'_>) {
    let drive = &mut *generic(make);
    for seed in 0..6 {
        write(drive, seed, 1000);
        filemarks(drive, 1);
    }
    drive.locate(to(4)).unwrap();
    write(drive, 99, 20);
    assert_eq!(read(drive, 1000).1.stop, Some(Stop::EndOfData));
    drive.rewind().unwrap();
    drive.space(SpaceUnit::Filemarks, 2).unwrap();
    assert_eq!(read(drive, 1000).0, block_of(99, 20));
    drive.locate(to(1)).unwrap();
    filemarks(drive, 1);
    assert_eq!(drive.space_to_end_of_data().unwrap().position.object.0, 2);
}

pub fn spacing_over_blocks_stops_at_marks(make: Make<'_>) {
    let drive = &mut *generic(make);
    for seed in 0..4 {
        write(drive, seed, 64);
    }
    filemarks(drive, 1);
    write(drive, 9, 64);
    drive.rewind().unwrap();
    let done = drive.space(SpaceUnit::Blocks, 3).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (3, None, 3)
    );
    let done = drive.space(SpaceUnit::Blocks, 3).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (1, Some(Stop::Filemark), 5)
    );
    let done = drive.space(SpaceUnit::Blocks, 3).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (1, Some(Stop::EndOfData), 6)
    );
    let done = drive.space(SpaceUnit::Blocks, -3).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (1, Some(Stop::Filemark), 4)
    );
    let done = drive.space(SpaceUnit::Blocks, -9).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (4, Some(Stop::BeginningOfPartition), 0)
    );
    assert_eq!(drive.space(SpaceUnit::Blocks, 0).unwrap().count, 0);
}

pub fn spacing_over_filemarks_goes_to_their_far_side(make: Make<'_>) {
    let drive = &mut *generic(make);
    for seed in 0..3 {
        write(drive, seed, 64);
        write(drive, seed, 64);
        filemarks(drive, 1);
    }
    let done = drive.space(SpaceUnit::Filemarks, -2).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (2, None, 5)
    );
    assert_eq!(done.position.file.map(|f| f.0), Some(1));
    let done = drive.space(SpaceUnit::Filemarks, 1).unwrap();
    assert_eq!((done.count, done.position.object.0), (1, 6));
    let done = drive.space(SpaceUnit::Filemarks, 5).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (1, Some(Stop::EndOfData), 9)
    );
    let done = drive.space(SpaceUnit::Filemarks, -5).unwrap();
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (3, Some(Stop::BeginningOfPartition), 0)
    );
}

pub fn locate_goes_to_objects_and_not_past_the_end(make: Make<'_>) {
    let drive = &mut *generic(make);
    for seed in 0..50 {
        write(drive, seed, 100);
        if seed % 7 == 0 {
            filemarks(drive, 1);
        }
    }
    let done = drive.locate(to(2)).unwrap();
    assert_eq!((done.stop, done.position.object.0), (None, 2));
    assert_eq!(read(drive, 100).0, block_of(1, 100));
    let done = drive.locate(to(58)).unwrap();
    assert_eq!((done.stop, done.position.object.0), (None, 58));
    let done = drive.locate(to(1_000_000)).unwrap();
    assert_eq!(
        (done.stop, done.position.object.0),
        (Some(Stop::EndOfData), 58)
    );
    drive.locate(to(0)).unwrap();
    assert_eq!(read(drive, 100).0, block_of(0, 100));
    let elsewhere = Address {
        partition: Some(PartitionNumber(3)),
        object: ObjectNumber(0),
    };
    assert_eq!(
        drive.locate(elsewhere).unwrap_err().sense,
        Sense::IllegalRequest
    );
}

pub fn early_warning_comes_before_the_physical_end(make: Make<'_>) {
    let medium = SuiteMedium {
        capacity_bytes: Some(100_000),
        early_warning_bytes: 30_000,
        ..SuiteMedium::default()
    };
    let drive = &mut *make(Personality::default(), medium);
    for block in 1..=10 {
        let done = write(drive, block, 10_000);
        let expected = (block >= 7).then_some(Stop::EarlyWarning);
        assert_eq!((done.count, done.stop), (1, expected), "block {block}");
        assert_eq!(done.position.past_early_warning, block >= 7);
    }
    let done = write(drive, 11, 1);
    assert_eq!(
        (done.count, done.stop, done.position.object.0),
        (0, Some(Stop::EndOfPartition), 10)
    );
    let marks = filemarks(drive, 1);
    assert_eq!((marks.count, marks.stop), (1, Some(Stop::EarlyWarning)));
    drive.rewind().unwrap();
    for block in 1..=10 {
        assert_eq!(read(drive, 10_000).0, block_of(block, 10_000));
    }
    // Written anew from an earlier place, it comes where the new objects meet it: later, or earlier.
    drive.locate(to(2)).unwrap();
    let marks = filemarks(drive, 8);
    assert_eq!(
        (marks.stop, marks.position.past_early_warning),
        (None, false)
    );
    assert_eq!(write(drive, 1, 10).stop, None);
    drive.locate(to(2)).unwrap();
    for (object, length) in (3..).zip([20_000, 30_000, 10_000]) {
        let done = write(drive, object, length);
        assert_eq!(done.position.past_early_warning, object >= 4, "{object}");
    }
    assert!(!drive.locate(to(3)).unwrap().position.past_early_warning);
    assert!(drive.locate(to(4)).unwrap().position.past_early_warning);
}

pub fn fixed_writes_stop_at_the_physical_end(make: Make<'_>) {
    let medium = SuiteMedium {
        capacity_bytes: Some(5000),
        early_warning_bytes: 1000,
        ..SuiteMedium::default()
    };
    let drive = &mut *make(Personality::default(), medium);
    let data = block_of(3, 10 * 512);
    let done = drive.write(fixed(512), &data).unwrap();
    assert_eq!((done.count, done.stop), (9, Some(Stop::EndOfPartition)));
    drive.rewind().unwrap();
    let mut buffer = vec![0; 10 * 512];
    let done = drive.read(fixed(512), &mut buffer).unwrap();
    assert_eq!((done.blocks, done.stop), (9, Some(Stop::EndOfData)));
    assert_eq!(buffer[..9 * 512], data[..9 * 512]);
}

pub fn blocks_outside_the_limits_are_refused(make: Make<'_>) {
    let personality = Personality::named("scsi_debug").expect("a personality of ours");
    let drive = &mut *make(personality, SuiteMedium::default());
    for length in [1, 511, (1 << 20) + 4] {
        let failed = drive
            .write(Transfer::Variable, &block_of(0, length))
            .unwrap_err();
        assert_eq!(
            (failed.sense, failed.position.map(|p| p.object.0)),
            (Sense::IllegalRequest, Some(0)),
            "{length}"
        );
    }
    write(drive, 0, 512);
    write(drive, 0, 1 << 20);
    let failed = drive.write(fixed(512), &block_of(0, 1000)).unwrap_err();
    assert_eq!(failed.sense, Sense::IllegalRequest);
}

pub fn only_the_block_just_written_can_be_extended(make: Make<'_>) {
    let drive = &mut *generic(make);
    let refused =
        |drive: &mut dyn Drive| drive.extend(b"more").unwrap_err().sense == Sense::IllegalRequest;
    assert!(refused(drive));
    let whole = block_of(5, 300_000);
    drive.write(Transfer::Variable, &whole[..131_072]).unwrap();
    assert_eq!(
        drive
            .extend(&whole[131_072..262_144])
            .unwrap()
            .position
            .object
            .0,
        1
    );
    drive.extend(&whole[262_144..]).unwrap();
    filemarks(drive, 1);
    assert!(refused(drive));
    write(drive, 6, 10);
    drive.rewind().unwrap();
    assert!(refused(drive));
    let (data, done) = read(drive, 400_000);
    assert_eq!(done.block_length, 300_000);
    assert!(data == whole, "an extended block came back different");
    assert_eq!(read(drive, 10).1.stop, Some(Stop::Filemark));
    assert_eq!(read(drive, 10).0, block_of(6, 10));
}

pub fn a_protected_medium_is_only_read(make: Make<'_>) {
    let medium = SuiteMedium {
        write_protected: true,
        ..SuiteMedium::default()
    };
    let drive = &mut *make(Personality::default(), medium);
    assert!(drive.mode().unwrap().write_protected);
    assert_eq!(
        drive.write(Transfer::Variable, b"x").unwrap_err().sense,
        Sense::WriteProtected
    );
    assert_eq!(
        drive
            .write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .unwrap_err()
            .sense,
        Sense::WriteProtected
    );
    assert_eq!(
        drive.erase(EraseExtent::Short).unwrap_err().sense,
        Sense::WriteProtected
    );
    assert_eq!(
        drive
            .make_partitions(Partitioning::Single)
            .unwrap_err()
            .sense,
        Sense::WriteProtected
    );
    assert_eq!(read(drive, 10).1.stop, Some(Stop::EndOfData));
    assert_eq!(
        drive
            .write_marks(Mark::Filemark, 0, WriteMode::Commit)
            .unwrap()
            .count,
        0
    );
}

pub fn a_worm_medium_is_only_appended_to(make: Make<'_>) {
    let drive = &mut *make(
        Personality::default(),
        SuiteMedium {
            worm: true,
            ..SuiteMedium::default()
        },
    );
    write(drive, 1, 100);
    filemarks(drive, 1);
    drive.rewind().unwrap();
    assert_eq!(
        drive.write(Transfer::Variable, b"x").unwrap_err().sense,
        Sense::WormOverwrite
    );
    assert_eq!(
        drive.erase(EraseExtent::Long).unwrap_err().sense,
        Sense::WormOverwrite
    );
    assert_eq!(
        drive
            .make_partitions(Partitioning::Single)
            .unwrap_err()
            .sense,
        Sense::WormOverwrite
    );
    drive.space_to_end_of_data().unwrap();
    write(drive, 2, 100);
    assert_eq!(object(drive), 3);
}

pub fn an_unloaded_drive_says_no_medium_until_loaded(make: Make<'_>) {
    let drive = &mut *generic(make);
    write(drive, 1, 100);
    drive.set_door(Door::Locked).unwrap();
    assert_eq!(drive.unload().unwrap_err().sense, Sense::IllegalRequest);
    drive.set_door(Door::Unlocked).unwrap();
    drive.unload().unwrap();
    assert_eq!(drive.test_ready().unwrap_err().sense, Sense::NoMedium);
    assert_eq!(
        drive
            .read(Transfer::Variable, &mut [0; 10])
            .unwrap_err()
            .sense,
        Sense::NoMedium
    );
    assert_eq!(
        drive.write(Transfer::Variable, b"x").unwrap_err().sense,
        Sense::NoMedium
    );
    assert_eq!(drive.position().unwrap_err().sense, Sense::NoMedium);
    assert_eq!(drive.capacity().unwrap_err().sense, Sense::NoMedium);
    let done = drive.load(LoadKind::Load).unwrap();
    assert_eq!(done.position.object.0, 0);
    drive.test_ready().unwrap();
    assert_eq!(read(drive, 100).0, block_of(1, 100));
    assert_eq!(
        drive.load(LoadKind::Retension).unwrap().position.object.0,
        0
    );
}

pub fn erase_drops_what_follows(make: Make<'_>) {
    let drive = &mut *generic(make);
    for seed in 0..3 {
        write(drive, seed, 100);
        filemarks(drive, 1);
    }
    drive.locate(to(2)).unwrap();
    let done = drive.erase(EraseExtent::Short).unwrap();
    assert_eq!(done.position.object.0, 2);
    assert_eq!(read(drive, 100).1.stop, Some(Stop::EndOfData));
    drive.rewind().unwrap();
    drive.erase(EraseExtent::Long).unwrap();
    assert_eq!(drive.space_to_end_of_data().unwrap().position.object.0, 0);
    let lto = &mut *make(
        Personality::named("lto5").expect("a personality of ours"),
        SuiteMedium::default(),
    );
    write(lto, 1, 100);
    assert_eq!(
        lto.erase(EraseExtent::Long).unwrap_err().sense,
        Sense::IllegalRequest
    );
    lto.rewind().unwrap();
    lto.erase(EraseExtent::Long).unwrap();
}

pub fn partitions_keep_their_own_objects(make: Make<'_>) {
    let drive = &mut *generic(make);
    write(drive, 1, 100);
    let done = drive.make_partitions(Partitioning::SecondOf(1)).unwrap();
    assert_eq!((done.position.partition.0, done.position.object.0), (0, 0));
    assert_eq!(drive.mode().unwrap().last_partition, 1);
    write(drive, 10, 100);
    let second = Address {
        partition: Some(PartitionNumber(1)),
        object: ObjectNumber(0),
    };
    assert_eq!(drive.locate(second).unwrap().position.partition.0, 1);
    write(drive, 20, 200);
    write(drive, 21, 200);
    drive.rewind().unwrap();
    assert_eq!(read(drive, 200).0, block_of(20, 200));
    let first = Address {
        partition: Some(PartitionNumber(0)),
        object: ObjectNumber(0),
    };
    drive.locate(first).unwrap();
    assert_eq!(read(drive, 200).0, block_of(10, 100));
    assert_eq!(read(drive, 200).1.stop, Some(Stop::EndOfData));
    drive.make_partitions(Partitioning::Single).unwrap();
    assert_eq!(drive.mode().unwrap().last_partition, 0);
    assert_eq!(read(drive, 200).1.stop, Some(Stop::EndOfData));
}

pub fn the_mode_keeps_what_was_set(make: Make<'_>) {
    let drive = &mut *make(
        Personality::named("scsi_debug").expect("a personality of ours"),
        SuiteMedium::default(),
    );
    drive
        .set_mode(ModeSelect {
            block_size: Some(1024),
            density: Some(19),
            ..ModeSelect::default()
        })
        .unwrap();
    let mode = drive.mode().unwrap();
    assert_eq!((mode.block_size, mode.density), (1024, 19));
    let refused = ModeSelect {
        block_size: Some(512),
        density: Some(101),
        ..ModeSelect::default()
    };
    assert_eq!(
        drive.set_mode(refused).unwrap_err().sense,
        Sense::IllegalRequest
    );
    assert_eq!(drive.mode().unwrap().block_size, 1024);
    for size in [100, (1 << 20) + 4] {
        let refused = ModeSelect {
            block_size: Some(size),
            ..ModeSelect::default()
        };
        assert_eq!(
            drive.set_mode(refused).unwrap_err().sense,
            Sense::IllegalRequest
        );
    }
    drive
        .set_mode(ModeSelect {
            block_size: Some(0),
            ..ModeSelect::default()
        })
        .unwrap();
    assert_eq!(drive.mode().unwrap().block_size, 0);
}

pub fn capacity_counts_bytes_of_blocks_and_marks(make: Make<'_>) {
    let medium = SuiteMedium {
        capacity_bytes: Some(1 << 20),
        early_warning_bytes: 1 << 16,
        ..SuiteMedium::default()
    };
    let drive = &mut *make(Personality::default(), medium);
    write(drive, 1, 1000);
    filemarks(drive, 3);
    write(drive, 1, 500);
    drive.rewind().unwrap();
    let capacity = drive.capacity().unwrap();
    assert_eq!(capacity.total_bytes, Some(1 << 20));
    assert_eq!(capacity.early_warning_bytes, 1 << 16);
    let used = 1500 + 3 * Personality::default().mark_bytes;
    assert_eq!(capacity.used_bytes, used);
    assert_eq!(capacity.left_bytes(), Some((1 << 20) - used));
    assert_eq!(capacity.room_bytes, Some(1 << 20));
    drive.space(SpaceUnit::Blocks, 1).unwrap();
    assert_eq!(drive.capacity().unwrap().room_bytes, Some((1 << 20) - 1000));
}

/// ST-STAT-05: `mt_erreg` counts what the drive recovered, however many adaptors are between.
pub fn what_a_drive_recovered_is_told_once(make: Make<'_>) {
    let medium = SuiteMedium {
        recovered_errors: 3,
        ..SuiteMedium::default()
    };
    let drive = &mut *make(Personality::default(), medium);
    for seed in 0..4 {
        write(drive, seed, 1000);
    }
    // A drive behind a driver is told of them when it asks that driver.
    drive.position().unwrap();
    assert_eq!(drive.take_recovered(), 3);
    write(drive, 4, 1000);
    drive.position().unwrap();
    assert_eq!(drive.take_recovered(), 0);
}
