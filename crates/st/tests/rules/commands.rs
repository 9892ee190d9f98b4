//! What the drive is told: commands and their arguments.

use pseudotape_mtio::{Booleans, Operation};
use pseudotape_st::Errno;
use pseudotape_tape::{
    Door, EraseExtent, Failed, LoadKind, Mark, ModeSelect, Partitioning, Sense, SpaceUnit,
    Transfer, WriteMode,
};

use crate::bench::{Bench, CLEAR, NON_REWINDING, READ_WRITE, SET, personality};
use crate::witness::Told;

fn told(bench: &mut Bench, operation: Operation, count: i32) -> Vec<Told> {
    bench.drive.told.clear();
    bench.does(operation, count);
    std::mem::take(&mut bench.drive.told)
}

fn set(bench: &mut Bench, switch: Booleans) {
    bench.does(
        Operation::SetDriveBuffer,
        SET | i32::try_from(switch.bits()).unwrap(),
    );
}

/// ST-MARK-01 ST-MARK-06
#[test]
fn filemarks_wait_for_storage_unless_asked_not_to() {
    let mut bench = Bench::open_blank("dds");
    let marks = |mark, mode| vec![Told::Marks(mark, 2, mode)];
    use WriteMode::{Commit, Immediate};
    assert_eq!(
        told(&mut bench, Operation::WriteFilemarks, 2),
        marks(Mark::Filemark, Commit)
    );
    assert_eq!(
        told(&mut bench, Operation::WriteFilemarksImmediate, 2),
        marks(Mark::Filemark, Immediate)
    );
    set(&mut bench, Booleans::NO_WAIT_FILEMARKS);
    assert_eq!(
        told(&mut bench, Operation::WriteFilemarks, 2),
        marks(Mark::Filemark, Immediate)
    );
    assert_eq!(
        told(&mut bench, Operation::WriteSetmarks, 2),
        marks(Mark::Setmark, Commit),
        "setmarks always wait"
    );
}

/// ST-MARK-06
#[test]
fn the_filemark_at_close_waits_for_storage_unless_the_option_says_no() {
    for (wait, mode) in [(true, WriteMode::Commit), (false, WriteMode::Immediate)] {
        let mut bench = Bench::open_blank("generic");
        if !wait {
            set(&mut bench, Booleans::NO_WAIT_FILEMARKS);
        }
        bench.write_blocks(1);
        bench.drive.told.clear();
        bench.close().unwrap();
        assert_eq!(bench.drive.told, [Told::Marks(Mark::Filemark, 1, mode)]);
    }
}

/// ST-MODE-06
#[test]
fn a_drive_that_does_not_buffer_always_waits_for_its_filemarks() {
    let mut bench = Bench::open_blank("scsi_debug");
    set(&mut bench, Booleans::NO_WAIT_FILEMARKS);
    bench.reopen();
    assert_eq!(
        told(&mut bench, Operation::WriteFilemarks, 1),
        [Told::Marks(Mark::Filemark, 1, WriteMode::Commit)]
    );
}

/// ST-MARK-09 ST-MARK-10
#[test]
fn erase_is_short_for_0_and_long_otherwise() {
    let mut bench = Bench::open_blank("generic");
    for (count, extent) in [
        (0, EraseExtent::Short),
        (1, EraseExtent::Long),
        (-1, EraseExtent::Long),
    ] {
        assert_eq!(
            told(&mut bench, Operation::Erase, count),
            [Told::Erase(extent)]
        );
    }
}

/// ST-MODE-01 ST-MODE-05 ST-MODE-06 ST-MODE-07
#[test]
fn each_setting_changes_only_its_own_part_of_the_mode() {
    let mut bench = Bench::open_blank("generic");
    let none = ModeSelect::default();
    for (operation, count, change) in [
        (
            Operation::SetBlockSize,
            1024,
            ModeSelect {
                block_size: Some(1024),
                ..none
            },
        ),
        (
            Operation::SetDensity,
            0x145,
            ModeSelect {
                density: Some(0x45),
                ..none
            },
        ),
        (
            Operation::SetDriveBuffer,
            0xe,
            ModeSelect {
                buffering: Some(6),
                ..none
            },
        ),
        (
            Operation::Compression,
            1,
            ModeSelect {
                compression: Some(true),
                ..none
            },
        ),
        (
            Operation::Compression,
            2,
            ModeSelect {
                compression: Some(false),
                ..none
            },
        ),
        (
            Operation::Compression,
            3,
            ModeSelect {
                compression: Some(true),
                ..none
            },
        ),
    ] {
        assert_eq!(
            told(&mut bench, operation, count),
            [Told::SetMode(change)],
            "{operation:?} {count}"
        );
    }
}

/// ST-MODE-09 ST-MODE-10
#[test]
fn defaults_that_are_in_force_are_not_set_again() {
    let mut bench = Bench::open_blank("generic");
    let none = ModeSelect::default();
    let default_size = 0x5000_0400;
    let default_density = 0x6010_0003;
    let size = ModeSelect {
        block_size: Some(1024),
        ..none
    };
    let density = ModeSelect {
        density: Some(3),
        ..none
    };
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, default_size),
        [Told::SetMode(size)]
    );
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, default_size),
        []
    );
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, default_density),
        [Told::SetMode(density)]
    );
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, default_density),
        []
    );
    // What the session sets stays against the other default.
    bench.does(Operation::SetBlockSize, 2048);
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, 0x6010_0004),
        [Told::SetMode(ModeSelect {
            density: Some(4),
            ..none
        })]
    );
    assert_eq!(bench.get().block_size, 2048);
}

/// ST-WRITE-08
#[test]
fn a_default_compression_is_set_by_the_first_write_from_the_beginning() {
    let mut bench = Bench::open_blank("generic");
    let compression = |on| ModeSelect {
        compression: Some(on),
        ..ModeSelect::default()
    };
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, 0x6020_0001),
        [Told::SetMode(compression(true))],
        "and at once"
    );
    bench.drive.told.clear();
    bench.write_blocks(1);
    assert_eq!(bench.drive.told, [], "done in this session");
    bench.close().unwrap();
    let cartridge = bench.drive.eject().unwrap();
    bench.drive.insert(cartridge);
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    bench.drive.told.clear();
    bench.write_blocks(2);
    assert_eq!(bench.drive.told, [Told::SetMode(compression(true))]);
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, 0x6020_0000),
        [Told::SetMode(compression(false))]
    );
}

/// ST-MODE-10
#[test]
fn a_default_buffering_is_set_at_once_and_by_each_new_session() {
    let mut bench = Bench::open_blank("generic");
    let buffering = ModeSelect {
        buffering: Some(2),
        ..ModeSelect::default()
    };
    assert_eq!(
        told(&mut bench, Operation::SetDriveBuffer, 0x6030_0002),
        [Told::SetMode(buffering)]
    );
    bench.close().unwrap();
    let cartridge = bench.drive.eject().unwrap();
    bench.drive.insert(cartridge);
    bench.drive.told.clear();
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    assert_eq!(bench.drive.told, [Told::SetMode(buffering)]);
    assert_eq!(told(&mut bench, Operation::SetDriveBuffer, 0x603f_ffff), []);
}

/// ST-MODE-07
#[test]
fn compression_of_a_drive_that_can_not_is_eio() {
    let plain = pseudotape_drive::Personality {
        compression: false,
        ..personality("generic")
    };
    let mut bench = Bench::with(plain, pseudotape_testkit::ModelCartridge::default());
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    bench.drive.told.clear();
    assert_eq!(bench.op(Operation::Compression, 1), Err(Errno::Io));
    assert_eq!(bench.drive.told, [], "the drive is not even asked");
    // A default that it can't follow is no error while no other mode is defined.
    bench.does(Operation::SetDriveBuffer, 0x6020_0001);
    assert_eq!(bench.write(10), Ok(10));
}

/// ST-LOAD-04 ST-LOAD-05 ST-LOAD-06
#[test]
fn load_retension_and_the_door_are_what_they_say() {
    let mut bench = Bench::open_blank("generic");
    assert_eq!(
        told(&mut bench, Operation::Load, 1),
        [Told::Load(LoadKind::Load)]
    );
    assert_eq!(
        told(&mut bench, Operation::Retension, 1),
        [Told::Load(LoadKind::Retension)]
    );
    assert_eq!(
        told(&mut bench, Operation::Lock, 1),
        [Told::Door(Door::Locked)]
    );
    assert_eq!(
        told(&mut bench, Operation::Unlock, 1),
        [Told::Door(Door::Unlocked)]
    );
    assert_eq!(
        told(&mut bench, Operation::Offline, 1),
        [],
        "an unlocked door stays as it is"
    );
}

/// ST-PART-04
#[test]
fn partitions_are_made_with_the_size_asked_up_to_64_gb_and_in_gb_above() {
    let mut bench = Bench::open_blank("generic");
    set(&mut bench, Booleans::CAN_PARTITIONS);
    for (count, partitioning) in [
        (0, Partitioning::Single),
        (1, Partitioning::SecondOf(1)),
        (-1, Partitioning::FirstOf(1)),
        (65_533, Partitioning::SecondOf(65_533)),
        (65_534, Partitioning::SecondOf(65_000)),
        (-65_534_999, Partitioning::FirstOf(65_534_000)),
    ] {
        let told = told(&mut bench, Operation::MakePartitions, count);
        assert_eq!(
            told,
            [Told::Load(LoadKind::Load), Told::Partitions(partitioning)],
            "{count}"
        );
        let partitions = if count == 0 { 1 } else { 2 };
        bench.does(Operation::SetPartition, partitions - 1);
        assert_eq!(
            bench.op(Operation::SetPartition, partitions),
            Err(Errno::Invalid)
        );
        bench.does(Operation::SetPartition, 0);
    }
}

/// ST-SPACE-13
#[test]
fn counts_have_24_bits_with_a_sign() {
    let mut bench = Bench::open_blank("generic");
    for (operation, count, unit, sent) in [
        (
            Operation::ForwardFilemarks,
            0x7f_ffff,
            SpaceUnit::Filemarks,
            0x7f_ffff,
        ),
        (
            Operation::ForwardFilemarks,
            0x80_0000,
            SpaceUnit::Filemarks,
            -0x80_0000,
        ),
        (Operation::ForwardBlocks, 0x100_0001, SpaceUnit::Blocks, 1),
        (Operation::BackBlocks, 3, SpaceUnit::Blocks, -3),
        (Operation::BackFilemarks, -2, SpaceUnit::Filemarks, 2),
    ] {
        bench.drive.told.clear();
        assert_eq!(bench.op(operation, count), Err(Errno::Io));
        assert_eq!(
            bench.drive.told,
            [Told::Space(unit, sent)],
            "{operation:?} {count}"
        );
    }
}

/// ST-FIXED-14
#[test]
fn reading_goes_through_a_buffer_of_32_kib_until_the_next_open() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 1000);
    for _ in 0..100 {
        assert_eq!(bench.write(1000), Ok(1000));
    }
    bench.does(Operation::Rewind, 1);
    let size = Transfer::Fixed(std::num::NonZeroU32::new(1000).unwrap());
    let read = |bench: &mut Bench, length| {
        bench.drive.told.clear();
        assert_eq!(bench.read_length(length), Ok(length));
        std::mem::take(&mut bench.drive.told)
    };
    assert_eq!(read(&mut bench, 3000), [Told::Read(size, 3000)]);
    assert_eq!(read(&mut bench, 1500), [Told::Read(size, 32_000)]);
    assert_eq!(read(&mut bench, 2000), []);
    bench.does(Operation::SetDriveBuffer, CLEAR | 4);
    // Read-ahead is off now: no more than asked, in whole blocks.
    assert_eq!(read(&mut bench, 3000), [Told::Read(size, 3000)]);
    assert_eq!(
        read(&mut bench, 40_000),
        [Told::Read(size, 32_000), Told::Read(size, 8000)]
    );
    bench.does(Operation::SetDriveBuffer, SET | 4);
    assert_eq!(read(&mut bench, 1000), [Told::Read(size, 32_000)]);
    bench.reopen();
    assert_eq!(read(&mut bench, 2000), [Told::Read(size, 2000)]);
}

/// ST-LOAD-06
#[test]
fn a_door_that_fails_is_eio_and_is_not_tried_again_by_auto_lock() {
    let mut bench = Bench::open_blank("generic");
    set(&mut bench, Booleans::AUTO_LOCK);
    bench.drive.fails = Some(Failed::at(Sense::IllegalRequest, None));
    assert_eq!(bench.op(Operation::Lock, 1), Err(Errno::Io));
    bench.drive.told.clear();
    bench.write_blocks(1);
    assert_eq!(bench.drive.told, []);
}

/// ST-CLOSE-14
#[test]
fn auto_lock_goes_on_where_the_door_fails() {
    let mut bench = Bench::open_blank("generic");
    set(&mut bench, Booleans::AUTO_LOCK);
    bench.drive.fails = Some(Failed::at(Sense::IllegalRequest, None));
    bench.write_blocks(1);
    bench.drive.told.clear();
    bench.close().unwrap();
    assert_eq!(
        bench.drive.told,
        [Told::Marks(Mark::Filemark, 1, WriteMode::Commit)],
        "and leaves the door alone"
    );
}

/// ST-SPACE-02
#[test]
fn an_error_of_the_medium_while_spacing_counts_what_was_passed() {
    let mut bench = Bench::open_blank("generic");
    for (operation, count, sense, expected) in [
        (Operation::ForwardFilemarks, 5, Sense::MediumError, (3, -1)),
        (
            Operation::ForwardFilemarks,
            5,
            Sense::HardwareError,
            (5, -1),
        ),
        (Operation::ForwardBlocks, 5, Sense::MediumError, (0, 3)),
        (Operation::ForwardBlocks, 5, Sense::HardwareError, (0, 5)),
    ] {
        bench.does(Operation::Rewind, 1);
        bench.drive.fails = Some(Failed {
            sense,
            count: 3,
            position: None,
        });
        assert_eq!(bench.op(operation, count), Err(Errno::Io));
        assert_eq!(bench.at(), expected, "{operation:?} {sense}");
    }
}

/// ST-WRITE-14
#[test]
fn bytes_that_a_default_block_size_does_not_divide_are_refused_and_not_dropped() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetDriveBuffer, 0x5000_1000);
    bench.does(Operation::SetBlockSize, 1);
    bench.close().unwrap();
    // A mode that nobody used: it is made of the first one by its first option.
    let other = pseudotape_st::Node {
        mode: 2,
        ..NON_REWINDING
    };
    bench.open(other, READ_WRITE).unwrap();
    bench.does(Operation::SetDriveBuffer, 0x4000_0008);
    assert_eq!(bench.write(4), Err(Errno::Io));
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.tape(), "f", "the filemark of a file without blocks");
    assert_eq!(bench.get().block_size, 4096);
    assert_eq!(bench.write(8192), Ok(8192), "two whole blocks");
}

/// ST-WRITE-08
#[test]
fn defaults_for_writing_are_set_nowhere_but_at_the_beginning() {
    let mut bench = Bench::open_blank("scsi_debug");
    bench.write_blocks(2);
    bench.does(Operation::WriteFilemarks, 1);
    bench.does(Operation::SetDriveBuffer, 0x6020_0001);
    bench.close().unwrap();
    let cartridge = bench.drive.eject().unwrap();
    bench.drive.insert(cartridge);
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    for (operation, count) in [(Operation::ForwardFilemarks, 1), (Operation::Seek, 1)] {
        bench.does(operation, count);
        bench.drive.told.clear();
        bench.write_blocks(1);
        assert_eq!(bench.drive.told, [], "{operation:?}");
        bench.does(Operation::WriteFilemarks, 0);
    }
}
