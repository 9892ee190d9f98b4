//! The meaning of each errno of the node for the drive, the position after it, and the next operations.

mod common;

use common::{
    Call, GONE, NOTHING, Operate, REWIND, Tape, at, cartridge, filemarks, object, read, to, write,
};
use nix::errno::Errno;
use pseudotape_device::DeviceDrive;
use pseudotape_drive::Personality;
use pseudotape_mtio::{GeneralStatus, Operation};
use pseudotape_tape::{
    Address, Door, Drive, EraseExtent, Failed, LoadKind, Mark, ModeSelect, ObjectNumber,
    PartitionNumber, Partitioning, Sense, SpaceUnit, Stop, Transfer, Volume, WriteMode,
};
use pseudotape_testkit::SuiteMedium;

#[test]
fn each_errno_has_its_sense() {
    for (errno, sense) in [
        (Errno::ENOMEDIUM, Sense::NoMedium),
        (Errno::EACCES, Sense::WriteProtected),
        (Errno::EROFS, Sense::WriteProtected),
        (Errno::EBADF, Sense::WriteProtected),
        (Errno::EINVAL, Sense::IllegalRequest),
        (Errno::EPERM, Sense::IllegalRequest),
        (Errno::ENOSYS, Sense::IllegalRequest),
        (Errno::ENOTTY, Sense::IllegalRequest),
        (Errno::EOVERFLOW, Sense::IllegalRequest),
        (Errno::EBUSY, Sense::IllegalRequest),
        (Errno::ENOMEM, Sense::HardwareError),
        (Errno::ETIMEDOUT, Sense::HardwareError),
    ] {
        let tape = Tape::generic();
        let mut drive = tape.known();
        write(&mut drive, 100);
        tape.refuse(Call::Write, errno);
        let failed = drive
            .write(Transfer::Variable, &[7; 100])
            .expect_err("it is refused");
        let place = (sense != Sense::NoMedium).then_some(1);
        assert_eq!(
            (failed.sense, failed.count, at(failed)),
            (sense, 0, place),
            "{errno}"
        );
        let trouble = drive.take_trouble().expect("more than a sense says");
        assert_eq!(trouble, format!("tape: writing: {}", errno.desc()));
        assert_eq!(drive.take_trouble(), None, "it is told once");
    }
}

#[test]
fn a_node_that_is_gone_is_no_drive_until_it_opens_again() {
    for errno in GONE {
        let tape = Tape::generic();
        let mut drive = tape.known();
        write(&mut drive, 100);
        tape.refuse(Call::Write, errno);
        let failed = drive
            .write(Transfer::Variable, &[7; 100])
            .expect_err("it is gone");
        assert_eq!(failed, Failed::at(Sense::NoDrive, None), "{errno}");
        tape.world().opening = Some(Errno::ENXIO);
        for failed in [
            drive.rewind().expect_err("it is still gone"),
            drive.position().map(drop).expect_err("it is still gone"),
            drive.capacity().map(drop).expect_err("it is still gone"),
            drive.set_door(Door::Locked).expect_err("it is still gone"),
            drive.load(LoadKind::Load).expect_err("it is still gone"),
        ] {
            assert_eq!(failed, Failed::at(Sense::NoDrive, None), "{errno}");
        }
        let trouble = drive.take_trouble().expect("what is missing");
        assert!(trouble.contains("no tape drive there"), "{trouble}");
        tape.mend();
        // The drive is back. It may have been moved meanwhile.
        let failed = drive.rewind().expect_err("it tells that it is back");
        assert_eq!(failed, Failed::at(Sense::Reset, None));
        let failed = drive.position().expect_err("nobody knows the place");
        assert_eq!(failed.sense, Sense::Reset);
        drive.rewind().expect("that is a place");
        assert_eq!(read(&mut drive, 100).expect("it is there").bytes, 100);
    }
}

#[test]
fn a_node_that_is_busy_when_it_opens_again_is_not_ready() {
    for (errno, sense, word) in [
        (Errno::EBUSY, Sense::NotReady, "open in another program"),
        (Errno::ENOENT, Sense::NoDrive, "no tape drive there"),
        (Errno::EACCES, Sense::HardwareError, "no permission"),
        (Errno::EIO, Sense::HardwareError, "can't open the tape"),
    ] {
        let tape = Tape::generic();
        let mut drive = tape.known();
        drive.unload().expect("nothing keeps it");
        tape.world().opening = Some(errno);
        let failed = drive.rewind().expect_err("it does not open");
        assert_eq!(failed, Failed::at(sense, None), "{errno}");
        let trouble = drive.take_trouble().expect("why it does not open");
        assert!(trouble.contains(word), "{trouble}");
    }
}

#[test]
fn no_medium_is_looked_for_again_and_a_new_one_is_told() {
    let tape = Tape::empty(Personality::default());
    let mut drive = tape.drive();
    for failed in [
        drive.test_ready().expect_err("empty"),
        drive.rewind().expect_err("empty"),
        drive.unload().expect_err("empty"),
        drive.load(LoadKind::Load).expect_err("empty"),
        drive.set_mode(ModeSelect::default()).expect_err("empty"),
    ] {
        assert_eq!(failed, Failed::at(Sense::NoMedium, None));
    }
    drive.mode().expect("a mode without a medium");
    tape.insert(cartridge(SuiteMedium::default()));
    let failed = drive.test_ready().expect_err("it is new");
    assert_eq!(failed.sense, Sense::MediumChanged);
    drive.test_ready().expect("it was told");
    assert_eq!(write(&mut drive, 10).position.object.0, 1);
}

#[test]
fn a_drive_that_is_neither_online_nor_open_is_not_ready() {
    let tape = Tape::generic();
    tape.world().status = Some(|status| status.general.remove(GeneralStatus::ONLINE));
    let mut drive = tape.known();
    let failed = drive.test_ready().expect_err("not online");
    assert_eq!(failed, Failed::at(Sense::NotReady, None));
    tape.world().status = Some(|status| {
        status.general.remove(GeneralStatus::ONLINE);
        status.general.insert(GeneralStatus::DR_OPEN);
    });
    let failed = drive.test_ready().expect_err("open");
    assert_eq!(failed, Failed::at(Sense::NoMedium, None));
    tape.mend();
    let failed = drive.test_ready().expect_err("it may be another medium");
    assert_eq!(failed.sense, Sense::MediumChanged);
    drive.test_ready().expect("it was told");
}

/// An operation that consists of one request, and that request.
type Motion = (&'static str, Operation, Operate);

const MOTIONS: [Motion; 3] = [
    ("rewind", Operation::Rewind, |drive| {
        drive.rewind().map(drop)
    }),
    ("end of data", Operation::EndOfData, |drive| {
        drive.space_to_end_of_data().map(drop)
    }),
    ("space", Operation::BackBlocks, |drive| {
        drive.space(SpaceUnit::Blocks, -1).map(drop)
    }),
];

#[test]
fn a_failed_motion_says_where_the_tape_is() {
    for (what, operation, operate) in &MOTIONS[..2] {
        let tape = Tape::generic();
        let mut drive = tape.known();
        write(&mut drive, 10);
        write(&mut drive, 10);
        tape.refuse(Call::Operate(*operation), Errno::EIO);
        let failed = operate(&mut drive).expect_err(what);
        assert_eq!(
            (failed.sense, at(failed)),
            (Sense::HardwareError, Some(2)),
            "{what}"
        );
        assert_eq!(object(&mut drive), 2, "{what}");
    }
}

#[test]
fn after_a_reset_the_place_is_unknown_until_a_motion_to_one() {
    for (what, operation, operate) in MOTIONS {
        let tape = Tape::generic();
        let mut drive = tape.known();
        write(&mut drive, 10);
        write(&mut drive, 10);
        tape.refuse(Call::Operate(operation), Errno::EIO);
        tape.refuse(NOTHING, Errno::EIO);
        let failed = operate(&mut drive).expect_err(what);
        assert_eq!(failed, Failed::at(Sense::Reset, None), "{what}");
        for failed in [
            drive.position().map(drop).expect_err("unknown"),
            read(&mut drive, 10).map(drop).expect_err("unknown"),
            drive
                .write(Transfer::Variable, &[1])
                .map(drop)
                .expect_err("unknown"),
            drive
                .space(SpaceUnit::Blocks, 1)
                .map(drop)
                .expect_err("unknown"),
            drive.extend(&[1]).map(drop).expect_err("unknown"),
        ] {
            assert_eq!(failed, Failed::at(Sense::Reset, None), "{what}");
        }
        drive.test_ready().expect("the drive itself works");
        let there = drive.locate(to(1)).expect("that is a place");
        assert_eq!((there.position.object.0, there.stop), (1, None), "{what}");
        assert_eq!(object(&mut drive), 1);
    }
}

#[test]
fn a_drive_that_does_not_say_where_it_is_after_a_failure_is_looked_at_anew() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    let opened = tape.world().opened;
    tape.refuse(REWIND, Errno::EIO);
    tape.fault(Call::Object, Errno::EIO, 0, 2, false);
    let failed = drive.rewind().expect_err("it fails");
    assert_eq!(failed, Failed::at(Sense::Reset, None));
    assert_eq!(tape.world().opened, opened + 1);
    drive.rewind().expect("that is a place");
    // A request for the position that fails with a unit attention is repeated.
    write(&mut drive, 10);
    tape.refuse(REWIND, Errno::EIO);
    tape.refuse(Call::Object, Errno::EIO);
    let failed = drive.rewind().expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::HardwareError, Some(1)));
    // Another reason is reported at once.
    tape.refuse(REWIND, Errno::EIO);
    tape.refuse(Call::Object, Errno::ENXIO);
    let failed = drive.rewind().expect_err("it is gone");
    assert_eq!(failed.sense, Sense::NoDrive);
}

#[test]
fn a_tape_found_at_its_beginning_is_another_one() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    write(&mut drive, 10);
    drop(tape.eject());
    tape.insert(cartridge(SuiteMedium::default()));
    tape.world().drive.clear_attention();
    let failed = drive.position().expect_err("it is not where it was");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumChanged, Some(0)));
    assert_eq!(object(&mut drive), 0, "it is told once");
    assert_eq!(write(&mut drive, 10).position.object.0, 1);
}

#[test]
fn a_tape_found_elsewhere_is_a_fault_of_the_drive() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    write(&mut drive, 10);
    // Another program moves the tape.
    tape.world().drive.locate(to(1)).expect("it is there");
    let failed = drive.test_ready().expect_err("it is not where it was");
    assert_eq!((failed.sense, at(failed)), (Sense::HardwareError, Some(1)));
    assert_eq!(object(&mut drive), 1);
}

#[test]
fn a_new_medium_under_a_read_is_told_and_then_read() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    drop(tape.eject());
    tape.insert(cartridge(SuiteMedium::default()));
    let failed = read(&mut drive, 10).expect_err("it is another one");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumChanged, Some(0)));
    let done = read(&mut drive, 10).expect("it is blank");
    assert_eq!(done.stop, Some(Stop::EndOfData));
}

#[test]
fn news_of_another_medium_at_the_beginning_are_told_by_a_write() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    tape.refuse(Call::Write, Errno::EIO);
    let failed = drive
        .write(Transfer::Variable, &[1; 10])
        .expect_err("it may be another one");
    assert_eq!((failed.sense, at(failed)), (Sense::MediumChanged, Some(0)));
    // The second time the cause is the drive.
    tape.refuse(Call::Write, Errno::EIO);
    let failed = drive
        .write(Transfer::Variable, &[1; 10])
        .expect_err("it fails");
    assert_eq!((failed.sense, at(failed)), (Sense::HardwareError, Some(0)));
    // A write that worked forgets the suspicion.
    write(&mut drive, 10);
    drive.rewind().expect("rewinds");
    drive.erase(EraseExtent::Short).expect("erases");
    tape.refuse(Call::Write, Errno::EIO);
    let failed = drive
        .write(Transfer::Variable, &[1; 10])
        .expect_err("it may be another one");
    assert_eq!(failed.sense, Sense::MediumChanged);
}

#[test]
fn a_failed_write_over_data_is_a_worm_mediums() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    filemarks(&mut drive, 1);
    for from in [0, 1] {
        drive.locate(to(from)).expect("it is there");
        tape.refuse(Call::Write, Errno::EIO);
        let failed = drive
            .write(Transfer::Variable, &[1; 10])
            .expect_err("it is refused");
        assert_eq!(
            (failed.sense, failed.count, at(failed)),
            (Sense::WormOverwrite, 0, Some(from))
        );
        assert_eq!(object(&mut drive), from);
    }
    // From then on, other refusals are the medium's too.
    drive.rewind().expect("rewinds");
    tape.refuse(Call::Operate(Operation::Erase), Errno::EIO);
    let failed = drive.erase(EraseExtent::Long).expect_err("it is refused");
    assert_eq!(failed.sense, Sense::WormOverwrite);
}

#[test]
fn a_block_that_is_on_the_tape_in_spite_of_an_error_is_counted() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    tape.do_and_refuse(Call::Write, Errno::EIO);
    let failed = drive
        .write(Transfer::Variable, &[1; 10])
        .expect_err("something is wrong");
    assert_eq!(
        (failed.sense, failed.count, at(failed)),
        (Sense::HardwareError, 1, Some(2))
    );
    let fixed = Transfer::Fixed(std::num::NonZeroU32::new(5).expect("not 0"));
    tape.fault(Call::Write, Errno::EIO, 2, 1, true);
    let failed = drive.write(fixed, &[1; 20]).expect_err("the third fails");
    assert_eq!(
        (failed.sense, failed.count, at(failed)),
        (Sense::HardwareError, 3, Some(5))
    );
}

#[test]
fn a_filemark_that_failed_is_counted_by_the_place() {
    for (is_done, count, place) in [(true, None, 4), (false, Some(0), 1)] {
        let tape = Tape::generic();
        let mut drive = tape.known();
        write(&mut drive, 10);
        tape.fault(
            Call::Operate(Operation::WriteFilemarks),
            Errno::EIO,
            0,
            1,
            is_done,
        );
        let put = drive.write_marks(Mark::Filemark, 3, WriteMode::Commit);
        match count {
            // All are there: to st, early warning is a failure.
            None => {
                let done = put.expect("they are there");
                assert_eq!((done.count, done.position.object.0), (3, place));
                assert!(done.position.past_early_warning);
                let before = drive.locate(to(3)).expect("it is there");
                assert!(!before.position.past_early_warning);
            }
            Some(count) => {
                let failed = put.expect_err("none is there");
                assert_eq!(
                    (failed.sense, failed.count, at(failed)),
                    (Sense::HardwareError, count, Some(place))
                );
            }
        }
    }
}

#[test]
fn marks_that_are_refused_have_a_reason() {
    for (errno, sense) in [
        (Errno::EACCES, Sense::WriteProtected),
        (Errno::ENOSYS, Sense::IllegalRequest),
    ] {
        let tape = Tape::generic();
        let mut drive = tape.known();
        write(&mut drive, 10);
        tape.refuse(Call::Operate(Operation::WriteFilemarks), errno);
        let failed = drive
            .write_marks(Mark::Filemark, 3, WriteMode::Commit)
            .expect_err("refused");
        assert_eq!(
            (failed.sense, failed.count, at(failed)),
            (sense, 0, Some(1))
        );
    }
}

#[test]
fn a_commit_is_asked_of_the_drive_only_where_something_was_written() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    let commit = |drive: &mut DeviceDrive| drive.write_marks(Mark::Filemark, 0, WriteMode::Commit);
    let marks = |tape: &Tape| {
        let operations = tape.take_operations().into_iter();
        operations
            .filter(|(operation, _)| *operation == Operation::WriteFilemarks)
            .count()
    };
    commit(&mut drive).expect("nothing to do");
    assert_eq!(marks(&tape), 0);
    write(&mut drive, 10);
    drive
        .write_marks(Mark::Filemark, 0, WriteMode::Immediate)
        .expect("promises nothing");
    assert_eq!(marks(&tape), 0);
    assert_eq!(commit(&mut drive).expect("commits").count, 0);
    assert_eq!(marks(&tape), 1);
    commit(&mut drive).expect("nothing to do");
    assert_eq!(marks(&tape), 0);
    // Marks that wait have committed, those that don't wait have not.
    filemarks(&mut drive, 2);
    assert_eq!(marks(&tape), 1);
    commit(&mut drive).expect("nothing to do");
    assert_eq!(marks(&tape), 0);
    drive
        .write_marks(Mark::Filemark, 1, WriteMode::Immediate)
        .expect("does not wait");
    let operations = tape.take_operations();
    assert!(operations.contains(&(Operation::WriteFilemarksImmediate, 1)));
    commit(&mut drive).expect("commits");
    assert_eq!(marks(&tape), 1);
    // A rewind commits by itself.
    write(&mut drive, 10);
    drive.rewind().expect("rewinds");
    commit(&mut drive).expect("nothing to do");
    assert_eq!(marks(&tape), 0);
    // Dropping the drive commits.
    drive.locate(to(0)).expect("it is there");
    write(&mut drive, 10);
    tape.take_operations();
    drop(drive);
    assert_eq!(marks(&tape), 1);
}

#[test]
fn a_failed_commit_is_told_with_the_place() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    tape.refuse(Call::Operate(Operation::WriteFilemarks), Errno::EIO);
    let failed = drive.unload().expect_err("it is not committed");
    assert_eq!((failed.sense, at(failed)), (Sense::HardwareError, Some(1)));
    drive.unload().expect("now it is");
    let failed = drive.test_ready().expect_err("it is unloaded");
    assert_eq!(failed.sense, Sense::NoMedium);
    drive.load(LoadKind::Load).expect("it comes back");
    assert_eq!(object(&mut drive), 0);
}

#[test]
fn an_erasure_or_a_cut_that_is_refused_where_the_tape_is_can_not_be_done() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    tape.refuse(Call::Operate(Operation::Erase), Errno::EIO);
    let failed = drive.erase(EraseExtent::Short).expect_err("refused");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(1)));
    tape.refuse(Call::Operate(Operation::MakePartitions), Errno::EIO);
    let failed = drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect_err("refused");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(1)));
    let failed = drive
        .make_partitions(Partitioning::SecondOf(u32::MAX))
        .expect_err("more than the request has room for");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(1)));
    // The node is left as it was found: partitions are not allowed.
    let operations = tape.take_operations();
    let switches: Vec<_> = operations
        .iter()
        .filter(|(operation, _)| *operation == Operation::SetDriveBuffer)
        .map(|(_, switch)| switch.cast_unsigned())
        .collect();
    assert_eq!(switches.len() % 2, 0, "{switches:x?}");
    assert_eq!(switches.first(), Some(&0x3000_0400));
    assert_eq!(switches.last(), Some(&0x4000_0400));
}

#[test]
fn lengths_of_erasures_and_parts_are_as_asked() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    drive.erase(EraseExtent::Short).expect("erases");
    drive.erase(EraseExtent::Long).expect("erases");
    drive
        .make_partitions(Partitioning::SecondOf(3))
        .expect("cuts");
    drive
        .make_partitions(Partitioning::FirstOf(4))
        .expect("cuts");
    drive.make_partitions(Partitioning::Single).expect("joins");
    let asked: Vec<_> = tape
        .take_operations()
        .into_iter()
        .filter(|(operation, _)| [Operation::Erase, Operation::MakePartitions].contains(operation))
        .collect();
    assert_eq!(
        asked,
        [
            (Operation::Erase, 0),
            (Operation::Erase, 1),
            (Operation::MakePartitions, 3),
            (Operation::MakePartitions, -4),
            (Operation::MakePartitions, 0),
        ]
    );
}

#[test]
fn a_partition_is_entered_and_left_and_the_node_is_given_back_in_the_first() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    let in_second = Address {
        partition: Some(PartitionNumber(1)),
        object: ObjectNumber(0),
    };
    let failed = drive.locate(in_second).expect_err("there is one");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(0)));
    // The option that was set for it is cleared again.
    let asked = tape.take_operations();
    assert!(asked.contains(&(Operation::SetDriveBuffer, 0x3000_0400)));
    assert!(asked.contains(&(Operation::SetDriveBuffer, 0x4000_0400)));
    assert_eq!(drive.mode().expect("a mode").last_partition, 0);
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("cuts");
    assert_eq!(drive.mode().expect("a mode").last_partition, 1);
    let there = drive.locate(in_second).expect("there are two").position;
    assert_eq!((there.partition.0, there.object.0), (1, 0));
    assert_eq!(write(&mut drive, 10).position.partition.0, 1);
    assert_eq!(drive.mode().expect("a mode").last_partition, 1);
    assert_eq!(object(&mut drive), 1, "asking moved nothing");
    let back = drive.load(LoadKind::Load).expect("to the first").position;
    assert_eq!((back.partition.0, back.object.0), (0, 0));
    tape.take_operations();
    drop(drive);
    let last = tape.take_operations();
    assert!(
        last.contains(&(Operation::SetDriveBuffer, 0x4000_0400)),
        "{last:?}"
    );
}
