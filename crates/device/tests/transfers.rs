//! Blocks and marks through a driver that reports less than its drive does.

mod common;

use common::{Call, Tape, at, filemarks, fixed, object, read, to, write};
use nix::errno::Errno;
use pseudotape_device::Access;
use pseudotape_drive::Personality;
use pseudotape_tape::{BlockLimits, Drive, Sense, Stop, Transfer, Volume};
use pseudotape_testkit::{SuiteMedium, block_of};

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
    // The first long block is read a second time. After that, blocks of this length are expected.
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
        // No longer read is tried again.
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
    // A failure reports the number of blocks before it.
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
    // Marks behind early warning are reported with it as well.
    let done = filemarks(&mut drive, 1);
    assert_eq!((done.count, done.stop), (1, Some(Stop::EarlyWarning)));
    // The position of early warning is remembered until a write before it.
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
