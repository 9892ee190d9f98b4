//! Blocks, marks and spacing through a driver that tells less than its drive says.

mod common;

use std::num::NonZeroU32;

use common::{Call, Tape, at, filemarks, object, read, write};
use nix::errno::Errno;
use pseudotape_device::Access;
use pseudotape_drive::Personality;
use pseudotape_mtio::{GeneralStatus, Operation};
use pseudotape_tape::{
    Address, BlockLimits, Door, Drive, Failed, LoadKind, Mark, ModeSelect, ObjectNumber, Sense,
    SpaceUnit, Stop, Transfer, Volume, WriteMode,
};
use pseudotape_testkit::{SuiteMedium, block_of};

fn to(object: u64) -> Address {
    Address {
        partition: None,
        object: ObjectNumber(object),
    }
}

fn fixed(size: u32) -> Transfer {
    Transfer::Fixed(NonZeroU32::new(size).expect("not 0"))
}

fn dds() -> Tape {
    let personality = Personality::named("dds").expect("a personality");
    Tape::new(personality, SuiteMedium::default())
}

/// A tape whose drive does not say where it is.
fn counted() -> Tape {
    let tape = Tape::generic();
    tape.always(Call::Object, Errno::EIO);
    tape.always(Call::Operate(Operation::Seek), Errno::EIO);
    tape
}

#[test]
fn a_block_is_read_straight_into_a_buffer_that_is_long_enough() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    drive
        .write(Transfer::Variable, &block_of(1, 1000))
        .expect("takes it");
    drive.rewind().expect("rewinds");
    let mut buffer = vec![0; 1500];
    let done = drive
        .read(Transfer::Variable, &mut buffer)
        .expect("it is there");
    assert_eq!(
        (done.blocks, done.bytes, done.block_length),
        (1, 1000, 1000)
    );
    assert_eq!(buffer[..1000], block_of(1, 1000));
    assert_eq!(tape.world().reads, [1500]);
}

#[test]
fn a_longer_block_is_cut_with_its_true_length_and_the_next_ones_are_read_at_once() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for seed in 0..3 {
        drive
            .write(Transfer::Variable, &block_of(seed, 1000))
            .expect("takes it");
    }
    drive.rewind().expect("rewinds");
    for seed in 0..3 {
        let mut buffer = vec![0; 600];
        let done = drive
            .read(Transfer::Variable, &mut buffer)
            .expect("it is there");
        assert_eq!((done.blocks, done.bytes, done.block_length), (1, 600, 1000));
        assert_eq!(buffer, block_of(seed, 1000)[..600]);
        assert_eq!(done.position.object.0, seed + 1);
    }
    // The first one is met, and read again; then so long blocks are expected.
    let most = 1 << 20;
    assert_eq!(tape.world().reads, [600, most, most, most]);
    assert_eq!(
        read(&mut drive, 600).expect("reads").stop,
        Some(Stop::EndOfData)
    );
}

#[test]
fn a_buffer_of_nothing_passes_the_block() {
    let mut drive = Tape::generic().known();
    write(&mut drive, 1000);
    drive.rewind().expect("rewinds");
    let done = read(&mut drive, 0).expect("it is there");
    assert_eq!((done.blocks, done.bytes, done.block_length), (1, 0, 1000));
    assert_eq!(done.position.object.0, 1);
}

#[test]
fn a_host_adapter_that_takes_less_is_asked_for_half_until_it_does() {
    for errno in [Errno::EBUSY, Errno::EOVERFLOW] {
        let tape = Tape::generic();
        let mut drive = tape.known();
        write(&mut drive, 1000);
        write(&mut drive, 1000);
        drive.rewind().expect("rewinds");
        tape.fault(Call::Read, errno, 0, 2, false);
        let done = read(&mut drive, 400_000).expect("it is there");
        assert_eq!((done.bytes, done.block_length), (1000, 1000), "{errno}");
        assert_eq!(tape.world().reads, [400_000, 200_000, 100_000], "{errno}");
        // It is not asked for more again.
        read(&mut drive, 400_000).expect("it is there");
        assert_eq!(tape.world().reads.last(), Some(&100_000), "{errno}");
    }
}

#[test]
fn a_host_adapter_that_takes_next_to_nothing_is_an_error() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 1000);
    drive.rewind().expect("rewinds");
    tape.always(Call::Read, Errno::EBUSY);
    let failed = read(&mut drive, 300_000).expect_err("it takes nothing");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(0)));
    assert_eq!(tape.world().reads, [300_000, 150_000, 75_000, 65_536]);
}

#[test]
fn no_memory_in_the_kernel_is_an_error_and_moves_nothing() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 1000);
    drive.rewind().expect("rewinds");
    tape.refuse(Call::Read, Errno::ENOMEM);
    let failed = read(&mut drive, 2000).expect_err("the drive was not asked");
    assert_eq!((failed.sense, at(failed)), (Sense::HardwareError, Some(0)));
    assert!(drive.take_trouble().is_some());
    assert_eq!(read(&mut drive, 2000).expect("now it is").bytes, 1000);
}

#[test]
fn a_block_that_no_read_can_hold_is_a_medium_error_and_passed() {
    let tape = Tape::generic();
    let limits = BlockLimits {
        min_bytes: 1,
        max_bytes: 2000,
        granularity_bytes: 1,
    };
    let mut drive = tape.known();
    write(&mut drive, 3000);
    write(&mut drive, 10);
    drop(drive);
    let mut drive = tape
        .drive_with(Access::ReadWrite, Some(limits))
        .expect("it works");
    drive.rewind().expect("rewinds");
    let failed = read(&mut drive, 5000).expect_err("longer than any");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumError, Some(1)));
    assert_eq!(read(&mut drive, 5000).expect("the next one").bytes, 10);
}

#[test]
fn a_damaged_block_is_a_medium_error_and_passed() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    tape.world().drive.record_unreadable(100).expect("takes it");
    tape.world().drive.rewind().expect("rewinds");
    drop(drive);
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    assert_eq!(read(&mut drive, 200).expect("it is whole").bytes, 10);
    let failed = read(&mut drive, 200).expect_err("it is damaged");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumError, Some(2)));
    let end = read(&mut drive, 200).expect("nothing more");
    assert_eq!(end.stop, Some(Stop::EndOfData));
}

#[test]
fn fixed_blocks_are_counted_up_to_what_ends_them() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    drive.write(fixed(10), &[1; 30]).expect("takes three");
    filemarks(&mut drive, 1);
    drive.write(fixed(10), &[1; 10]).expect("takes one");
    write(&mut drive, 7);
    drive.rewind().expect("rewinds");
    let mut buffer = [0; 60];
    let done = drive.read(fixed(10), &mut buffer).expect("reads");
    assert_eq!(
        (done.blocks, done.bytes, done.stop),
        (3, 30, Some(Stop::Filemark))
    );
    assert_eq!(done.position.object.0, 4);
    let done = drive.read(fixed(10), &mut buffer).expect("reads");
    assert_eq!(
        (done.blocks, done.bytes, done.stop),
        (1, 10, Some(Stop::IllegalLength))
    );
    assert_eq!((done.block_length, done.position.object.0), (7, 6));
    let done = drive.read(fixed(10), &mut buffer).expect("reads");
    assert_eq!((done.blocks, done.stop), (0, Some(Stop::EndOfData)));
    // A failure tells the blocks before it.
    drive.rewind().expect("rewinds");
    tape.fault(Call::Read, Errno::ENODEV, 2, 1, false);
    let failed = drive
        .read(fixed(10), &mut buffer)
        .expect_err("it is gone in the third");
    assert_eq!((failed.sense, failed.count), (Sense::NoDrive, 2));
}

#[test]
fn writes_outside_the_limits_do_not_reach_the_drive() {
    let tape = Tape::generic();
    let limits = BlockLimits {
        min_bytes: 4,
        max_bytes: 100,
        granularity_bytes: 4,
    };
    let mut drive = tape
        .drive_with(Access::ReadWrite, Some(limits))
        .expect("it works");
    for (transfer, length) in [
        (Transfer::Variable, 3),
        (Transfer::Variable, 6),
        (Transfer::Variable, 104),
        (fixed(6), 12),
        (fixed(8), 12),
        (fixed(104), 104),
    ] {
        let failed = drive
            .write(transfer, &vec![1; length])
            .expect_err("outside the limits");
        assert_eq!(
            (failed.sense, failed.count, at(failed)),
            (Sense::IllegalRequest, 0, Some(0)),
            "{transfer:?} {length}"
        );
    }
    for length in [4, 8, 100] {
        write(&mut drive, length);
    }
    assert_eq!(drive.write(fixed(8), &[1; 16]).expect("two").count, 2);
    assert_eq!(object(&mut drive), 5);
}

#[test]
fn early_warning_is_told_with_the_block_that_meets_it_and_each_one_behind() {
    let medium = SuiteMedium {
        capacity_bytes: Some(1000),
        early_warning_bytes: 300,
        ..SuiteMedium::default()
    };
    let tape = Tape::new(Personality::default(), medium);
    let mut drive = tape.known();
    let mut told = Vec::new();
    loop {
        let done = drive
            .write(Transfer::Variable, &[1; 100])
            .expect("takes it");
        told.push((done.count, done.stop, done.position.past_early_warning));
        if done.count == 0 {
            break;
        }
    }
    let before = (1, None, false);
    let warned = (1, Some(Stop::EarlyWarning), true);
    let end = (0, Some(Stop::EndOfPartition), true);
    let mut expected = vec![before; 6];
    expected.extend([warned; 4]);
    expected.push(end);
    assert_eq!(told, expected);
    assert_eq!(object(&mut drive), 10);
    // Marks behind it are warned of as well.
    let done = filemarks(&mut drive, 1);
    assert_eq!((done.count, done.stop), (1, Some(Stop::EarlyWarning)));
    // The place of early warning is remembered, until something is written before it.
    drive.rewind().expect("rewinds");
    assert!(
        !drive
            .locate(to(6))
            .expect("there")
            .position
            .past_early_warning
    );
    assert!(
        drive
            .locate(to(7))
            .expect("there")
            .position
            .past_early_warning
    );
    drive.locate(to(6)).expect("there");
    let done = drive.write(Transfer::Variable, &[1; 10]).expect("takes it");
    assert_eq!((done.stop, done.position.past_early_warning), (None, false));
    assert!(
        !drive
            .locate(to(7))
            .expect("there")
            .position
            .past_early_warning
    );
}

#[test]
fn fixed_blocks_end_where_the_tape_does() {
    let medium = SuiteMedium {
        capacity_bytes: Some(1000),
        early_warning_bytes: 300,
        ..SuiteMedium::default()
    };
    let mut drive = Tape::new(Personality::default(), medium).known();
    let done = drive.write(fixed(100), &[1; 800]).expect("takes them");
    assert_eq!((done.count, done.stop), (8, Some(Stop::EarlyWarning)));
    let done = drive.write(fixed(100), &[1; 500]).expect("takes two");
    assert_eq!((done.count, done.stop), (2, Some(Stop::EndOfPartition)));
    assert_eq!(done.position.object.0, 10);
}

#[test]
fn a_block_that_a_drive_reports_as_left_over_may_be_on_the_tape() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    tape.do_and_refuse(Call::Write, Errno::ENOSPC);
    let done = drive.write(Transfer::Variable, &[1; 10]).expect("it is");
    assert_eq!((done.count, done.stop), (1, Some(Stop::EarlyWarning)));
    assert_eq!(done.position.object.0, 2);
    assert!(done.position.past_early_warning);
    // It is not: the physical end.
    tape.refuse(Call::Write, Errno::ENOSPC);
    let done = drive.write(Transfer::Variable, &[1; 10]).expect("an end");
    assert_eq!((done.count, done.stop), (0, Some(Stop::EndOfPartition)));
}

#[test]
fn spacing_over_blocks_counts_what_lies_before_a_stop() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..3 {
        write(&mut drive, 10);
    }
    filemarks(&mut drive, 1);
    write(&mut drive, 10);
    drop(drive);
    // A new one has seen nothing of it.
    for (from, count, done, stop, behind) in [
        (0, 2, 2, None, 2),
        (0, 3, 3, None, 3),
        (0, 4, 3, Some(Stop::Filemark), 4),
        (1, 9, 2, Some(Stop::Filemark), 4),
        (3, 1, 0, Some(Stop::Filemark), 4),
        (4, 1, 1, None, 5),
        (4, 5, 1, Some(Stop::EndOfData), 5),
        (5, 1, 0, Some(Stop::EndOfData), 5),
        (5, 0, 0, None, 5),
        (5, -1, 1, None, 4),
        (5, -2, 1, Some(Stop::Filemark), 3),
        (4, -1, 0, Some(Stop::Filemark), 3),
        (3, -3, 3, None, 0),
        (2, -5, 2, Some(Stop::BeginningOfPartition), 0),
        (0, -1, 0, Some(Stop::BeginningOfPartition), 0),
    ] {
        let mut drive = tape.known();
        drive.locate(to(from)).expect("it is there");
        let moved = drive.space(SpaceUnit::Blocks, count).expect("moves");
        assert_eq!(
            (moved.count, moved.stop, moved.position.object.0),
            (done, stop, behind),
            "{count} from {from}"
        );
        assert_eq!(object(&mut drive), behind);
        drive.rewind().expect("rewinds");
    }
}

#[test]
fn spacing_over_filemarks_counts_what_lies_before_a_stop() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..3 {
        write(&mut drive, 10);
        filemarks(&mut drive, 1);
    }
    write(&mut drive, 10);
    drop(drive);
    for (from, count, done, stop, behind) in [
        (0, 1, 1, None, 2),
        (0, 3, 3, None, 6),
        (0, 5, 3, Some(Stop::EndOfData), 7),
        (2, 1, 1, None, 4),
        (6, 1, 0, Some(Stop::EndOfData), 7),
        (7, 2, 0, Some(Stop::EndOfData), 7),
        (7, -1, 1, None, 5),
        (7, -3, 3, None, 1),
        (7, -4, 3, Some(Stop::BeginningOfPartition), 0),
        (1, -1, 0, Some(Stop::BeginningOfPartition), 0),
        (0, -2, 0, Some(Stop::BeginningOfPartition), 0),
    ] {
        let mut drive = tape.known();
        drive.rewind().expect("rewinds");
        drive.locate(to(from)).expect("it is there");
        let moved = drive.space(SpaceUnit::Filemarks, count).expect("moves");
        assert_eq!(
            (moved.count, moved.stop, moved.position.object.0),
            (done, stop, behind),
            "{count} from {from}"
        );
        assert_eq!(object(&mut drive), behind);
    }
}

#[test]
fn the_file_is_counted_as_far_as_the_tape_was_seen() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    let file = |done: pseudotape_tape::Done| done.position.file.map(|file| file.0);
    write(&mut drive, 10);
    assert_eq!(file(filemarks(&mut drive, 2)), Some(2));
    assert_eq!(file(write(&mut drive, 10)), Some(2));
    let moved = drive.space(SpaceUnit::Filemarks, -1).expect("moves");
    assert_eq!((moved.position.object.0, file(moved)), (2, Some(1)));
    assert_eq!(file(drive.rewind().expect("rewinds")), Some(0));
    let moved = drive.space(SpaceUnit::Filemarks, 2).expect("moves");
    assert_eq!((moved.position.object.0, file(moved)), (3, Some(2)));
    let moved = drive.space(SpaceUnit::Blocks, -2).expect("moves");
    assert_eq!((moved.stop, file(moved)), (Some(Stop::Filemark), Some(1)));
    assert_eq!(file(drive.locate(to(1)).expect("moves")), Some(0));
    assert_eq!(file(drive.space_to_end_of_data().expect("moves")), Some(2));
}

#[test]
fn setmarks_are_told_from_filemarks() {
    let tape = dds();
    let mut drive = tape.known();
    write(&mut drive, 10);
    let done = drive
        .write_marks(Mark::Setmark, 1, WriteMode::Commit)
        .expect("takes it");
    assert_eq!((done.count, done.position.object.0), (1, 2));
    write(&mut drive, 10);
    filemarks(&mut drive, 1);
    drop(drive);
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    let stops: Vec<_> = (0..5)
        .map(|_| read(&mut drive, 10).expect("reads").stop)
        .collect();
    assert_eq!(
        stops,
        [
            None,
            Some(Stop::Setmark),
            None,
            Some(Stop::Filemark),
            Some(Stop::EndOfData)
        ]
    );
    for (unit, from, count, done, stop, behind) in [
        (SpaceUnit::Blocks, 0, 5, 1, Some(Stop::Setmark), 2),
        (SpaceUnit::Blocks, 3, -5, 1, Some(Stop::Setmark), 1),
        (SpaceUnit::Filemarks, 0, 1, 0, Some(Stop::Setmark), 2),
        (SpaceUnit::Filemarks, 2, 1, 1, None, 4),
        (SpaceUnit::Setmarks, 0, 1, 1, None, 2),
        (SpaceUnit::Setmarks, 0, 2, 1, Some(Stop::EndOfData), 4),
        (SpaceUnit::Setmarks, 4, -1, 1, None, 1),
        (
            SpaceUnit::Setmarks,
            4,
            -2,
            1,
            Some(Stop::BeginningOfPartition),
            0,
        ),
        (
            SpaceUnit::Setmarks,
            0,
            -1,
            0,
            Some(Stop::BeginningOfPartition),
            0,
        ),
    ] {
        drive.rewind().expect("rewinds");
        drive.locate(to(from)).expect("it is there");
        let moved = drive.space(unit, count).expect("moves");
        assert_eq!(
            (moved.count, moved.stop, moved.position.object.0),
            (done, stop, behind),
            "{count} {unit:?} from {from}"
        );
        assert_eq!(object(&mut drive), behind);
    }
}

#[test]
fn a_drive_without_setmarks_refuses_them() {
    let mut drive = Tape::generic().known();
    for failed in [
        drive
            .write_marks(Mark::Setmark, 1, WriteMode::Commit)
            .expect_err("it has none"),
        drive
            .space(SpaceUnit::Setmarks, 1)
            .expect_err("it has none"),
    ] {
        assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(0)));
    }
}

#[test]
fn going_behind_the_end_of_data_ends_there() {
    for tape in [Tape::generic(), counted()] {
        let mut drive = tape.known();
        drive.rewind().expect("rewinds");
        write(&mut drive, 10);
        write(&mut drive, 10);
        for object in [3, u64::MAX] {
            let done = drive.locate(to(object)).expect("goes as far as it can");
            assert_eq!(
                (done.count, done.stop, done.position.object.0),
                (0, Some(Stop::EndOfData), 2)
            );
        }
        let done = drive.locate(to(2)).expect("it is there");
        assert_eq!((done.stop, done.position.object.0), (None, 2));
    }
}

#[test]
fn every_close_is_quiet_and_the_node_is_given_back_as_it_was() {
    let tape = Tape::generic();
    tape.world()
        .drive
        .set_mode(ModeSelect {
            block_size: Some(512),
            ..ModeSelect::default()
        })
        .expect("a mode it knows");
    let mut drive = tape.drive();
    assert_eq!(drive.mode().expect("a mode").block_size, 0);
    drive.set_door(Door::Locked).expect("it has a door");
    write(&mut drive, 10);
    tape.take_operations();
    drop(drive);
    assert_eq!(
        tape.take_operations(),
        [
            (Operation::WriteFilemarks, 0),
            (Operation::SetBlockSize, 512),
            (Operation::Unlock, 1),
            (Operation::Tell, 0),
        ]
    );
    let mode = tape.world().drive.mode().expect("a mode");
    assert_eq!(mode.block_size, 512);
    // One that did nothing leaves nothing.
    tape.world()
        .drive
        .set_mode(ModeSelect {
            block_size: Some(0),
            ..ModeSelect::default()
        })
        .expect("a mode it knows");
    let drive = tape.known();
    drop(drive);
    assert_eq!(tape.take_operations(), [(Operation::Tell, 0)]);
}

#[test]
fn no_write_leaves_a_filemark_to_the_close() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    drop(drive);
    let mut drive = tape.known();
    assert_eq!(object(&mut drive), 1, "no filemark behind the block");
    drive.rewind().expect("rewinds");
    read(&mut drive, 10).expect("the block");
    assert_eq!(
        read(&mut drive, 10).expect("reads").stop,
        Some(Stop::EndOfData)
    );
}

#[test]
fn a_mode_is_taken_whole_or_not_at_all() {
    let tape = Tape::new(
        Personality::named("scsi_debug").expect("a personality"),
        SuiteMedium::default(),
    );
    let mut drive = tape.drive();
    let good = ModeSelect {
        block_size: Some(1024),
        density: Some(7),
        buffering: Some(2),
        compression: Some(true),
    };
    let before = drive.mode().expect("a mode");
    assert_eq!((before.block_size, before.buffering), (0, 1));
    assert_eq!(before.compression, None);
    let refused = [
        ModeSelect {
            block_size: Some(510),
            ..good
        },
        ModeSelect {
            block_size: Some(u32::MAX),
            ..good
        },
        ModeSelect {
            density: Some(101),
            ..good
        },
        ModeSelect {
            buffering: Some(8),
            ..good
        },
    ];
    for change in refused {
        let failed = drive.set_mode(change).expect_err("a part is refused");
        assert_eq!(failed.sense, Sense::IllegalRequest, "{change:?}");
        assert_eq!(drive.mode().expect("a mode"), before, "{change:?}");
    }
    tape.refuse(Call::Operate(Operation::Compression), Errno::EIO);
    let failed = drive.set_mode(good).expect_err("a part is refused");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    assert_eq!(drive.mode().expect("a mode"), before);
    drive.set_mode(good).expect("all of it is taken");
    let mode = drive.mode().expect("a mode");
    assert_eq!(
        (
            mode.block_size,
            mode.density,
            mode.buffering,
            mode.compression
        ),
        (1024, 7, 2, Some(true))
    );
    // The node itself stays in variable block mode.
    assert_eq!(tape.world().drive.mode().expect("a mode").block_size, 0);
    drive
        .set_mode(ModeSelect {
            buffering: Some(7),
            ..ModeSelect::default()
        })
        .expect("the most there is");
    let mode = drive.mode().expect("a mode");
    assert_eq!((mode.block_size, mode.buffering), (1024, 7));
}

#[test]
fn a_locked_door_keeps_the_medium() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    drive.set_door(Door::Locked).expect("it has a door");
    assert_eq!(tape.world().drive.door(), Door::Locked);
    let failed = drive.unload().expect_err("the door is locked");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(1)));
    drive.set_door(Door::Unlocked).expect("it has a door");
    assert_eq!(tape.world().drive.door(), Door::Unlocked);
    drive.unload().expect("nothing keeps it");
    tape.refuse(Call::Operate(Operation::Lock), Errno::EINVAL);
    let failed = drive.set_door(Door::Locked).expect_err("refused");
    assert_eq!(failed.sense, Sense::IllegalRequest);
}

#[test]
fn loading_and_retensioning_end_at_the_beginning() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for (kind, asked) in [
        (LoadKind::Load, Operation::Load),
        (LoadKind::Retension, Operation::Retension),
    ] {
        write(&mut drive, 10);
        tape.take_operations();
        let done = drive.load(kind).expect("it is loaded");
        assert_eq!((done.count, done.position.object.0), (0, 0));
        assert_eq!(tape.take_operations().first().map(|op| op.0), Some(asked));
    }
    // What is not loaded is loaded, whichever it is.
    drive.unload().expect("nothing keeps it");
    tape.take_operations();
    drive.load(LoadKind::Retension).expect("it comes back");
    assert_eq!(
        tape.take_operations().first().map(|op| op.0),
        Some(Operation::Load)
    );
    tape.refuse(Call::Operate(Operation::Load), Errno::ENOMEDIUM);
    let failed = drive.load(LoadKind::Load).expect_err("nothing to load");
    assert_eq!(failed, Failed::at(Sense::NoMedium, None));
}

#[test]
fn recovered_errors_are_counted_until_they_are_told() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    assert_eq!(drive.take_recovered(), 0);
    tape.world().status = Some(|status| status.recovered_errors = 2);
    drive.mode().expect("a mode");
    drive.mode().expect("a mode");
    assert_eq!(drive.take_recovered(), 4);
    tape.mend();
    drive.mode().expect("a mode");
    assert_eq!(drive.take_recovered(), 0);
}

#[test]
fn a_counted_tape_is_found_again_from_what_the_driver_says() {
    let tape = counted();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    for _ in 0..2 {
        write(&mut drive, 10);
        write(&mut drive, 10);
        filemarks(&mut drive, 1);
    }
    write(&mut drive, 10);
    assert_eq!(object(&mut drive), 7);
    drop(drive);
    // Whoever opens it next counts from the numbers of the driver.
    let mut drive = tape.known();
    assert_eq!(object(&mut drive), 7);
    let moved = drive.space(SpaceUnit::Filemarks, -1).expect("moves");
    assert_eq!(moved.position.object.0, 5);
    assert_eq!(moved.position.file.map(|file| file.0), Some(1));
    drop(drive);
    let mut drive = tape.known();
    assert_eq!(object(&mut drive), 5);
    assert_eq!(
        read(&mut drive, 10).expect("reads").stop,
        Some(Stop::Filemark)
    );
}

#[test]
fn a_counted_tape_at_whose_failed_write_nobody_can_look_is_lost() {
    let tape = counted();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    write(&mut drive, 10);
    tape.refuse(Call::Write, Errno::EIO);
    let failed = drive
        .write(Transfer::Variable, &[1; 10])
        .expect_err("it fails");
    assert_eq!(failed, Failed::at(Sense::HardwareError, None));
    let failed = drive.position().expect_err("nobody knows");
    assert_eq!(failed.sense, Sense::Reset);
    drive.rewind().expect("that is a place");
    assert_eq!(object(&mut drive), 0);
}

#[test]
fn a_read_that_ends_nowhere_loses_a_counted_tape() {
    let tape = counted();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    write(&mut drive, 10);
    filemarks(&mut drive, 1);
    drive.rewind().expect("rewinds");
    read(&mut drive, 10).expect("the block");
    tape.world().status = Some(|status| status.general = GeneralStatus::ONLINE);
    let failed = read(&mut drive, 10).expect_err("neither mark nor end");
    assert_eq!(failed, Failed::at(Sense::HardwareError, None));
}

#[test]
fn what_an_emulation_gives_behind_the_end_is_no_block() {
    let tape = counted();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    write(&mut drive, 10);
    write(&mut drive, 10);
    drive.rewind().expect("rewinds");
    read(&mut drive, 10).expect("the block");
    tape.world().status = Some(|status| status.general.insert(GeneralStatus::EOT));
    let done = read(&mut drive, 10).expect("bytes that nobody wrote");
    assert_eq!(
        (done.stop, done.position.object.0),
        (Some(Stop::EndOfData), 1)
    );
}

#[test]
fn the_driver_is_told_to_hide_nothing() {
    let tape = Tape::generic();
    let drive = tape.drive();
    // sili, no-wait, mt_nowait_eof and sysv off.
    let first = tape.take_operations();
    let cleared: Vec<_> = first
        .iter()
        .filter(|(operation, _)| *operation == Operation::SetDriveBuffer)
        .collect();
    assert_eq!(cleared, [&(Operation::SetDriveBuffer, 0x4000_f000)]);
    drop(drive);
}

#[test]
fn a_drive_that_stays_in_fixed_block_mode_is_refused() {
    let tape = Tape::generic();
    tape.world()
        .drive
        .set_mode(ModeSelect {
            block_size: Some(512),
            ..ModeSelect::default()
        })
        .expect("a mode it knows");
    tape.always(Call::Operate(Operation::SetBlockSize), Errno::EIO);
    let error = tape
        .drive_with(Access::ReadWrite, None)
        .expect_err("it stays");
    assert!(error.to_string().contains("fixed block mode"), "{error}");
}

#[test]
fn a_place_that_the_driver_made_up_is_no_place() {
    for (file, block) in [(5, 0), (1, 3)] {
        let tape = counted();
        let mut drive = tape.known();
        drive.rewind().expect("rewinds");
        write(&mut drive, 10);
        filemarks(&mut drive, 1);
        write(&mut drive, 10);
        drop(drive);
        tape.world().status = Some(if file == 5 {
            |status| (status.file, status.block) = (5, 0)
        } else {
            |status| (status.file, status.block) = (1, 3)
        });
        let mut drive = tape.known();
        tape.mend_status();
        let failed = drive.position().expect_err("it is not on this tape");
        assert_eq!(failed, Failed::at(Sense::Reset, None), "{file}/{block}");
        drive.rewind().expect("that is a place");
        assert_eq!(object(&mut drive), 0);
    }
}

#[test]
fn a_driver_that_knows_no_numbers_leaves_a_counted_tape_without_a_place() {
    let tape = counted();
    let mut drive = tape.known();
    let failed = drive.position().expect_err("nobody knows");
    assert_eq!(failed.sense, Sense::Reset);
    let failed = drive.space(SpaceUnit::Blocks, 1).expect_err("nobody knows");
    assert_eq!(failed.sense, Sense::Reset);
    // Going to an object is a motion to a place of its own.
    let done = drive.locate(to(0)).expect("to the beginning");
    assert_eq!(done.position.object.0, 0);
}

#[test]
fn spacing_on_a_counted_tape_counts_what_lies_before_a_stop() {
    let tape = counted();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    for _ in 0..3 {
        write(&mut drive, 10);
    }
    filemarks(&mut drive, 1);
    write(&mut drive, 10);
    for seen in [true, false] {
        for (unit, from, count, done, stop, behind) in [
            (SpaceUnit::Blocks, 0, 2, 2, None, 2),
            (SpaceUnit::Blocks, 0, 3, 3, None, 3),
            (SpaceUnit::Blocks, 0, 4, 3, Some(Stop::Filemark), 4),
            (SpaceUnit::Blocks, 4, 5, 1, Some(Stop::EndOfData), 5),
            (SpaceUnit::Blocks, 5, 1, 0, Some(Stop::EndOfData), 5),
            (SpaceUnit::Blocks, 5, 0, 0, None, 5),
            (SpaceUnit::Blocks, 5, -2, 1, Some(Stop::Filemark), 3),
            (SpaceUnit::Blocks, 3, -3, 3, None, 0),
            (
                SpaceUnit::Blocks,
                2,
                -5,
                2,
                Some(Stop::BeginningOfPartition),
                0,
            ),
            (SpaceUnit::Filemarks, 0, 1, 1, None, 4),
            (SpaceUnit::Filemarks, 0, 2, 1, Some(Stop::EndOfData), 5),
            (SpaceUnit::Filemarks, 5, -1, 1, None, 3),
            (
                SpaceUnit::Filemarks,
                5,
                -2,
                1,
                Some(Stop::BeginningOfPartition),
                0,
            ),
        ] {
            if !seen {
                drive.rewind().expect("rewinds");
                drop(drive);
                drive = tape.known();
                drive.rewind().expect("rewinds");
            }
            drive.locate(to(from)).expect("it is there");
            let moved = drive.space(unit, count).expect("moves");
            assert_eq!(
                (moved.count, moved.stop, moved.position.object.0),
                (done, stop, behind),
                "{count} {unit:?} from {from}, seen before: {seen}"
            );
            // What is read there is what is there.
            let next = read(&mut drive, 10).expect("reads");
            let expected = match behind {
                3 => Some(Stop::Filemark),
                5 => Some(Stop::EndOfData),
                _ => None,
            };
            assert_eq!(next.stop, expected, "{count} {unit:?} from {from}");
        }
    }
}

#[test]
fn marks_on_a_counted_tape_that_failed_are_counted_by_the_driver() {
    let tape = counted();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    write(&mut drive, 10);
    tape.do_and_refuse(Call::Operate(Operation::WriteFilemarks), Errno::EIO);
    let done = filemarks(&mut drive, 2);
    assert_eq!((done.count, done.position.object.0), (2, 3));
    assert_eq!(done.position.file.map(|file| file.0), Some(2));
}

#[test]
fn a_read_that_failed_is_looked_into_until_its_reason_is_known() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..3 {
        write(&mut drive, 10);
    }
    let from = |drive: &mut dyn Drive, object| {
        drive.locate(to(object)).expect("it is there");
        read(drive, 10)
    };
    // Once, and then it is read: another medium's news.
    tape.refuse(Call::Read, Errno::EIO);
    let failed = from(&mut drive, 1).expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumChanged, Some(1)));
    assert_eq!(object(&mut drive), 1);
    // Again and again, without moving: damage, which is passed.
    tape.fault(Call::Read, Errno::EIO, 0, 2, false);
    let failed = from(&mut drive, 1).expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumError, Some(2)));
    assert_eq!(object(&mut drive), 2);
    // Again, and passed by that.
    tape.refuse(Call::Read, Errno::EIO);
    tape.do_and_refuse(Call::Read, Errno::EIO);
    let failed = from(&mut drive, 1).expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumError, Some(2)));
    // Passed at once.
    tape.do_and_refuse(Call::Read, Errno::EIO);
    let failed = from(&mut drive, 1).expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumError, Some(2)));
    // Nothing is there at all.
    tape.refuse(Call::Read, Errno::EIO);
    let done = from(&mut drive, 3).expect("the end");
    assert_eq!(
        (done.stop, done.position.object.0),
        (Some(Stop::EndOfData), 3)
    );
    // Another reason is told as it is, also where it comes the second time.
    tape.refuse(Call::Read, Errno::EIO);
    tape.refuse(Call::Read, Errno::ENODEV);
    let failed = from(&mut drive, 1).expect_err("it is gone");
    assert_eq!(failed, Failed::at(Sense::NoDrive, None));
}

#[test]
fn a_read_that_ends_elsewhere_tells_where() {
    for errno in [Errno::ENOMEM, Errno::EIO] {
        for (there, sense) in [(0, Sense::MediumChanged), (1, Sense::HardwareError)] {
            let tape = Tape::generic();
            let mut drive = tape.known();
            for _ in 0..4 {
                write(&mut drive, 10);
            }
            drive.locate(to(3)).expect("it is there");
            // Somebody else moves it.
            tape.world().drive.locate(to(there)).expect("it is there");
            tape.refuse(Call::Read, errno);
            let failed = read(&mut drive, 10).expect_err("it is elsewhere");
            assert_eq!((failed.sense, at(failed)), (sense, Some(there)), "{errno}");
        }
    }
}

#[test]
fn a_step_that_failed_tells_how_far_it_came() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..6 {
        write(&mut drive, 10);
    }
    drive.locate(to(1)).expect("it is there");
    tape.do_and_refuse(Call::Operate(Operation::ForwardBlocks), Errno::EIO);
    let failed = drive.space(SpaceUnit::Blocks, 3).expect_err("it fails");
    assert_eq!(
        (failed.sense, failed.count, at(failed)),
        (Sense::MediumError, 3, Some(4))
    );
    // Where it did not move at all, too.
    tape.refuse(Call::Operate(Operation::ForwardBlocks), Errno::EIO);
    let failed = drive.space(SpaceUnit::Blocks, 1).expect_err("it fails");
    assert_eq!(
        (failed.sense, failed.count, at(failed)),
        (Sense::MediumError, 0, Some(4))
    );
    // A drive that goes back when it is sent forward has a fault.
    tape.world().drive.locate(to(1)).expect("it is there");
    tape.do_and_refuse(Call::Operate(Operation::ForwardBlocks), Errno::EIO);
    let failed = drive.space(SpaceUnit::Blocks, 1).expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::HardwareError, Some(2)));
    // So has one that says that all is well, and is elsewhere.
    drive.locate(to(4)).expect("it is there");
    for count in [1, -1] {
        tape.world().drive.locate(to(2)).expect("it is there");
        let failed = drive
            .space(SpaceUnit::Blocks, count)
            .expect_err("elsewhere");
        assert_eq!(failed.sense, Sense::HardwareError);
        drive.locate(to(4)).expect("it is there");
    }
}

#[test]
fn setmarks_before_a_failure_are_counted() {
    let tape = dds();
    let mut drive = tape.known();
    for _ in 0..3 {
        drive
            .write_marks(Mark::Setmark, 1, WriteMode::Commit)
            .expect("takes it");
    }
    drive.rewind().expect("rewinds");
    tape.fault(
        Call::Operate(Operation::ForwardSetmarks),
        Errno::EPERM,
        2,
        1,
        false,
    );
    let failed = drive.space(SpaceUnit::Setmarks, 3).expect_err("it fails");
    assert_eq!(
        (failed.sense, failed.count, at(failed)),
        (Sense::IllegalRequest, 2, Some(2))
    );
}

#[test]
fn a_driver_without_file_numbers_steps_over_one_filemark_at_a_time() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..3 {
        write(&mut drive, 10);
        filemarks(&mut drive, 1);
    }
    write(&mut drive, 10);
    tape.world().status = Some(|status| status.file = -1);
    for (from, count, done, stop, behind) in [
        (0, 2, 2, None, 4),
        (0, 5, 3, Some(Stop::EndOfData), 7),
        (7, -2, 2, None, 3),
        (7, -4, 3, Some(Stop::BeginningOfPartition), 0),
    ] {
        drive.locate(to(from)).expect("it is there");
        tape.take_operations();
        let moved = drive.space(SpaceUnit::Filemarks, count).expect("moves");
        assert_eq!(
            (moved.count, moved.stop, moved.position.object.0),
            (done, stop, behind),
            "{count} from {from}"
        );
        let steps = [Operation::ForwardFilemarks, Operation::BackFilemarks];
        for (operation, count) in tape.take_operations() {
            assert!(!steps.contains(&operation) || count == 1, "{operation:?}");
        }
    }
}
