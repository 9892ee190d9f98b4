use pseudotape_mtio::{GeneralStatus, Operation};
use pseudotape_st::{AccessMode, Errno, OpenFlags, Opening};
use pseudotape_tape::{Failed, Sense};
use pseudotape_testkit::ModelCartridge;

use crate::bench::{Bench, NON_REWINDING, NONBLOCK, READ_WRITE, REWINDING, personality};

fn empty() -> Bench {
    let mut bench = Bench::with(personality("generic"), ModelCartridge::default());
    bench.drive.eject();
    bench
}

fn not_ready() -> Bench {
    let mut bench = Bench::open_blank("scsi_debug");
    bench.does(Operation::Unload, 1);
    bench.close().unwrap();
    bench
}

/// ST-OPEN-07
#[test]
fn a_blocking_open_of_a_drive_that_stays_not_ready_ends_in_eio() {
    let mut bench = not_ready();
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Ok(Opening::Waiting));
    assert_eq!(bench.st.open_again(&mut bench.drive), Ok(Opening::Waiting));
    assert_eq!(bench.st.abandon_open(), Errno::Io);
    assert!(!bench.st.in_use());
}

/// ST-OPEN-08
#[test]
fn a_waiting_open_goes_on_when_a_medium_comes() {
    let mut bench = empty();
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Ok(Opening::Waiting));
    bench.drive.insert(ModelCartridge::default());
    assert_eq!(bench.st.open_again(&mut bench.drive), Ok(Opening::Open));
    assert_eq!(bench.at(), (0, 0));
    assert_eq!(bench.write(10), Ok(10));
    // Nothing waits any more.
    assert_eq!(bench.st.abandon_open(), Errno::BadDescriptor);
    assert!(bench.st.in_use());
    assert_eq!(bench.write(10), Ok(10));
}

/// ST-OPEN-07
#[test]
fn a_drive_with_endless_news_is_broken() {
    let mut bench = Bench::with(personality("generic"), ModelCartridge::default());
    bench.drive.always_news = true;
    assert_eq!(bench.open(NON_REWINDING, NONBLOCK), Err(Errno::Io));
    assert_eq!(bench.drive.asked_ready, 11);
    assert!(!bench.st.in_use());
    bench.drive.always_news = false;
    assert_eq!(bench.open(NON_REWINDING, NONBLOCK), Ok(Opening::Open));
    assert_eq!(bench.at(), (0, 0));
}

/// ST-OPEN-09
#[test]
fn a_waiting_open_keeps_others_out_and_lets_nothing_through() {
    let mut bench = empty();
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Ok(Opening::Waiting));
    assert_eq!(bench.open(REWINDING, NONBLOCK), Err(Errno::Busy));
    assert_eq!(bench.read(10), Err(Errno::BadDescriptor));
    assert_eq!(bench.st.abandon_open(), Errno::NoMedium);
    assert_eq!(bench.open(REWINDING, NONBLOCK), Ok(Opening::Open));
}

/// ST-OPEN-13
#[test]
fn a_reset_before_the_first_open_costs_nothing() {
    let mut silent = personality("lto5");
    silent.announces_medium = false;
    let mut bench = Bench::with(silent, ModelCartridge::default());
    bench.drive.reset();
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Ok(Opening::Open));
    assert_eq!(bench.at(), (-1, -1));
    assert_eq!(bench.write(10), Ok(10));
    bench.reopen();
    bench.drive.reset();
    bench.close().unwrap();
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Ok(Opening::Open));
    assert_eq!(bench.write(10), Err(Errno::Io));
}

/// ST-OPEN-16
#[test]
fn a_drive_that_is_not_ready_opens_without_blocking_and_is_neither_online_nor_open() {
    let mut bench = not_ready();
    assert_eq!(bench.open(NON_REWINDING, NONBLOCK), Ok(Opening::Open));
    assert_eq!(bench.at(), (-1, -1));
    assert!(!bench.flag(GeneralStatus::ONLINE));
    assert!(!bench.flag(GeneralStatus::DR_OPEN));
    assert_eq!(bench.read(10), Err(Errno::Io));
    assert_eq!(bench.op(Operation::Rewind, 1), Err(Errno::Io));
    bench.does(Operation::Load, 1);
    assert_eq!(bench.at(), (0, 0));
}

/// ST-OPEN-18, ST-OPEN-19, ST-OPEN-20
#[test]
fn a_drive_that_is_not_there_is_enxio_unless_nothing_is_asked_of_it() {
    let mut bench = Bench::with(personality("generic"), ModelCartridge::default());
    bench.drive.gone = true;
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Err(Errno::NoDevice));
    assert!(!bench.st.in_use());
    assert_eq!(bench.open(NON_REWINDING, NONBLOCK), Ok(Opening::Open));
    assert!(bench.flag(GeneralStatus::DR_OPEN));
    assert!(!bench.flag(GeneralStatus::ONLINE));
    assert_eq!(bench.read(10), Err(Errno::NoMedium));
    bench.close().unwrap();
    bench.drive.gone = false;
    assert_eq!(bench.open(NON_REWINDING, READ_WRITE), Ok(Opening::Open));
    assert_eq!(bench.write(10), Ok(10));
    bench.drive.fails = Some(Failed::at(Sense::NoDrive, None));
    assert_eq!(bench.op(Operation::Rewind, 1), Err(Errno::NoDevice));
}

/// ST-OPEN-17
#[test]
fn a_file_opened_to_read_without_a_medium_may_write_marks_once_one_is_loaded() {
    let mut bench = not_ready();
    let to_read = OpenFlags {
        access: AccessMode::Read,
        nonblock: true,
    };
    assert_eq!(bench.open(NON_REWINDING, to_read), Ok(Opening::Open));
    bench.does(Operation::Load, 1);
    bench.does(Operation::WriteFilemarks, 1);
}

#[test]
fn calls_without_an_open_file_are_refused() {
    let mut bench = Bench::with(personality("generic"), ModelCartridge::default());
    assert_eq!(bench.read(1), Err(Errno::BadDescriptor));
    assert_eq!(bench.write(1), Err(Errno::BadDescriptor));
    assert_eq!(bench.op(Operation::Rewind, 1), Err(Errno::BadDescriptor));
    assert_eq!(bench.close(), Err(Errno::BadDescriptor));
    assert_eq!(
        bench.st.open_again(&mut bench.drive),
        Err(Errno::BadDescriptor)
    );
}

/// ST-OPEN-10, ST-OPEN-11
#[test]
fn a_protected_medium_is_opened_to_read_or_without_blocking() {
    for (access, nonblock, expected) in [
        (AccessMode::Read, false, Ok(Opening::Open)),
        (AccessMode::Read, true, Ok(Opening::Open)),
        (AccessMode::Write, false, Err(Errno::ReadOnly)),
        (AccessMode::ReadWrite, false, Err(Errno::ReadOnly)),
        (AccessMode::Write, true, Ok(Opening::Open)),
        (AccessMode::ReadWrite, true, Ok(Opening::Open)),
    ] {
        let cartridge = ModelCartridge {
            write_protected: true,
            ..ModelCartridge::default()
        };
        let mut bench = Bench::with(personality("generic"), cartridge);
        let flags = OpenFlags { access, nonblock };
        assert_eq!(bench.open(NON_REWINDING, flags), expected, "{flags:?}");
        if expected.is_ok() {
            assert!(bench.flag(GeneralStatus::WR_PROT), "{flags:?}");
            assert_eq!(bench.write(512), Err(Errno::Access), "{flags:?}");
            assert_eq!(bench.op(Operation::Erase, 1), Err(Errno::Access));
        }
    }
}
