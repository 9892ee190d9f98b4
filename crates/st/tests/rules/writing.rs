use pseudotape_mtio::{Booleans, Operation};
use pseudotape_st::Errno;
use pseudotape_tape::{Failed, Sense};
use pseudotape_testkit::{ModelCartridge, ModelObject, block_of};

use crate::bench::{Bench, NON_REWINDING, READ_WRITE, SET, personality};

/// ST-WRITE-04
#[test]
fn a_length_that_only_the_drive_refuses_is_eio_and_the_block_is_unknown() {
    let mut particular = personality("scsi_debug");
    particular.limits.granularity_bytes = 4;
    let mut bench = Bench::with(particular, ModelCartridge::default());
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    assert_eq!(bench.write(513), Err(Errno::Io));
    assert_eq!(bench.at(), (0, -1));
    assert_eq!(bench.tape(), "");
}

/// ST-WRITE-09
#[test]
fn an_append_only_medium_takes_blocks_only_at_its_end() {
    let cartridge = ModelCartridge {
        partitions: vec![vec![ModelObject::Block(vec![1; 8])]],
        worm: true,
        ..ModelCartridge::default()
    };
    let mut bench = Bench::with(personality("generic"), cartridge);
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    assert_eq!(bench.write(8), Err(Errno::Io));
    assert_eq!(bench.at(), (0, -1));
    assert_eq!(bench.op(Operation::Erase, 1), Err(Errno::Io));
    assert_eq!(bench.op(Operation::WriteFilemarks, 1), Err(Errno::Io));
    bench.does(Operation::EndOfData, 1);
    assert_eq!(bench.write(8), Ok(8));
    bench.close().unwrap();
    assert_eq!(bench.tape(), "bbf");
}

/// ST-MARK-12
#[test]
fn marks_that_the_drive_gives_up_are_eio_and_those_that_were_written_count() {
    for mark in [
        Operation::WriteFilemarks,
        Operation::WriteFilemarksImmediate,
        Operation::WriteSetmarks,
    ] {
        let mut bench = Bench::open_blank("dds");
        bench.does(Operation::Rewind, 1);
        bench.drive.gives_up_after = Some(3);
        bench.does(mark, 3);
        assert_eq!(bench.op(mark, 9), Err(Errno::Io));
        let files = match mark {
            // As after setmarks that were all written, st counts the first three (ST-MARK-05).
            Operation::WriteSetmarks => 3,
            _ => 6,
        };
        assert_eq!(bench.at(), (files, 0), "{mark:?}");
        assert_eq!(bench.pos(), 6);
        bench.drive.gives_up_after = None;
        bench.does(mark, 1);
    }
}

/// ST-MARK-11
#[test]
fn what_an_append_only_medium_holds_is_neither_erased_nor_cut() {
    let cartridge = ModelCartridge {
        partitions: vec![vec![ModelObject::Block(vec![1; 8]), ModelObject::Filemark]],
        worm: true,
        ..ModelCartridge::default()
    };
    let mut bench = Bench::with(personality("dds"), cartridge);
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    let can_partitions = SET | Booleans::CAN_PARTITIONS.bits() as i32;
    bench.does(Operation::SetDriveBuffer, can_partitions);
    for (operation, count) in [
        (Operation::WriteFilemarks, 1),
        (Operation::WriteFilemarksImmediate, 1),
        (Operation::WriteSetmarks, 1),
        (Operation::Erase, 0),
        (Operation::Erase, 1),
        (Operation::MakePartitions, 0),
        (Operation::MakePartitions, 1),
    ] {
        bench.does(Operation::Rewind, 1);
        assert_eq!(
            bench.op(operation, count),
            Err(Errno::Io),
            "{operation:?} {count}"
        );
        assert_eq!((bench.tape().as_str(), bench.pos()), ("bf", 0));
    }
    // At its end it is as any other.
    bench.does(Operation::EndOfData, 1);
    bench.does(Operation::Erase, 1);
    bench.does(Operation::WriteSetmarks, 1);
    assert_eq!(bench.tape(), "bfs");
}

/// ST-WRITE-10
#[test]
fn pieces_of_one_call_make_one_block() {
    let mut bench = Bench::open_blank("generic");
    let whole = block_of(7, 3000);
    let Bench { st, drive } = &mut bench;
    assert_eq!(st.write(drive, &whole[..1000]), Ok(1000));
    assert_eq!(st.extend(drive, &whole[1000..2500]), Ok(1500));
    assert_eq!(st.extend(drive, &whole[2500..]), Ok(500));
    assert_eq!(bench.at(), (0, 1));
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read(4000), Ok(whole));
}

/// ST-WRITE-10
#[test]
fn nothing_is_lengthened_but_what_was_just_written() {
    let mut bench = Bench::open_blank("generic");
    let Bench { st, drive } = &mut bench;
    assert_eq!(st.extend(drive, b"x"), Err(Errno::Io));
    bench.write_blocks(1);
    bench.does(Operation::WriteFilemarks, 1);
    let Bench { st, drive } = &mut bench;
    assert_eq!(st.extend(drive, b"x"), Err(Errno::Io));
    assert_eq!(bench.at(), (1, 0));
    bench.close().unwrap();
    assert_eq!(bench.tape(), "bf");
}

/// ST-WRITE-11
#[test]
fn early_warning_met_by_a_later_piece_is_told_to_the_next_write() {
    let mut bench = Bench::open_small("generic", 8192, 4096);
    let Bench { st, drive } = &mut bench;
    assert_eq!(st.write(drive, &[1; 3000]), Ok(3000));
    assert_eq!(st.extend(drive, &[1; 2000]), Ok(2000));
    assert_eq!(bench.write(10), Err(Errno::NoSpace));
    assert_eq!(bench.write(10), Ok(10));
    let Bench { st, drive } = &mut bench;
    assert_eq!(st.extend(drive, &[1; 5000]), Err(Errno::NoSpace));
    assert_eq!(bench.at(), (0, 2));
}

/// ST-WRITE-12
#[test]
fn a_write_is_decided_before_its_data_is_there() {
    let mut bench = Bench::open_small("generic", 4096, 2048);
    let check = |bench: &mut Bench, count| bench.st.check_write(&mut bench.drive, count);
    assert_eq!(check(&mut bench, 0), Ok(0));
    assert_eq!(check(&mut bench, (16 << 20) + 1), Err(Errno::Invalid));
    assert_eq!(check(&mut bench, 1024), Ok(1024));
    assert_eq!(bench.at(), (0, 0));
    bench.write_blocks(2);
    assert_eq!(check(&mut bench, 1024), Err(Errno::NoSpace));
    assert_eq!(check(&mut bench, 1024), Ok(1024));
    assert_eq!(bench.write(1024), Ok(1024));
    assert_eq!(
        check(&mut bench, 2000),
        Err(Errno::NoSpace),
        "early warning"
    );
    assert_eq!(check(&mut bench, 2000), Err(Errno::NoSpace), "no room");
    assert_eq!(check(&mut bench, 2000), Err(Errno::NoSpace), "for ever");
    assert_eq!(bench.tape(), "bbb");
}

/// ST-WRITE-04, ST-WRITE-12: whether the data is there or not, a length that only the drive refuses is the same error.
#[test]
fn a_length_that_the_drive_refuses_is_refused_before_its_data_is_there() {
    let no_limits = i32::try_from(Booleans::NO_BLOCK_LIMITS.bits()).unwrap();
    for length in [100, (1 << 20) + 1, 2 << 20] {
        for has_data in [false, true] {
            let mut bench = Bench::open_blank("scsi_debug");
            bench.does(Operation::SetDriveBuffer, SET | no_limits);
            bench.reopen();
            bench.write_blocks(1);
            let Bench { st, drive } = &mut bench;
            let answer = match has_data {
                true => st.write(drive, &vec![0; length]),
                false => st.check_write(drive, length),
            };
            assert_eq!(answer, Err(Errno::Io), "{length}, {has_data}");
            assert_eq!(bench.at(), (0, -1), "{length}, {has_data}");
            assert_eq!(bench.tape(), "b", "{length}, {has_data}");
        }
    }
    // A granularity is never st's own limit.
    let mut coarse = personality("generic");
    coarse.limits.granularity_bytes = 4;
    let mut bench = Bench::with(coarse, ModelCartridge::default());
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    let Bench { st, drive } = &mut bench;
    assert_eq!(st.check_write(drive, 512), Ok(512));
    assert_eq!(st.check_write(drive, 513), Err(Errno::Io));
    assert_eq!(bench.at(), (0, -1));
}

/// ST-WRITE-12
#[test]
fn a_write_in_fixed_blocks_is_decided_by_whether_one_fits() {
    let mut bench = Bench::open_small("generic", 4096, 0);
    bench.does(Operation::SetBlockSize, 1024);
    let check = |bench: &mut Bench, count| bench.st.check_write(&mut bench.drive, count);
    assert_eq!(check(&mut bench, 1000), Err(Errno::Invalid));
    assert_eq!(check(&mut bench, 2048), Ok(2048));
    assert_eq!(check(&mut bench, 10_240), Ok(4096));
    assert_eq!(bench.write(10_240), Ok(4096));
    assert_eq!(check(&mut bench, 1024), Err(Errno::NoSpace));
    assert_eq!(check(&mut bench, 1024), Err(Errno::NoSpace));
}

/// ST-WRITE-10
#[test]
fn a_drive_that_can_not_lengthen_has_changed_nothing_and_one_that_fails_has_lost_its_place() {
    for (sense, block) in [(Sense::IllegalRequest, 1), (Sense::HardwareError, -1)] {
        let mut bench = Bench::open_blank("generic");
        bench.write_blocks(1);
        bench.drive.fails = Some(Failed::at(sense, None));
        assert_eq!(bench.st.extend(&mut bench.drive, b"x"), Err(Errno::Io));
        assert_eq!(bench.at(), (0, block), "{sense}");
    }
}
