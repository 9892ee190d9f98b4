//! A host that fails under a drive: what is told, how much was done, and where the tape is then.

mod common;

use common::{faulty, filemarks, fixed, named, object, read, write};
use pseudotape_drive::Personality;
use pseudotape_image::{FRAME_BYTES, RECORDS_OFFSET};
use pseudotape_tape::{
    Door, Drive, EraseExtent, Failed, LoadKind, Mark, Partitioning, Sense, Stop, Transfer, Volume,
    WriteMode,
};
use pseudotape_testkit::store::StoreFault;

type Operate = fn(&mut dyn Drive) -> Result<(), Failed>;

fn told(failed: Failed) -> (Sense, u64, Option<u64>) {
    let at = failed.position.map(|position| position.object.0);
    (failed.sense, failed.count, at)
}

#[test]
fn a_failing_write_is_a_hardware_error_with_the_hosts_reason() {
    let (mut drive, medium) = faulty(Personality::default());
    write(&mut drive, 100);
    medium.store(0).set_fault(Some(StoreFault::Write(0)));
    let failed = drive
        .write(Transfer::Variable, &[1; 100])
        .expect_err("the host fails");
    assert_eq!(told(failed), (Sense::HardwareError, 0, Some(1)));
    let trouble = drive.take_trouble().expect("more than a sense says");
    assert!(trouble.contains("injected write error"), "{trouble}");
    assert!(
        trouble.ends_with("; the tape is now before object 1 of partition 0"),
        "{trouble}"
    );
    assert_eq!(drive.take_trouble(), None, "it is told once");
    let again = drive.extend(&[1; 1]).expect_err("nothing was written");
    assert_eq!(again.sense, Sense::IllegalRequest);
}

#[test]
fn a_failing_extension_leaves_the_block_and_can_not_be_repeated() {
    let (mut drive, medium) = faulty(Personality::default());
    write(&mut drive, 100);
    medium.store(0).set_fault(Some(StoreFault::Write(0)));
    let failed = drive.extend(&[1; 10]).expect_err("the host fails");
    assert_eq!(told(failed), (Sense::HardwareError, 0, Some(1)));
    medium.store(0).set_fault(None);
    drive.rewind().expect("rewinds");
    assert_eq!(read(&mut drive, 200).expect("it is whole").bytes, 100);
}

#[test]
fn a_full_host_is_the_physical_end() {
    let (mut drive, medium) = faulty(Personality::default());
    write(&mut drive, 100);
    let full = medium.store(0).bytes().len() as u64 + 10;
    medium.store(0).set_fault(Some(StoreFault::FullAt(full)));
    let none = drive
        .write(Transfer::Variable, &[1; 100])
        .expect("an end, and no error");
    assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
    assert_eq!(none.position.object.0, 1);
    let trouble = drive.take_trouble().expect("why it ended here");
    assert!(
        trouble.starts_with("no room on the host's disk"),
        "{trouble}"
    );
    let none = drive.record_unreadable(7).expect("an end, and no error");
    assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
}

#[test]
fn marks_that_the_host_took_before_it_was_full_are_counted() {
    let (mut drive, medium) = faulty(Personality::default());
    write(&mut drive, 100);
    let before = medium.store(0).bytes().len() as u64;
    filemarks(&mut drive, 1);
    let mark_bytes = medium.store(0).bytes().len() as u64 - before;
    drive.rewind().expect("rewinds");
    drive.space_to_end_of_data().expect("goes there");
    let full = before + 4 * mark_bytes;
    medium.store(0).set_fault(Some(StoreFault::FullAt(full)));
    let some = drive
        .write_marks(Mark::Filemark, 9, WriteMode::Immediate)
        .expect("an end, and no error");
    assert_eq!((some.count, some.stop), (3, Some(Stop::EndOfPartition)));
    assert_eq!(some.position.object.0, 5);
}

#[test]
fn marks_that_were_written_before_a_failure_are_counted() {
    let (mut drive, medium) = faulty(Personality::default());
    filemarks(&mut drive, 1);
    medium.store(0).set_fault(Some(StoreFault::Write(2)));
    let failed = drive
        .write_marks(Mark::Filemark, 9, WriteMode::Immediate)
        .expect_err("the host fails");
    assert_eq!(told(failed), (Sense::HardwareError, 2, Some(3)));
}

/// The host gives no room ahead: that warns before its disk is full.
#[test]
fn a_host_that_runs_low_warns_without_the_tape_being_in_its_zone() {
    let (mut drive, medium) = faulty(Personality::default());
    let full = RECORDS_OFFSET + 100_000;
    medium.store(0).set_fault(Some(StoreFault::FullAt(full)));
    let cartridge = drive.eject().expect("it holds one");
    let (mut cartridge, _) = pseudotape_drive::Cartridge::open({
        cartridge.finish().expect("closes");
        medium.clone()
    })
    .expect("opens again");
    assert!(!cartridge.is_write_protected());
    cartridge.set_incomplete_from(None).expect("a note");
    let mut drive = common::holding(Personality::default(), cartridge);
    let done = write(&mut drive, 1000);
    assert_eq!((done.count, done.stop), (1, Some(Stop::EarlyWarning)));
    assert!(!done.position.past_early_warning);
}

#[test]
fn a_failed_commit_tells_the_marks_that_are_behind() {
    let (mut drive, medium) = faulty(Personality::default());
    write(&mut drive, 100);
    medium.store(0).set_fault(Some(StoreFault::Sync));
    let failed = drive
        .write_marks(Mark::Filemark, 2, WriteMode::Commit)
        .expect_err("the host fails");
    assert_eq!(told(failed), (Sense::HardwareError, 2, Some(3)));
    let trouble = drive.take_trouble().expect("more than a sense says");
    assert!(trouble.contains("injected sync error"), "{trouble}");
    // What the host kept is not known any more: nothing is taken until the image is opened anew.
    medium.store(0).set_fault(None);
    let refused: [Operate; 5] = [
        |drive| drive.write(Transfer::Variable, &[1]).map(drop),
        |drive| {
            drive
                .write_marks(Mark::Filemark, 0, WriteMode::Commit)
                .map(drop)
        },
        |drive| drive.rewind().map(drop),
        |drive| drive.load(LoadKind::Load).map(drop),
        |drive| drive.unload(),
    ];
    for operate in refused {
        let failed = operate(&mut drive).expect_err("refused");
        assert_eq!(told(failed), (Sense::HardwareError, 0, Some(3)));
        let trouble = drive.take_trouble().expect("more than a sense says");
        assert!(trouble.contains("an earlier commit failed"), "{trouble}");
    }
    assert!(drive.is_loaded(), "an unload that failed leaves it loaded");
    let cartridge = drive.eject().expect("it holds one");
    let error = cartridge.finish().expect_err("its end is not known");
    assert!(error.to_string().contains("an earlier commit failed"));
}

#[test]
fn marks_that_nobody_waits_for_are_not_committed() {
    let (mut drive, medium) = faulty(Personality::default());
    write(&mut drive, 100);
    medium.store(0).set_fault(Some(StoreFault::Sync));
    for count in [2, 0] {
        let done = drive
            .write_marks(Mark::Filemark, count, WriteMode::Immediate)
            .expect("nothing is committed");
        assert_eq!((done.count, done.stop), (count.into(), None));
    }
}

#[test]
fn rewind_load_and_unload_commit_before_they_move() {
    for (what, operate) in [
        ("rewind", (|drive| drive.rewind().map(drop)) as Operate),
        ("load", |drive| drive.load(LoadKind::Load).map(drop)),
        ("unload", |drive| drive.unload()),
        ("commit", |drive| {
            drive
                .write_marks(Mark::Filemark, 0, WriteMode::Commit)
                .map(drop)
        }),
    ] {
        let (mut drive, medium) = faulty(Personality::default());
        write(&mut drive, 100);
        medium.store(0).set_fault(Some(StoreFault::Sync));
        let failed = operate(&mut drive).expect_err(what);
        assert_eq!(told(failed), (Sense::HardwareError, 0, Some(1)), "{what}");
    }
}

#[test]
fn an_erasure_that_fails_is_told() {
    let (mut drive, medium) = faulty(Personality::default());
    write(&mut drive, 100);
    drive.rewind().expect("rewinds");
    medium.store(0).set_fault(Some(StoreFault::Sync));
    let failed = drive.erase(EraseExtent::Short).expect_err("the host fails");
    assert_eq!((failed.sense, failed.count), (Sense::HardwareError, 0));
}

#[test]
fn a_failing_read_tells_the_fixed_blocks_before_it() {
    let (mut drive, medium) = faulty(Personality::default());
    drive.write(fixed(100), &[1; 200]).expect("takes two");
    let behind_two = medium.store(0).bytes().len() as u64;
    drive.write(fixed(100), &[1; 100]).expect("takes one");
    drive.rewind().expect("rewinds");
    medium.store(0).set_fault(Some(StoreFault::Read {
        from: behind_two + FRAME_BYTES,
        to: behind_two + FRAME_BYTES + 100,
    }));
    let failed = drive
        .read(fixed(100), &mut [0; 300])
        .expect_err("the host fails");
    assert_eq!(told(failed), (Sense::HardwareError, 2, Some(3)));
}

#[test]
fn a_damaged_block_tells_the_fixed_blocks_before_it_and_is_passed() {
    let (mut drive, _medium) = faulty(Personality::default());
    drive.write(fixed(100), &[1; 200]).expect("takes two");
    drive.record_unreadable(100).expect("takes it");
    drive.write(fixed(100), &[1; 100]).expect("takes one");
    drive.rewind().expect("rewinds");
    let failed = drive
        .read(fixed(100), &mut [0; 400])
        .expect_err("the third is unreadable");
    assert_eq!(told(failed), (Sense::MediumError, 2, Some(3)));
    let rest = drive.read(fixed(100), &mut [0; 100]).expect("goes on");
    assert_eq!((rest.blocks, rest.bytes, rest.block_length), (1, 100, 100));
}

#[test]
fn partitions_that_can_not_be_made_leave_the_ones_that_are_there() {
    let (mut drive, medium) = faulty(named("dds"));
    *medium.unmakeable.lock().expect("no panic") = Some(1);
    let failed = drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect_err("the second can't be made");
    assert_eq!((failed.sense, failed.count), (Sense::HardwareError, 0));
    let trouble = drive.take_trouble().expect("more than a sense says");
    assert!(trouble.contains("second.ptape: can't create"), "{trouble}");
    assert_eq!(drive.mode().expect("a mode").last_partition, 0);
}

#[test]
fn what_is_wrong_with_any_partition_is_told_at_the_end() {
    for failing in [0, 1] {
        let (mut drive, medium) = faulty(named("dds"));
        drive
            .make_partitions(Partitioning::SecondOf(1))
            .expect("makes two");
        for partition in [0, 1] {
            let to = pseudotape_tape::Address {
                partition: Some(pseudotape_tape::PartitionNumber(partition)),
                object: pseudotape_tape::ObjectNumber(0),
            };
            drive.locate(to).expect("there are two");
            write(&mut drive, 100);
        }
        medium.store(failing).set_fault(Some(StoreFault::Sync));
        let finished = drive.eject().expect("it holds one").finish();
        let error = finished.expect_err("one of them is not committed");
        assert!(error.to_string().contains("injected sync error"), "{error}");
        // The other one is finished all the same.
        let other = medium.store(1 - failing);
        let log = other.log();
        assert_eq!(
            log.iter()
                .rev()
                .take(3)
                .filter(|done| **done == pseudotape_testkit::store::StoreAction::Sync)
                .count(),
            1,
            "{:?}",
            log.len()
        );
    }
}

#[test]
fn the_door_needs_no_medium_and_no_host() {
    let (mut drive, medium) = faulty(Personality::default());
    medium.store(0).set_fault(Some(StoreFault::Sync));
    drive.set_door(Door::Locked).expect("it has a door");
    assert_eq!(drive.door(), Door::Locked);
    assert_eq!(object(&mut drive), 0);
}
