//! Opening a node, examining its drive, and closing it.

mod common;

use common::{Call, Operate, Tape, at, object};
use nix::errno::Errno;
use pseudotape_device::{Access, DeviceDrive, Error};
use pseudotape_drive::Personality;
use pseudotape_mtio::Operation;
use pseudotape_tape::{
    Address, BlockLimits, Drive, EraseExtent, Mark, ObjectNumber, PartitionNumber, Partitioning,
    Sense, Transfer, Volume, WriteMode,
};
use pseudotape_testkit::SuiteMedium;

#[test]
fn limits_are_known_for_a_protected_or_a_reading_drive_too() {
    let tape = Tape::new(
        Personality::named("scsi_debug").expect("a personality"),
        SuiteMedium {
            write_protected: true,
            ..SuiteMedium::default()
        },
    );
    let mut drive = tape.drive();
    let expected = BlockLimits {
        min_bytes: 512,
        max_bytes: 1 << 20,
        granularity_bytes: 4,
    };
    assert_eq!(drive.block_limits(), expected);
    assert!(drive.mode().expect("a mode").write_protected);
    let tape = Tape::generic();
    let mut drive = tape.drive_with(Access::ReadOnly, None).expect("it works");
    assert!(drive.mode().expect("a mode").write_protected);
    let refused: [Operate; 4] = [
        |drive| drive.write(Transfer::Variable, &[1]).map(drop),
        |drive| drive.erase(EraseExtent::Short).map(drop),
        |drive| {
            drive
                .write_marks(Mark::Filemark, 1, WriteMode::Commit)
                .map(drop)
        },
        |drive| drive.make_partitions(Partitioning::Single).map(drop),
    ];
    for operate in refused {
        let failed = operate(&mut drive).expect_err("only for reading");
        assert_eq!((failed.sense, failed.count), (Sense::WriteProtected, 0));
    }
}

#[test]
fn opening_says_what_is_wrong() {
    for (errno, word) in [
        (Errno::EBUSY, "open in another program"),
        (Errno::EACCES, "no permission"),
        (Errno::EPERM, "no permission"),
        (Errno::EROFS, "no permission"),
        (Errno::ENOENT, "no tape drive there"),
        (Errno::ENXIO, "no tape drive there"),
        (Errno::ENODEV, "no tape drive there"),
        (Errno::EIO, "can't open the tape"),
    ] {
        let error = Error::of_open("/dev/nst7".as_ref(), errno).to_string();
        assert!(error.contains(word), "{error}");
        assert!(error.starts_with("/dev/nst7: "), "{error}");
    }
    let tape = Tape::generic();
    tape.refuse(Call::Status, Errno::ENOTTY);
    let error = tape
        .drive_with(Access::ReadWrite, None)
        .expect_err("it is no tape");
    assert!(matches!(
        error,
        Error::NotATape {
            errno: Errno::ENOTTY,
            ..
        }
    ));
}

#[test]
fn what_is_no_tape_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |name: &str| DeviceDrive::open(&folder.path().join(name), Access::ReadOnly);
    let error = open("nst0").expect_err("nothing there");
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    std::fs::write(folder.path().join("plain"), "a file").expect("a file");
    let error = open("plain").expect_err("a file");
    assert!(matches!(error, Error::NotATape { .. }), "{error}");
    std::fs::write(folder.path().join("pmtm3"), "a file").expect("a file");
    let error = open("pmtm3").expect_err("its name says that it rewinds");
    assert!(
        matches!(&error, Error::Rewinds { instead, .. } if *instead == folder.path().join("npmtm3")),
        "{error}"
    );
    // A path that does not exist is reported as missing.
    let error = open("pmtm4").expect_err("nothing there");
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    let error = DeviceDrive::open("/dev/null".as_ref(), Access::ReadWrite).expect_err("no tape");
    assert!(matches!(error, Error::NotATape { .. }), "{error}");
}

#[test]
fn a_drive_says_what_it_is_and_where() {
    let drive = Tape::generic().known();
    assert_eq!(drive.path(), "tape");
    assert_eq!(drive.identity().vendor, "REMOTE");
    assert!(format!("{drive:?}").contains("DeviceDrive"));
}

#[test]
fn a_close_that_fails_is_noted_unless_the_drive_is_gone() {
    for (errno, noted) in [
        (Errno::EIO, true),
        (Errno::ENODEV, false),
        (Errno::ENOMEDIUM, false),
    ] {
        let tape = Tape::generic();
        let mut drive = tape.known();
        drive.unload().expect("nothing keeps it");
        tape.refuse(Call::Operate(Operation::Tell), errno);
        let failed = drive.test_ready().expect_err("it is looked at again");
        assert_eq!(failed.sense, Sense::NoMedium);
        let trouble = drive.take_trouble();
        assert_eq!(trouble.is_some(), noted, "{trouble:?}");
        if let Some(trouble) = trouble {
            assert!(trouble.contains("closing"), "{trouble}");
        }
    }
}

#[test]
fn options_that_only_root_may_set_are_not_needed() {
    for errno in [Errno::EPERM, Errno::EINVAL, Errno::ENOSYS] {
        let tape = Tape::generic();
        tape.refuse(Call::Operate(Operation::SetDriveBuffer), errno);
        let mut drive = tape.drive_with(Access::ReadWrite, None).expect("it opens");
        assert_eq!(object(&mut drive), 0, "{errno}");
    }
}

#[test]
fn partitions_that_only_root_may_allow_are_refused() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    tape.always(Call::Operate(Operation::SetDriveBuffer), Errno::EPERM);
    for failed in [
        drive
            .make_partitions(Partitioning::SecondOf(1))
            .expect_err("not allowed"),
        drive
            .locate(Address {
                partition: Some(PartitionNumber(1)),
                object: ObjectNumber(0),
            })
            .expect_err("not allowed"),
    ] {
        assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(0)));
    }
    assert!(
        !tape
            .take_operations()
            .iter()
            .any(|(operation, _)| *operation == Operation::MakePartitions)
    );
}

/// A plain file supports reads and writes, and no request of a tape.
#[test]
fn a_node_is_system_calls_and_nothing_else() {
    use pseudotape_device::{LocalNode, TapeNode};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plain");
    let file = || {
        std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .expect("a file")
    };
    let node = LocalNode::from(file());
    assert_eq!(node.write(b"some bytes"), Ok(10));
    assert_eq!(node.write_unmarked(b"more"), Ok(4));
    assert_eq!(node.status(), Err(Errno::ENOTTY));
    assert_eq!(node.object(), Err(Errno::ENOTTY));
    assert_eq!(node.operate(Operation::Rewind, 1), Err(Errno::ENOTTY));
    assert_eq!(node.cancel_filemark(), Ok(()));
    assert_eq!(Box::new(node).close(), Ok(()));
    let node = LocalNode::from(file());
    let mut buffer = [0; 20];
    assert_eq!(node.read(&mut buffer), Ok(14));
    assert_eq!(&buffer[..14], b"some bytesmore");
    assert_eq!(node.read(&mut buffer), Ok(0));
    let read_only = LocalNode::from(std::fs::File::open(&path).expect("it is there"));
    assert_eq!(read_only.write(b"x"), Err(Errno::EBADF));
    assert_eq!(read_only.write_unmarked(b"x"), Err(Errno::EBADF));
}

#[test]
fn the_mode_needs_a_status_only_where_the_drive_is_ready() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    tape.refuse(Call::Status, Errno::EINVAL);
    let failed = drive.mode().expect_err("it is not told");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    drive.unload().expect("nothing keeps it");
    tape.refuse(Call::Status, Errno::EINVAL);
    let mode = drive.mode().expect("what is known without it");
    assert_eq!((mode.density, mode.last_partition), (0, 0));
}

#[test]
fn a_drive_that_tells_no_limits_is_taken_at_its_word() {
    let tape = Tape::generic();
    tape.always(Call::Operate(Operation::SetBlockSize), Errno::EINVAL);
    let mut drive = tape.drive();
    let largest = 1 << 24;
    assert_eq!(drive.block_limits().max_bytes, largest);
    tape.refuse(Call::Write, Errno::EINVAL);
    let failed = drive
        .write(Transfer::Variable, &vec![0; 1 << 24])
        .expect_err("longer than any");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(0)));
    assert_eq!(drive.block_limits().max_bytes, largest - 1);
}
