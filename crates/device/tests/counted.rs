//! A drive that can't report its position: positions are counted.

mod common;

use common::{Call, Tape, at, counted, dds, filemarks, object, read, to, write};
use nix::errno::Errno;
use pseudotape_device::Access;
use pseudotape_mtio::{GeneralStatus, Operation};
use pseudotape_tape::{
    Drive, Failed, LoadKind, Mark, ModeSelect, Sense, SpaceUnit, Stop, Transfer, WriteMode,
};

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
    // The next program that opens the node counts from the driver's numbers.
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

/// With an emulation, a read at the end of data counts as a block of the driver. That number must not outlive a rewind,
/// whatever the rewind is for: the end of data would lie one block too far.
#[test]
fn blocks_that_only_the_driver_counted_are_forgotten_by_each_rewind() {
    let one_block = || {
        let tape = counted();
        let mut drive = tape.known();
        drive.rewind().expect("rewinds");
        write(&mut drive, 10);
        (tape, drive)
    };
    let made_up = |status: &mut pseudotape_mtio::MtGet| (status.file, status.block) = (0, 3);
    let end = |drive: &mut pseudotape_device::DeviceDrive, by: &str| {
        let done = drive.locate(to(10)).expect("to the end of data");
        assert_eq!(
            (done.stop, done.position.object.0),
            (Some(Stop::EndOfData), 1),
            "{by}"
        );
    };
    for kind in [LoadKind::Load, LoadKind::Retension] {
        let (tape, mut drive) = one_block();
        tape.world().status = Some(made_up);
        drive.load(kind).expect("loads");
        tape.mend_status();
        end(&mut drive, "a load");
    }
    for motion in [0, 1] {
        let (tape, drive) = one_block();
        drop(drive);
        tape.world().status = Some(made_up);
        let mut drive = tape.known();
        tape.mend_status();
        drive.locate(to(motion)).expect("to an object that exists");
        assert_eq!(object(&mut drive), motion);
        end(&mut drive, "a motion back");
    }
    let (tape, drive) = one_block();
    drop(drive);
    tape.world().status = Some(made_up);
    let mut drive = tape.known();
    tape.mend_status();
    let failed = drive.locate(to(2)).expect_err("no such object");
    assert_eq!(failed, Failed::at(Sense::Reset, None));
}

#[test]
fn a_driver_that_knows_no_numbers_leaves_a_counted_tape_without_a_place() {
    let tape = counted();
    let mut drive = tape.known();
    let failed = drive.position().expect_err("nobody knows");
    assert_eq!(failed.sense, Sense::Reset);
    let failed = drive.space(SpaceUnit::Blocks, 1).expect_err("nobody knows");
    assert_eq!(failed.sense, Sense::Reset);
    // LOCATE is a motion to an absolute position, so it works with a lost position.
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
            // The data read show that the position is right.
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
    // The read fails once, then succeeds: a unit attention of another medium.
    tape.refuse(Call::Read, Errno::EIO);
    let failed = from(&mut drive, 1).expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumChanged, Some(1)));
    assert_eq!(object(&mut drive), 1);
    // The read fails each time without moving: a damaged block, which is passed.
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
    // Another reason is reported unchanged, also if it comes with the second read.
    tape.refuse(Call::Read, Errno::EIO);
    tape.refuse(Call::Read, Errno::ENODEV);
    let failed = from(&mut drive, 1).expect_err("it is gone");
    assert_eq!(failed, Failed::at(Sense::NoDrive, None));
}

/// A drive that lost its position does not report it, which is no reason to count from then on.
#[test]
fn a_drive_that_lost_its_position_is_asked_again_once_it_is_rewound() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..3 {
        write(&mut drive, 10);
    }
    drive.locate(to(1)).expect("it is there");
    tape.refuse(Call::Read, Errno::EIO);
    // Behind the read, and when the node is opened again.
    tape.fault(Call::Object, Errno::EIO, 0, 3, false);
    let failed = read(&mut drive, 10).expect_err("nobody knows where it is");
    assert_eq!(failed, Failed::at(Sense::Reset, None));
    drive.rewind().expect("that is a place");
    tape.take_operations();
    drive.locate(to(2)).expect("it is there");
    let operations = tape.take_operations();
    assert_eq!(operations, [(Operation::Seek, 2)], "nothing is counted");
    assert_eq!(object(&mut drive), 2);
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
            // Another program moves the tape.
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
    // A drive that moves back when told to space forward has a fault.
    tape.world().drive.locate(to(1)).expect("it is there");
    tape.do_and_refuse(Call::Operate(Operation::ForwardBlocks), Errno::EIO);
    let failed = drive.space(SpaceUnit::Blocks, 1).expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::HardwareError, Some(2)));
    // So has a drive that reports success and is at another position.
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
