use pseudotape_mtio::{MtOp, Operation};
use pseudotape_st::{Caller, Errno, Node, Options};

use crate::bench::{Bench, NON_REWINDING, NONBLOCK, READ_WRITE, ROOT};

/// ST-OP-03
#[test]
fn without_a_medium_an_unknown_operation_is_enomedium() {
    let mut bench = Bench::open_blank("generic");
    assert_eq!(
        bench.op(Operation::Unsupported(99), 1),
        Err(Errno::NotImplemented)
    );
    bench.close().unwrap();
    bench.drive.eject();
    bench.open(NON_REWINDING, NONBLOCK).unwrap();
    assert_eq!(
        bench.op(Operation::Unsupported(99), 1),
        Err(Errno::NoMedium)
    );
    assert_eq!(bench.op(Operation::Tell, 1), Err(Errno::NoMedium));
}

/// ST-OP-05
#[test]
fn requests_of_other_devices_are_invalid_and_give_back_what_was_read_ahead() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    assert_eq!(bench.write(2048), Ok(2048));
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read_length(100), Ok(100));
    for request in [0x1234, 0x2285, 0x5401, 0x8030_6d04] {
        let answer = bench.st.other_ioctl(&mut bench.drive, request, ROOT);
        assert_eq!(answer, Errno::Invalid);
    }
    let mut buffer = [0; 512];
    assert_eq!(bench.st.read(&mut bench.drive, &mut buffer), Ok(512));
    assert_eq!(
        bench.at(),
        (0, 2),
        "the rest of the first block was dropped"
    );
    // MTIOCTOP with a structure of another size.
    let answer = bench.st.other_ioctl(&mut bench.drive, 0x4004_6d01, ROOT);
    assert_eq!(answer, Errno::Invalid);
}

/// ST-OP-01
#[test]
fn options_need_privilege_even_without_a_medium() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::Unload, 1);
    let op = MtOp {
        operation: Operation::SetDriveBuffer,
        count: 1,
    };
    let anyone = Caller { privileged: false };
    let answer = bench.st.op(&mut bench.drive, op, anyone);
    assert_eq!(answer, Err(Errno::Perm));
}

/// ST-OP-04 ST-OP-05
#[test]
fn an_operation_with_a_structure_of_another_size_is_invalid_before_anything_else() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    assert_eq!(bench.write(1024), Ok(1024));
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read_length(100), Ok(100));
    let ask = |bench: &mut Bench, request| bench.st.other_ioctl(&mut bench.drive, request, ROOT);
    assert_eq!(ask(&mut bench, 0x4004_6d01), Errno::Invalid);
    assert_eq!(
        bench.read_length(412),
        Ok(412),
        "the rest of the block waits on"
    );
    bench.close().unwrap();

    let other_mode = Node {
        mode: 2,
        rewinding: false,
    };
    bench.open(other_mode, NONBLOCK).unwrap();
    assert_eq!(ask(&mut bench, 0x4004_6d01), Errno::Invalid);
    for request in [0x4004_6d02, 0x4004_6e01, 0x2285] {
        assert_eq!(ask(&mut bench, request), Errno::NoDevice, "{request:#x}");
    }
}

/// ST-STAT-01
#[test]
fn a_snapshot_shows_what_is_known_without_asking_the_drive() {
    let mut bench = Bench::open_blank("generic");
    bench.write_blocks(2);
    bench.does(Operation::WriteFilemarks, 1);
    bench.write_blocks(1);
    bench.drive.told.clear();
    let snapshot = bench.st.snapshot();
    assert_eq!((snapshot.file, snapshot.block), (Some(1), Some(1)));
    assert_eq!(snapshot.partition, 0);
    assert_eq!(snapshot.options, Options::default().booleans);
    assert_eq!(snapshot.last_error, None);
    assert_eq!(snapshot.open, Some((NON_REWINDING, READ_WRITE)));
    bench.does(Operation::Rewind, 1);
    let snapshot = bench.st.snapshot();
    assert_eq!((snapshot.file, snapshot.block), (Some(0), Some(0)));
    bench.does(Operation::Seek, 1);
    bench.drive.reset();
    assert_eq!(bench.read_length(10), Err(Errno::Io));
    assert_eq!(bench.read_length(10), Err(Errno::Io));
    let snapshot = bench.st.snapshot();
    assert_eq!((snapshot.file, snapshot.block), (None, None));
    assert_eq!(
        snapshot.last_error.as_deref(),
        Some("the drive was reset: position lost until rewind")
    );
    assert_eq!(bench.drive.told.len(), 2, "one read, one filemark");
}

#[test]
fn errnos_have_the_numbers_of_linux() {
    for (errno, number, name) in [
        (Errno::Perm, 1, "EPERM"),
        (Errno::Io, 5, "EIO"),
        (Errno::NoDevice, 6, "ENXIO"),
        (Errno::BadDescriptor, 9, "EBADF"),
        (Errno::NoMemory, 12, "ENOMEM"),
        (Errno::Access, 13, "EACCES"),
        (Errno::Busy, 16, "EBUSY"),
        (Errno::Invalid, 22, "EINVAL"),
        (Errno::NoSpace, 28, "ENOSPC"),
        (Errno::ReadOnly, 30, "EROFS"),
        (Errno::NotImplemented, 38, "ENOSYS"),
        (Errno::NoMedium, 123, "ENOMEDIUM"),
    ] {
        assert_eq!((errno.code(), errno.name()), (number, name));
    }
}

#[test]
fn what_only_a_caller_did_wrong_is_no_error_of_the_drive() {
    let mut bench = Bench::open_blank("generic");
    assert_eq!(bench.op(Operation::Tell, 1), Err(Errno::NotImplemented));
    assert_eq!(bench.op(Operation::ForwardFilemarks, 1), Err(Errno::Io));
    assert_eq!(bench.read_length(10), Err(Errno::Io));
    assert_eq!(bench.st.snapshot().last_error, None);
}

/// ST-OP-06
#[test]
fn raw_commands_need_privilege() {
    let mut bench = Bench::open_blank("generic");
    let anyone = Caller { privileged: false };
    for request in [0x2285, 1, 0x5393] {
        let answer = bench.st.other_ioctl(&mut bench.drive, request, anyone);
        assert_eq!(answer, Errno::Perm, "{request:#x}");
        let answer = bench.st.other_ioctl(&mut bench.drive, request, ROOT);
        assert_eq!(answer, Errno::Invalid, "{request:#x}");
    }
    let answer = bench.st.other_ioctl(&mut bench.drive, 0x1234, anyone);
    assert_eq!(answer, Errno::Invalid);
}
