use pseudotape_mtio::{Booleans, DriverOption, GeneralStatus, Operation};
use pseudotape_st::{Errno, Node, Opening};

use crate::bench::{Bench, NON_REWINDING, NONBLOCK, READ_WRITE};

const DEFAULT_BLOCK_SIZE: i32 = 0x5000_0000;
const DEFAULT_DENSITY: i32 = 0x6010_0000;

/// ST-MODE-02
#[test]
fn a_block_size_outside_the_limits_is_invalid() {
    let mut bench = Bench::open_blank("scsi_debug");
    for size in [1, 511, (1 << 20) + 4, -1] {
        assert_eq!(bench.op(Operation::SetBlockSize, size), Err(Errno::Invalid));
    }
    assert_eq!(bench.get().block_size, 0);
    bench.does(Operation::SetBlockSize, 512);
    bench.does(Operation::SetBlockSize, 1 << 20);
}

/// ST-MODE-03
#[test]
fn a_block_size_that_the_drive_refuses_is_eio() {
    let mut bench = Bench::open_blank("scsi_debug");
    assert_eq!(bench.op(Operation::SetBlockSize, 513), Err(Errno::Io));
    assert_eq!(bench.get().block_size, 0);
}

/// ST-MODE-04
#[test]
fn a_block_size_has_24_bits() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    bench.does(Operation::SetBlockSize, 16_777_216);
    assert_eq!(bench.get().block_size, 0);
    bench.reopen();
    assert_eq!(bench.get().block_size, 0);
}

/// ST-MODE-10
#[test]
fn a_default_density_is_set_at_once_and_by_each_new_session() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetDriveBuffer, DEFAULT_DENSITY | 2);
    assert_eq!(bench.get().density, 2);
    bench.does(Operation::SetDensity, 3);
    bench.reopen();
    assert_eq!(bench.get().density, 3, "the same session");
    bench.close().unwrap();
    let cartridge = bench.drive.eject().unwrap();
    bench.drive.insert(cartridge);
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Ok(Opening::Open));
    assert_eq!(bench.get().density, 2);
    bench.does(Operation::SetDriveBuffer, DEFAULT_DENSITY | 0xf_ffff);
    assert_eq!(
        bench.get().density,
        2,
        "clearing the default leaves the density"
    );
}

/// ST-MODE-14 ST-MODE-15
#[test]
fn a_default_that_the_drive_refuses_matters_once_modes_are_defined() {
    let mut bench = Bench::open_blank("scsi_debug");
    bench.does(Operation::SetDriveBuffer, DEFAULT_BLOCK_SIZE | 5);
    assert_eq!(bench.get().block_size, 0);
    let change = |bench: &mut Bench| {
        bench.close().ok();
        let cartridge = bench.drive.eject().unwrap();
        bench.drive.insert(cartridge);
        bench.open(NON_REWINDING, READ_WRITE)
    };
    assert_eq!(change(&mut bench), Ok(Opening::Open));
    bench.close().unwrap();
    let other_mode = Node {
        mode: 1,
        rewinding: false,
    };
    bench.open(other_mode, READ_WRITE).unwrap();
    bench.does(Operation::SetDriveBuffer, DEFAULT_BLOCK_SIZE | 1024);
    assert_eq!(change(&mut bench), Err(Errno::Invalid));
    assert!(!bench.st.in_use());
}

/// ST-MODE-09 ST-MODE-10
#[test]
fn defaults_without_a_medium_wait_for_one() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::Unload, 1);
    bench.drive.told.clear();
    for default in [
        DEFAULT_BLOCK_SIZE | 1024,
        DEFAULT_DENSITY | 2,
        0x6020_0001,
        0x6030_0002,
    ] {
        bench.does(Operation::SetDriveBuffer, default);
    }
    assert_eq!(bench.op(Operation::Compression, 1), Err(Errno::Io));
    assert_eq!(bench.drive.told, []);
    bench.does(Operation::Load, 1);
    let status = bench.get();
    assert_eq!((status.block_size, status.density), (1024, 2));
}

/// ST-MODE-17
#[test]
fn an_operator_sets_options_of_any_mode_without_its_node() {
    let mut bench = Bench::open_blank("scsi_debug");
    let Bench { st, drive } = &mut bench;
    let mut set =
        |mode, text: &str| st.change_option(&mut **drive, mode, DriverOption::parse(text).unwrap());
    set(0, "defblksize=1024").unwrap();
    set(2, "defblksize=2048").unwrap();
    set(2, "sysv").unwrap();
    set(0, "two-fms").unwrap();
    assert_eq!(set(4, "sysv"), Err(Errno::NoDevice));
    assert_eq!(
        bench.get().block_size,
        1024,
        "mode 0 is in use, mode 2 waits"
    );
    let options = bench.st.options(0).unwrap();
    assert_eq!(options.default_block_size, Some(1024));
    assert!(options.booleans.contains(Booleans::TWO_FILEMARKS));
    assert!(!options.booleans.contains(Booleans::SYSV));
    let options = bench.st.options(2).unwrap();
    assert_eq!(options.default_block_size, Some(2048));
    assert!(
        options
            .booleans
            .contains(Booleans::TWO_FILEMARKS | Booleans::SYSV)
    );
    assert_eq!((bench.st.options(1), bench.st.options(4)), (None, None));
    bench.drive.told.clear();
    for text in ["defdensity=2", "defdrvbuffer=2", "defcompression=on"] {
        let option = DriverOption::parse(text).unwrap();
        bench.st.change_option(&mut bench.drive, 2, option).unwrap();
    }
    assert_eq!(bench.drive.told, [], "mode 2 waits");
    bench.close().unwrap();
    let node = Node {
        mode: 2,
        rewinding: false,
    };
    bench.open(node, READ_WRITE).unwrap();
    assert_eq!(bench.get().block_size, 2048);
}

/// ST-MODE-12
#[test]
fn the_cleaning_byte_is_one_that_the_drive_may_use() {
    let mut bench = Bench::open_blank("generic");
    for (byte, expected) in [
        (0, Ok(())),
        (17, Err(Errno::Invalid)),
        (18, Ok(())),
        (95, Ok(())),
        (96, Err(Errno::Invalid)),
    ] {
        let cleaning = i32::MIN | byte;
        let set = bench.op(Operation::SetDriveBuffer, cleaning);
        assert_eq!(set, expected, "byte {byte}");
    }
}

/// ST-MODE-13
#[test]
fn only_the_buffering_of_an_undefined_mode_can_be_set() {
    let mut bench = Bench::open_blank("generic");
    bench.close().unwrap();
    let node = Node {
        mode: 2,
        rewinding: false,
    };
    bench.open(node, NONBLOCK).unwrap();
    assert_eq!(bench.op(Operation::Nothing, 1), Err(Errno::NoDevice));
    bench.does(Operation::SetDriveBuffer, 1);
    assert_eq!(bench.op(Operation::Nothing, 1), Err(Errno::NoDevice));
}

/// ST-MODE-05
#[test]
fn three_old_densities_have_flags() {
    let mut bench = Bench::open_blank("generic");
    for (density, flag) in [
        (1, GeneralStatus::D_800),
        (2, GeneralStatus::D_1600),
        (3, GeneralStatus::D_6250),
        (4, GeneralStatus::empty()),
    ] {
        bench.does(Operation::SetDensity, density);
        let all = GeneralStatus::D_800 | GeneralStatus::D_1600 | GeneralStatus::D_6250;
        assert_eq!(bench.get().general & all, flag, "density {density}");
    }
}
