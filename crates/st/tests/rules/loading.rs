use pseudotape_mtio::{GeneralStatus, Operation};
use pseudotape_st::Errno;
use pseudotape_tape::Door;

use crate::bench::Bench;

/// ST-LOAD-07
#[test]
fn off_line_unlocks_the_door_first() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::Lock, 1);
    bench.does(Operation::Offline, 1);
    assert_eq!(bench.drive.door(), Door::Unlocked);
    assert!(bench.flag(GeneralStatus::DR_OPEN));
    bench.does(Operation::Load, 1);
    assert!(bench.flag(GeneralStatus::ONLINE));
    assert_eq!(bench.at(), (0, 0));
}

/// ST-LOAD-08
#[test]
fn a_locked_door_stops_an_unload() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::Lock, 1);
    assert_eq!(bench.op(Operation::Unload, 1), Err(Errno::Io));
    assert_eq!(bench.at(), (-1, -1));
    assert!(bench.flag(GeneralStatus::ONLINE));
    bench.does(Operation::Unlock, 1);
    bench.does(Operation::Unload, 1);
}

/// ST-RESET-03
#[test]
fn settings_are_restored_by_the_rewind_after_a_reset() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    bench.does(Operation::SetDensity, 3);
    bench.drive.reset();
    assert_eq!(bench.write(512), Err(Errno::Io));
    assert_eq!(bench.at(), (-1, -1));
    assert_eq!(bench.op(Operation::ForwardBlocks, 1), Err(Errno::Io));
    // What a drive loses in a reset is its own matter: this one is told again.
    use pseudotape_tape::{Drive, ModeSelect};
    bench
        .drive
        .set_mode(ModeSelect {
            block_size: Some(0),
            density: Some(1),
            ..ModeSelect::default()
        })
        .unwrap();
    bench.does(Operation::Rewind, 1);
    let mode = bench.drive.mode().unwrap();
    assert_eq!((mode.block_size, mode.density), (512, 3));
    assert_eq!(bench.at(), (0, 0));
}

/// ST-RESET-03. The cartridge was changed, too: the drive tells that the one who sets the density. A MODE SELECT of the
/// block size has the density as well (st_int_ioctl: `b_data[4] = STp->density`).
#[test]
fn settings_are_restored_although_the_drive_has_more_news() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    bench.does(Operation::SetDensity, 3);
    bench.drive.reset();
    assert_eq!(bench.op(Operation::ForwardBlocks, 1), Err(Errno::Io));
    let cartridge = bench.drive.eject().expect("it holds one");
    bench.drive.insert(cartridge);
    bench.does(Operation::Rewind, 1);
    let mode = pseudotape_tape::Drive::mode(&mut bench.drive).unwrap();
    assert_eq!((mode.block_size, mode.density), (512, 3));
}

/// ST-RESET-03
#[test]
fn a_default_that_is_given_up_does_not_give_up_what_was_set() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetDensity, 3);
    bench.does(Operation::SetBlockSize, 512);
    // MT_ST_DEF_DENSITY and MT_ST_DEF_BLKSIZE with MT_ST_CLEAR_DEFAULT
    bench.does(Operation::SetDriveBuffer, 0x601f_ffff);
    bench.does(Operation::SetDriveBuffer, 0x5fff_ffff);
    bench.drive.reset();
    assert_eq!(bench.write(512), Err(Errno::Io));
    use pseudotape_tape::{Drive, ModeSelect};
    bench
        .drive
        .set_mode(ModeSelect {
            block_size: Some(0),
            density: Some(1),
            ..ModeSelect::default()
        })
        .unwrap();
    bench.does(Operation::Rewind, 1);
    let mode = bench.drive.mode().unwrap();
    assert_eq!((mode.block_size, mode.density), (512, 3));
}

#[test]
fn a_reset_during_an_operation_is_eio_and_every_way_back_works() {
    for operation in [
        Operation::Rewind,
        Operation::Load,
        Operation::Retension,
        Operation::Seek,
        Operation::EndOfData,
        Operation::Offline,
    ] {
        let mut bench = Bench::open_blank("generic");
        bench.write_blocks(1);
        bench.drive.reset();
        assert_eq!(bench.write(1024), Err(Errno::Io));
        bench.does(operation, 0);
        if operation != Operation::Offline {
            assert!(bench.flag(GeneralStatus::ONLINE), "{operation:?}");
            bench.does(Operation::Rewind, 1);
            assert_eq!(bench.read_length(1024), Ok(1024), "{operation:?}");
        }
    }
}
