use pseudotape_mtio::{Booleans, GeneralStatus, Operation};
use pseudotape_st::Errno;
use pseudotape_tape::{Failed, Sense};
use pseudotape_testkit::ModelCartridge;

use crate::bench::{Bench, CLEAR, NON_REWINDING, READ_WRITE, SET, personality};

fn two_files() -> Bench {
    let mut bench = Bench::open_blank("generic");
    for _ in 0..2 {
        bench.write_blocks(2);
        bench.does(Operation::WriteFilemarks, 1);
    }
    bench.does(Operation::Rewind, 1);
    bench
}

/// ST-SPACE-07
#[test]
fn blocks_forward_into_a_filemark_stop_behind_it() {
    let mut bench = two_files();
    assert_eq!(bench.op(Operation::ForwardBlocks, 5), Err(Errno::Io));
    assert_eq!(bench.at(), (1, 0));
    assert!(bench.flag(GeneralStatus::EOF));
    assert_eq!(bench.pos(), 3);
}

/// ST-SPACE-15
#[test]
fn fast_eom_loses_the_file_number_until_rewind() {
    let mut bench = two_files();
    let fast = i32::try_from(Booleans::FAST_EOM.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, SET | fast);
    bench.does(Operation::EndOfData, 1);
    assert_eq!(bench.at(), (-1, -1));
    assert!(bench.flag(GeneralStatus::EOD));
    assert_eq!(bench.pos(), 6);
    bench.does(Operation::WriteFilemarks, 1);
    assert_eq!(bench.at(), (-1, 0));
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.at(), (0, 0));
}

/// ST-SPACE-16 ST-MARK-05
#[test]
fn setmarks_are_written_and_spaced_over_where_the_medium_has_them() {
    let mut bench = Bench::open_blank("dds");
    bench.write_blocks(1);
    bench.does(Operation::WriteSetmarks, 1);
    assert_eq!(bench.at(), (1, 0), "st counts it as a file");
    assert!(bench.flag(GeneralStatus::SM));
    bench.close().unwrap();
    assert_eq!(bench.tape(), "bsf", "the filemark stayed due");
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    bench.does(Operation::Rewind, 1);
    assert!(!bench.flag(GeneralStatus::SM));
    bench.does(Operation::ForwardSetmarks, 1);
    assert_eq!(bench.at(), (-1, -1));
    assert!(bench.flag(GeneralStatus::SM));
    assert_eq!(bench.pos(), 2);
    bench.does(Operation::BackSetmarks, 1);
    assert_eq!(bench.pos(), 1);
    assert!(bench.flag(GeneralStatus::SM));
}

/// ST-MARK-02
#[test]
fn no_filemarks_are_a_commit_that_forgets_the_block_and_the_filemark_at_close() {
    let mut bench = Bench::open_blank("generic");
    bench.write_blocks(1);
    bench.does(Operation::WriteFilemarks, 0);
    assert_eq!(bench.at(), (0, 0));
    assert_eq!(bench.pos(), 1);
    bench.close().unwrap();
    assert_eq!(bench.tape(), "b");
}

/// ST-POS-02
#[test]
fn a_position_at_the_beginning_makes_file_and_block_known() {
    for (name, known) in [("lto5", (0, 0)), ("scsi_debug", (-1, -1))] {
        let mut bench = Bench::with(personality(name), ModelCartridge::default());
        bench.drive.clear_attention();
        bench.open(NON_REWINDING, READ_WRITE).unwrap();
        assert_eq!(bench.at(), (-1, -1));
        assert_eq!(bench.pos(), 0);
        assert_eq!(bench.at(), known, "{name}");
    }
}

/// ST-POS-04 ST-SPACE-16
#[test]
fn a_seek_away_from_a_setmark_forgets_it() {
    for partitions in [false, true] {
        let mut bench = Bench::open_blank("dds");
        if partitions {
            let switch = i32::try_from(Booleans::CAN_PARTITIONS.bits()).unwrap();
            bench.does(Operation::SetDriveBuffer, SET | switch);
        }
        bench.write_blocks(2);
        bench.does(Operation::WriteSetmarks, 1);
        assert!(bench.flag(GeneralStatus::SM));
        bench.does(Operation::Seek, 1);
        assert!(!bench.flag(GeneralStatus::SM), "partitions {partitions}");
    }
}

/// ST-SPACE-12
#[test]
fn a_setmark_is_forgotten_by_spacing_but_not_over_nothing() {
    for operation in [
        Operation::ForwardFilemarks,
        Operation::BackFilemarks,
        Operation::ForwardBlocks,
        Operation::BackBlocks,
    ] {
        let mut bench = Bench::open_blank("dds");
        for _ in 0..2 {
            bench.write_blocks(2);
            bench.does(Operation::WriteFilemarks, 1);
            bench.write_blocks(2);
            bench.does(Operation::WriteFilemarks, 1);
        }
        bench.does(Operation::Seek, 5);
        bench.does(Operation::WriteSetmarks, 1);
        bench.write_blocks(2);
        bench.does(Operation::WriteFilemarks, 1);
        bench.does(Operation::BackSetmarks, 1);
        bench.does(Operation::ForwardSetmarks, 1);
        bench.does(operation, 0);
        assert!(bench.flag(GeneralStatus::SM), "{operation:?} 0");
        if matches!(operation, Operation::BackFilemarks | Operation::BackBlocks) {
            bench.does(Operation::BackSetmarks, 1);
        }
        bench.does(operation, 1);
        assert!(!bench.flag(GeneralStatus::SM), "{operation:?} 1");
    }
}

/// ST-SPACE-11
#[test]
fn back_to_the_beginning_from_an_unknown_block_shows_the_residual() {
    let mut bench = Bench::open_blank("scsi_debug");
    bench.write_blocks(4);
    bench.does(Operation::Seek, 2);
    assert_eq!(bench.at(), (-1, -1));
    assert_eq!(bench.op(Operation::BackBlocks, 5), Err(Errno::Io));
    assert_eq!(bench.at(), (-1, 2), "as st counts: -1 and three not done");
    assert_eq!(bench.pos(), 0);
}

/// ST-SPACE-09
#[test]
fn an_error_of_the_medium_while_spacing_back_counts_what_was_passed() {
    for (sense, expected) in [(Sense::MediumError, 2), (Sense::HardwareError, 0)] {
        let mut bench = Bench::open_blank("generic");
        bench.write_blocks(5);
        bench.drive.fails = Some(Failed {
            sense,
            count: 3,
            position: None,
        });
        assert_eq!(bench.op(Operation::BackBlocks, 5), Err(Errno::Io));
        assert_eq!(bench.at(), (0, expected), "{sense}");
        bench.does(Operation::Seek, 3);
        bench.drive.fails = Some(Failed {
            sense,
            count: 1,
            position: None,
        });
        assert_eq!(bench.op(Operation::BackBlocks, 2), Err(Errno::Io));
        assert_eq!(bench.at(), (-1, -1), "{sense}");
    }
}

/// ST-SPACE-15
#[test]
fn an_error_on_the_way_to_the_end_of_data_is_eio() {
    let mut bench = two_files();
    let fast = i32::try_from(Booleans::FAST_EOM.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, SET | fast);
    bench.drive.fails = Some(Failed::at(Sense::MediumError, None));
    assert_eq!(bench.op(Operation::EndOfData, 1), Err(Errno::Io));
    assert_eq!(bench.at(), (-1, -1));
}

/// ST-SPACE-04, ST-SPACE-10
#[test]
fn going_back_too_far_ends_at_the_filemark_or_at_the_beginning() {
    let mut bench = Bench::open_blank("generic");
    for _ in 0..3 {
        bench.write_blocks(2);
        bench.does(Operation::WriteFilemarks, 1);
    }
    bench.write_blocks(1);
    assert_eq!(bench.op(Operation::BackBlocks, 5), Err(Errno::Io));
    assert_eq!((bench.at(), bench.pos()), ((2, -1), 8));
    assert_eq!(bench.op(Operation::BackFilemarks, 10), Err(Errno::Io));
    assert_eq!((bench.at(), bench.pos()), ((0, 0), 0));
}

/// ST-STAT-01, ST-STAT-03
#[test]
fn flags_of_the_status_follow_counters_and_options() {
    let mut bench = Bench::open_blank("scsi_debug");
    let beginnings = |bench: &mut Bench| {
        let general = bench.get().general;
        (
            general.contains(GeneralStatus::BOT),
            general.contains(GeneralStatus::EOF),
        )
    };
    bench.does(Operation::Rewind, 1);
    assert_eq!(beginnings(&mut bench), (true, false));
    bench.write_blocks(1);
    assert_eq!(beginnings(&mut bench), (false, false));
    bench.does(Operation::WriteFilemarks, 1);
    assert_eq!(beginnings(&mut bench), (false, true));
    bench.write_blocks(1);
    assert_eq!(beginnings(&mut bench), (false, false));

    // Async writes are on at first; the drive does not buffer.
    assert!(bench.flag(GeneralStatus::IM_REP_EN));
    let asynchronous = Booleans::ASYNC_WRITES.bits() as i32;
    bench.does(Operation::SetDriveBuffer, CLEAR | asynchronous);
    assert!(!bench.flag(GeneralStatus::IM_REP_EN));
    bench.does(Operation::SetBlockSize, 512);
    assert!(bench.flag(GeneralStatus::IM_REP_EN), "buffer writes");
    let buffered = Booleans::BUFFER_WRITES.bits() as i32;
    bench.does(Operation::SetDriveBuffer, CLEAR | buffered);
    assert!(!bench.flag(GeneralStatus::IM_REP_EN));
    bench.does(Operation::SetDriveBuffer, 1);
    assert!(bench.flag(GeneralStatus::IM_REP_EN), "the drive buffers");
}

/// ST-SPACE-01 to ST-SPACE-05: from the beginning of two files.
#[test]
fn filemarks_are_passed_and_gone_back_over() {
    use Operation::{BackFilemarks, BackFilemarksAfter, ForwardFilemarks, ForwardFilemarksBefore};
    let (file_0, file_1, end) = ((0, 0, 0), (1, 0, 3), (2, 0, 6));
    for (operation, count, from_end, expected, flag) in [
        (ForwardFilemarks, 1, false, Ok(file_1), GeneralStatus::EOF),
        (ForwardFilemarks, 2, false, Ok(end), GeneralStatus::EOF),
        (
            ForwardFilemarks,
            3,
            false,
            Err((2, -1, 6)),
            GeneralStatus::EOD,
        ),
        (
            BackFilemarks,
            1,
            true,
            Ok((1, -1, 5)),
            GeneralStatus::empty(),
        ),
        (
            BackFilemarks,
            2,
            true,
            Ok((0, -1, 2)),
            GeneralStatus::empty(),
        ),
        (BackFilemarks, 3, true, Err(file_0), GeneralStatus::BOT),
        (
            ForwardFilemarksBefore,
            1,
            false,
            Ok((0, -1, 2)),
            GeneralStatus::empty(),
        ),
        (
            ForwardFilemarksBefore,
            2,
            false,
            Ok((1, -1, 5)),
            GeneralStatus::empty(),
        ),
        (BackFilemarksAfter, 1, true, Ok(end), GeneralStatus::EOF),
        (BackFilemarksAfter, 2, true, Ok(file_1), GeneralStatus::EOF),
    ] {
        let mut bench = two_files();
        if from_end {
            bench.does(Operation::EndOfData, 1);
        }
        let done = bench.op(operation, count);
        let (file, block) = bench.at();
        let place = (file, block, i32::try_from(bench.pos()).unwrap());
        let case = format!("{operation:?} {count}");
        match expected {
            Ok(there) => assert_eq!((done, place), (Ok(()), there), "{case}"),
            Err(there) => assert_eq!((done, place), (Err(Errno::Io), there), "{case}"),
        }
        assert!(bench.flag(flag), "{case}");
    }
}
