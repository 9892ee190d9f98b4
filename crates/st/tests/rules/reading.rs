use pseudotape_mtio::{Booleans, GeneralStatus, Operation};
use pseudotape_st::Errno;
use pseudotape_testkit::{ModelCartridge, ModelObject};

use crate::bench::{Bench, NON_REWINDING, READ_WRITE, SET, personality};

/// ST-STAT-05
#[test]
fn recovered_errors_are_counted_until_they_are_asked_for() {
    let mut bench = Bench::open_blank("lto5");
    bench.drive.recover();
    bench.write_blocks(1);
    bench.drive.recover();
    bench.write_blocks(1);
    assert_eq!(bench.get().recovered_errors, 2);
    assert_eq!(bench.get().recovered_errors, 0);
}

/// ST-READ-11, ST-STAT-05
#[test]
fn a_damaged_block_is_eio_and_reading_goes_on_behind_it() {
    let cartridge = ModelCartridge {
        partitions: vec![vec![
            ModelObject::Block(vec![1; 8]),
            ModelObject::Damaged(8),
            ModelObject::Block(vec![2; 8]),
        ]],
        ..ModelCartridge::default()
    };
    let mut bench = Bench::with(personality("lto5"), cartridge);
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read(8), Ok(vec![1; 8]));
    assert_eq!(bench.read(8), Err(Errno::Io));
    assert_eq!(bench.at(), (0, -1));
    assert_eq!(bench.get().recovered_errors, 0);
    assert_eq!(bench.pos(), 2);
    assert_eq!(bench.read(8), Ok(vec![2; 8]));
    assert_eq!(bench.at(), (0, -1));
}

/// ST-READ-13
#[test]
fn a_read_after_enospc_gets_two_zeros_and_then_eio() {
    let mut bench = Bench::open_small("generic", 4096, 2048);
    bench.write_blocks(2);
    assert_eq!(bench.write(1024), Err(Errno::NoSpace));
    assert_eq!(bench.read_length(1024), Ok(0));
    assert!(bench.flag(GeneralStatus::EOD));
    assert_eq!(bench.read_length(1024), Ok(0));
    assert_eq!(bench.read_length(1024), Err(Errno::Io));
    assert_eq!(bench.at(), (0, 2));
}

/// ST-READ-15
#[test]
fn without_block_limits_the_drive_decides() {
    let mut bench = Bench::open_blank("scsi_debug");
    assert_eq!(bench.write(100), Err(Errno::Invalid));
    let no_limits = i32::try_from(Booleans::NO_BLOCK_LIMITS.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, SET | no_limits);
    bench.reopen();
    assert_eq!(bench.write(100), Err(Errno::Io));
    assert_eq!(bench.at(), (0, -1));
    bench.does(Operation::Rewind, 1);
    bench.write_blocks(1);
    for length in [100, 2 << 20] {
        bench.does(Operation::Rewind, 1);
        assert_eq!(bench.read_length(length), Err(Errno::Io));
        assert_eq!(bench.at(), (0, -1));
    }
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetDriveBuffer, SET | no_limits);
    bench.reopen();
    bench.write_blocks(1);
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read_length(20 << 20), Ok(1024));
}

/// ST-READ-02 ST-READ-03
#[test]
fn a_longer_block_is_an_error_or_with_sili_its_beginning() {
    let sili = i32::try_from(Booleans::SILI.bits()).unwrap();
    for (option, expected) in [(0, Err(Errno::NoMemory)), (sili, Ok(100))] {
        let mut bench = Bench::open_blank("generic");
        bench.does(Operation::SetDriveBuffer, SET | option);
        bench.write_blocks(2);
        bench.does(Operation::Rewind, 1);
        assert_eq!(bench.read_length(100), expected);
        assert_eq!((bench.at(), bench.pos()), ((0, 1), 1), "behind it");
        // The same length is no longer block.
        assert_eq!(bench.read_length(1024), Ok(1024));
    }
}
