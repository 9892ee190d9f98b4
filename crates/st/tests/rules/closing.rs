use pseudotape_mtio::{Booleans, Operation};
use pseudotape_st::Errno;
use pseudotape_tape::Door;
use pseudotape_testkit::ModelCartridge;

use crate::bench::{Bench, NON_REWINDING, NONBLOCK, READ_WRITE, REWINDING, SET};

/// ST-CLOSE-08
#[test]
fn settings_leave_the_filemark_at_close_due() {
    for (operation, count) in [
        (Operation::Nothing, 1),
        (Operation::SetBlockSize, 0),
        (Operation::SetDensity, 0),
        (Operation::SetDriveBuffer, 1),
        (Operation::SetDriveBuffer, SET),
    ] {
        let mut bench = Bench::open_blank("generic");
        bench.write_blocks(1);
        bench.does(operation, count);
        bench.close().unwrap();
        assert_eq!(bench.tape(), "bf", "{operation:?}");
    }
    let mut bench = Bench::open_blank("generic");
    bench.write_blocks(1);
    assert_eq!(bench.op(Operation::SetPartition, 0), Err(Errno::Invalid));
    assert_eq!(bench.op(Operation::WriteSetmarks, 1), Err(Errno::Io));
    bench.close().unwrap();
    assert_eq!(bench.tape(), "bf");
}

/// ST-CLOSE-12
#[test]
fn the_filemark_goes_to_the_partition_that_was_chosen() {
    let mut bench = Bench::open_blank("scsi_debug");
    let partitions = i32::try_from(Booleans::CAN_PARTITIONS.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, SET | partitions);
    bench.does(Operation::MakePartitions, 100);
    bench.write_blocks(1);
    bench.does(Operation::SetPartition, 1);
    bench.close().unwrap();
    assert_eq!(bench.partition(0), "b");
    assert_eq!(bench.partition(1), "f");
}

/// ST-CLOSE-14
#[test]
fn a_door_locked_by_a_transfer_is_unlocked_by_the_close() {
    let mut bench = Bench::open_blank("generic");
    let auto_lock = i32::try_from(Booleans::AUTO_LOCK.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, SET | auto_lock);
    assert_eq!(bench.drive.door(), Door::Unlocked);
    bench.write_blocks(1);
    assert_eq!(bench.drive.door(), Door::Locked);
    bench.close().unwrap();
    assert_eq!(bench.drive.door(), Door::Unlocked);
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    bench.does(Operation::Lock, 1);
    bench.write_blocks(1);
    bench.close().unwrap();
    assert_eq!(bench.drive.door(), Door::Locked, "MTLOCK stays");
}

/// ST-CLOSE-11 ST-CLOSE-13
#[test]
fn an_error_of_a_close_that_is_certain_is_told_before() {
    let mut bench = Bench::open_blank("generic");
    assert_eq!(bench.st.foretell_close(), None);
    bench.write_blocks(1);
    bench.drive.reset();
    assert_eq!(bench.write(1024), Err(Errno::Io));
    assert_eq!(bench.st.foretell_close(), Some(Errno::Io));
    assert_eq!(bench.close(), Err(Errno::Io));
    assert_eq!(bench.st.foretell_close(), None);

    bench.open(REWINDING, READ_WRITE).unwrap();
    assert_eq!(bench.st.foretell_close(), None, "the rewind makes it good");
    assert_eq!(bench.close(), Ok(()));

    bench.drive.eject();
    bench.open(REWINDING, NONBLOCK).unwrap();
    assert_eq!(bench.st.foretell_close(), Some(Errno::NoMedium));
    assert_eq!(bench.close(), Err(Errno::NoMedium));
    bench.open(NON_REWINDING, NONBLOCK).unwrap();
    assert_eq!(bench.st.foretell_close(), None);
    assert_eq!(bench.close(), Ok(()));
}

/// ST-CLOSE-11
#[test]
fn a_reset_behind_the_last_write_is_found_before_the_close() {
    for node in [NON_REWINDING, REWINDING] {
        let mut bench = Bench::open_blank("generic");
        bench.close().unwrap();
        bench.open(node, READ_WRITE).unwrap();
        bench.write_blocks(2);
        assert_eq!(bench.st.ask_before_close(&mut bench.drive), Ok(()));
        bench.drive.reset();
        assert_eq!(bench.st.foretell_close(), None, "nobody has said so yet");
        let asked = bench.st.ask_before_close(&mut bench.drive);
        assert_eq!(asked, Err(Errno::Io));
        // A rewind makes it good, as where a call had found it before.
        let closed = if node == REWINDING {
            Ok(())
        } else {
            Err(Errno::Io)
        };
        assert_eq!(bench.close(), closed);
        assert_eq!(bench.tape(), "bb", "no filemark where the drive stands");
        bench.open(NON_REWINDING, READ_WRITE).unwrap();
        assert_eq!(bench.at().0, -1);
        bench.close().ok();
    }
}

/// ST-CLOSE-11
#[test]
fn a_medium_that_came_behind_the_last_write_gets_no_filemark() {
    let mut bench = Bench::open_blank("generic");
    bench.write_blocks(2);
    bench.drive.eject();
    bench.drive.insert(ModelCartridge::default());
    let asked = bench.st.ask_before_close(&mut bench.drive);
    assert_eq!(asked, Err(Errno::Io));
    bench.close().unwrap();
    assert_eq!(bench.tape(), "");
}

/// ST-CLOSE-10
#[test]
fn system_v_goes_behind_the_filemark_after_reading_and_only_then() {
    let sysv = i32::try_from(Booleans::SYSV.bits()).unwrap();
    for reads in [true, false] {
        let mut bench = Bench::open_blank("generic");
        bench.does(Operation::SetDriveBuffer, SET | sysv);
        bench.write_blocks(3);
        bench.does(Operation::WriteFilemarks, 1);
        bench.write_blocks(2);
        bench.does(Operation::Rewind, 1);
        if reads {
            assert_eq!(bench.read_length(1024), Ok(1024));
        } else {
            bench.does(Operation::ForwardBlocks, 1);
        }
        bench.reopen();
        let expected = if reads { (1, 0, 4) } else { (0, 1, 1) };
        let (file, block) = bench.at();
        assert_eq!((file, block, bench.pos()), expected, "reads: {reads}");
    }
}

/// ST-CLOSE-16
#[test]
fn a_close_that_is_done_early_is_not_done_again() {
    for (node, two, tape, at) in [
        (NON_REWINDING, false, "bbf", 3),
        (NON_REWINDING, true, "bbff", 3),
        (REWINDING, false, "bbf", 0),
    ] {
        let mut bench = Bench::with(crate::bench::personality("generic"), Default::default());
        bench.open(node, READ_WRITE).unwrap();
        assert!(!bench.st.owes_filemark());
        assert_eq!(bench.st.close_early(&mut bench.drive), Ok(()));
        assert!(!bench.st.is_closed_early(), "nothing was written");
        if two {
            let two = i32::try_from(Booleans::TWO_FILEMARKS.bits()).unwrap();
            bench.does(Operation::SetDriveBuffer, SET | two);
        }
        bench.write_blocks(2);
        assert!(bench.st.owes_filemark());
        assert_eq!(bench.st.close_early(&mut bench.drive), Ok(()));
        assert!(bench.st.is_closed_early() && !bench.st.owes_filemark());
        assert_eq!(bench.tape(), tape, "before the file is closed");
        assert_eq!(bench.st.close_early(&mut bench.drive), Ok(()));
        bench.close().unwrap();
        assert_eq!(bench.tape(), tape, "after it");
        bench.open(NON_REWINDING, READ_WRITE).unwrap();
        assert_eq!(bench.pos(), at);
    }
}

/// ST-CLOSE-16
#[test]
fn a_call_after_a_close_that_was_early_finds_the_tape_as_it_was() {
    for node in [NON_REWINDING, REWINDING] {
        let mut bench = Bench::with(crate::bench::personality("generic"), Default::default());
        bench.open(node, READ_WRITE).unwrap();
        bench.write_blocks(2);
        let before = bench.at();
        assert_eq!(bench.st.close_early(&mut bench.drive), Ok(()));
        assert_eq!(bench.tape(), "bbf");
        assert_eq!(bench.st.resume(&mut bench.drive), Ok(()));
        assert!(!bench.st.is_closed_early());
        assert_eq!((bench.at(), bench.pos()), (before, 2));
        bench.write_blocks(1);
        assert_eq!(bench.tape(), "bbb");
        bench.close().unwrap();
        assert_eq!(bench.tape(), "bbbf");
    }
}

/// ST-CLOSE-16
#[test]
fn what_a_close_that_was_early_could_not_do_is_told_by_it_and_by_a_call_after_it() {
    let mut bench = Bench::open_blank("generic");
    bench.write_blocks(1);
    bench.drive.reset();
    assert_eq!(bench.st.close_early(&mut bench.drive), Err(Errno::Io));
    assert_eq!(bench.st.resume(&mut bench.drive), Err(Errno::Io));
    assert_eq!(bench.st.resume(&mut bench.drive), Ok(()), "told once");
    // The close of the file has nothing to tell any more.
    let mut bench = Bench::open_blank("generic");
    bench.write_blocks(1);
    bench.drive.reset();
    assert_eq!(bench.st.close_early(&mut bench.drive), Err(Errno::Io));
    assert_eq!(bench.st.foretell_close(), None);
    assert_eq!(bench.close(), Ok(()));
    assert_eq!(bench.tape(), "b");
}
