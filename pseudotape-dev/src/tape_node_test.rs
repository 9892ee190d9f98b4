//! Tests of a node in process, without a frontend: opens that wait, closes that fail, and where a failed close
//! is reported.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use pseudotape_chardev::{
    CallTrouble, Caller, CharDevice, Errno, Handle, IoctlRequest, Opened, Told, Unmeasured,
    WordSize,
};
use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{Access, Ahead, CreateParameters, Error, FileStore, Image, Uuid, VolumeId};
use pseudotape_mtio::{MtOp, MtPos, Operation, Width};
use pseudotape_slave::{Channel, serve};
use pseudotape_st::Node;
use pseudotape_testkit::store::{FaultyStore, StoreFault};

use crate::caller_test::Program;
use crate::slave_end::SlaveSocket;
use crate::tape_drive::TapeDrive;
use crate::tape_node::TapeNode;

const RDONLY: u32 = libc::O_RDONLY.unsigned_abs();
const RDWR: u32 = libc::O_RDWR.unsigned_abs();
const NONBLOCK: u32 = libc::O_NONBLOCK.unsigned_abs();

/// How long the frontend would wait for a medium.
const OPEN_WAIT: Duration = Duration::from_secs(7);

/// How long a loaded machine may take for what comes soon on an idle one.
const LONG: Duration = Duration::from_secs(100);

const CALLER: Caller = Caller {
    tid: 0,
    uid: 1000,
    gid: 100,
};

fn drive(specification: &str) -> Arc<TapeDrive> {
    let arguments = crate::cli::Arguments::parse_from(["pseudotape-dev", "--drive", specification]);
    let config = crate::config::read(&arguments).expect("a good specification");
    Arc::new(TapeDrive::new(0, &config.drives[0]).expect("a drive"))
}

fn node(drive: &Arc<TapeDrive>, rewinding: bool) -> TapeNode {
    let name = if rewinding { "pmtm0" } else { "npmtm0" };
    let node = Node { mode: 0, rewinding };
    TapeNode::new(Arc::clone(drive), name.into(), node, OPEN_WAIT)
}

fn make_image(path: &Path) {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(3)), 0);
    let store = FileStore::create(path).expect("a file");
    let image = Image::create(store, &parameters).expect("a new image");
    image.finish().expect("closes");
}

/// A drive with a blank image, the node that does not rewind, and the directory of the image.
fn loaded() -> (Arc<TapeDrive>, TapeNode, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tape.ptape");
    make_image(&path);
    let drive = drive(path.to_str().expect("a path of letters"));
    let node = node(&drive, false);
    (drive, node, directory)
}

fn open(node: &TapeNode, flags: u32) -> Handle {
    match node.open(flags, CALLER) {
        Ok(Opened::Open(handle)) => handle,
        other => panic!("it does not open: {other:?}"),
    }
}

fn operate(
    node: &TapeNode,
    handle: Handle,
    operation: Operation,
    count: i32,
) -> Result<i32, Errno> {
    let input = MtOp { operation, count }.encode();
    ioctl(node, handle, 0x4008_6d01, &input, WordSize::Bits64).map(|(result, _)| result)
}

fn ioctl(
    node: &TapeNode,
    handle: Handle,
    command: u32,
    input: &[u8],
    word_size: WordSize,
) -> Result<(i32, Vec<u8>), Errno> {
    let mut output = Vec::new();
    let request = IoctlRequest {
        command,
        argument: 0,
        input,
        caller: CALLER,
        word_size,
    };
    let result = node.ioctl(handle, request, &mut output)?;
    Ok((result, output))
}

#[test]
fn a_drive_is_open_once_and_free_after_its_close() {
    let (drive, node_here, _directory) = loaded();
    let other = node(&drive, true);
    let first = open(&node_here, RDWR);
    for flags in [RDWR, RDONLY, RDONLY | NONBLOCK] {
        assert_eq!(node_here.open(flags, CALLER), Err(Errno::EBUSY));
        assert_eq!(other.open(flags, CALLER), Err(Errno::EBUSY));
    }
    assert_eq!(node_here.write(first, b"still open"), Ok(10));
    assert_eq!(node_here.close(first), Ok(()));
    let second = open(&other, RDWR);
    assert_ne!(first, second, "a handle names one open file");
    // Whatever outlived its open file is refused.
    for refused in [
        node_here.read(first, &mut [0; 10]),
        node_here.write(first, b"late"),
        node_here.extend(first, b"late"),
        node_here.check_write(first, 10),
        node_here.flush(first).map(|()| 0),
        node_here.close(first).map(|()| 0),
        operate(&node_here, first, Operation::Nothing, 1).map(|_| 0),
    ] {
        assert_eq!(refused, Err(Errno::EIO));
    }
    assert_eq!(other.close(second), Ok(()));
}

#[test]
fn the_status_tells_who_has_it_open_and_what_was_moved() {
    let (drive, node, _directory) = loaded();
    assert_eq!(drive.status().open, None);
    let caller = Caller {
        tid: std::process::id(),
        uid: 42,
        gid: 42,
    };
    let Ok(Opened::Open(handle)) = node.open(RDWR, caller) else {
        panic!("it does not open");
    };
    let opener = drive.status().open.expect("it is open");
    assert_eq!((opener.pid, opener.uid), (std::process::id(), 42));
    assert_eq!(opener.node, "npmtm0");
    assert!(opener.program.is_some());
    node.write(handle, &[1; 100]).expect("takes it");
    node.write(handle, &[1; 50]).expect("takes it");
    node.extend(handle, &[1; 25]).expect("just written");
    operate(&node, handle, Operation::Rewind, 1).expect("rewinds");
    assert_eq!(node.read(handle, &mut [0; 200]), Ok(100));
    assert_eq!(node.read(handle, &mut [0; 200]), Ok(75));
    let moved = drive.status().transfer;
    assert_eq!((moved.writes, moved.written_bytes), (2, 175));
    assert_eq!((moved.reads, moved.read_bytes), (2, 175));
    node.close(handle).expect("closes");
    assert_eq!(drive.status().open, None);
    // A refused open leaves nobody either.
    assert!(
        node.open(RDWR | libc::O_DIRECT.unsigned_abs(), caller)
            .is_err()
    );
    assert_eq!(drive.status().open, None);
}

#[test]
fn o_direct_is_refused_as_the_kernel_does() {
    let (_drive, node, _directory) = loaded();
    let flags = RDWR | libc::O_DIRECT.unsigned_abs();
    assert_eq!(node.open(flags, CALLER), Err(Errno::EINVAL));
    let handle = open(&node, RDWR);
    node.close(handle).expect("closes");
}

#[test]
fn an_open_of_an_empty_drive_waits_for_a_cartridge() {
    let drive = drive("");
    let node = node(&drive, false);
    let Ok(Opened::Waiting(handle, wait)) = node.open(RDWR, CALLER) else {
        panic!("it does not wait");
    };
    assert_eq!(wait, OPEN_WAIT);
    assert_eq!(node.open(RDWR, CALLER), Err(Errno::EBUSY));
    assert_eq!(
        node.open_again(handle),
        Ok(Opened::Waiting(handle, OPEN_WAIT))
    );
    let stranger = Handle(handle.0 + 1);
    assert_eq!(node.open_again(stranger), Err(Errno(libc::ENXIO)));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tape.ptape");
    make_image(&path);
    drive.load(&path).expect("it is empty");
    assert_eq!(node.open_again(handle), Ok(Opened::Open(handle)));
    assert_eq!(node.write(handle, b"a record"), Ok(8));
    node.close(handle).expect("closes");
}

#[test]
fn an_open_that_gives_up_leaves_the_drive_free() {
    let drive = drive("");
    let node = node(&drive, false);
    let Ok(Opened::Waiting(handle, _)) = node.open(RDWR, CALLER) else {
        panic!("it does not wait");
    };
    assert_eq!(node.abandon_open(handle), Errno(libc::ENOMEDIUM));
    assert_eq!(drive.status().open, None);
    assert_eq!(node.open_again(handle), Err(Errno(libc::ENXIO)));
    // Who does not wait opens it also empty.
    let handle = open(&node, RDONLY | NONBLOCK);
    assert_eq!(node.read(handle, &mut [0; 10]), Err(Errno(libc::ENOMEDIUM)));
    node.close(handle).expect("closes");
}

#[test]
fn a_rewinding_node_is_at_the_beginning_after_its_close() {
    let (drive, stays, _directory) = loaded();
    let rewinds = node(&drive, true);
    let handle = open(&rewinds, RDWR);
    rewinds.write(handle, b"first").expect("takes it");
    rewinds.close(handle).expect("closes");
    for node in [&stays, &rewinds] {
        let handle = open(node, RDONLY);
        assert_eq!(node.read(handle, &mut [0; 10]), Ok(5));
        node.close(handle).expect("closes");
        // The first one stays behind the block, before the filemark of the close.
        if std::ptr::eq(node, &raw const stays) {
            let handle = open(node, RDONLY);
            assert_eq!(node.read(handle, &mut [0; 10]), Ok(0));
            operate(node, handle, Operation::Rewind, 1).expect("rewinds");
            node.close(handle).expect("closes");
        }
    }
}

#[test]
fn requests_are_answered_as_wide_as_they_are_asked() {
    let (_drive, node, _directory) = loaded();
    let handle = open(&node, RDWR);
    node.write(handle, b"block").expect("takes it");
    for (command, word_size, length) in [
        (0x8030_6d02, WordSize::Bits64, 48),
        (0x801c_6d02, WordSize::Bits32, 28),
        (0x8008_6d03, WordSize::Bits64, 8),
        (0x8004_6d03, WordSize::Bits32, 4),
    ] {
        let (result, output) = ioctl(&node, handle, command, &[], word_size).expect("it is known");
        assert_eq!((result, output.len()), (0, length), "{command:#x}");
    }
    let (_, place) = ioctl(&node, handle, 0x8008_6d03, &[], WordSize::Bits64).expect("known");
    let place = MtPos::decode(&place, Width::Bits64).expect("it is whole");
    assert_eq!(place.object, 1);
    assert_eq!(operate(&node, handle, Operation::Nothing, 1), Ok(0));
    // Half a request, one that nobody knows, and one that is root's.
    let half = ioctl(&node, handle, 0x4008_6d01, &[0; 4], WordSize::Bits64);
    assert_eq!(half, Err(Errno::EINVAL));
    let unknown = ioctl(&node, handle, 0x4008_6dff, &[0; 8], WordSize::Bits64);
    assert_eq!(unknown, Err(Errno::EINVAL));
    let options = operate(&node, handle, Operation::SetDriveBuffer, 0x1000_0000);
    assert_eq!(options, Err(Errno(libc::EPERM)));
    node.close(handle).expect("closes");
}

#[test]
fn a_call_of_unknown_length_is_a_block_or_a_stream_of_blocks() {
    let (_drive, node, _directory) = loaded();
    let handle = open(&node, RDWR);
    assert_eq!(
        node.unmeasured(handle),
        Unmeasured::Block {
            max_bytes: 16 << 20
        }
    );
    operate(&node, handle, Operation::SetBlockSize, 512).expect("fixed blocks");
    assert_eq!(
        node.unmeasured(handle),
        Unmeasured::Stream { block_bytes: 512 }
    );
    assert_eq!(node.check_write(handle, 1024), Ok(1024));
    assert_eq!(node.check_write(handle, 1000), Err(Errno::EINVAL));
    assert_eq!(node.max_transfer_bytes(), 16 << 20);
    assert!(!node.waits_for_others());
    node.close(handle).expect("closes");
}

#[test]
fn what_a_read_of_unknown_length_lost_is_in_the_status_and_told_once() {
    let (drive, node, _directory) = loaded();
    let trouble = CallTrouble::RestLost {
        read_bytes: 1 << 20,
        block_bytes: 2 << 20,
    };
    let handle = open(&node, RDWR);
    node.note(handle, trouble, Told::ByACall);
    let shown = drive.status().last_error.expect("it is noted");
    assert!(
        shown.contains("first 1048576 bytes of a block of 2097152"),
        "{shown}"
    );
    node.close(handle).expect("closes");

    // A call told it: the next open has no more to tell.
    let handle = open(&node, RDWR);
    node.note(handle, trouble, Told::ToNobody);
    node.close(handle).expect("closes");
    assert_eq!(node.open(RDWR, CALLER), Err(Errno::EIO));
    node.close(open(&node, RDWR)).expect("closes");
}

#[test]
fn after_the_end_nothing_begins() {
    let (drive, node, _directory) = loaded();
    let handle = open(&node, RDWR);
    node.write(handle, b"record").expect("takes it");
    drive.end().expect("it is committed");
    assert_eq!(node.write(handle, b"late"), Err(Errno::EIO));
    assert_eq!(node.open_again(handle), Err(Errno(libc::ENXIO)));
    assert_eq!(node.open(RDWR, CALLER), Err(Errno(libc::ENXIO)));
}

/// What is in the only image of a directory, a letter an object.
fn recorded(directory: &tempfile::TempDir) -> String {
    let path = directory.path().join("tape.ptape");
    let store = FileStore::open(&path, Access::ReadOnly).expect("a file");
    let (mut image, _) = Image::open(store, Access::ReadOnly).expect("an image");
    let mut recorded = String::new();
    loop {
        recorded.push(match image.skip_object().expect("it is whole") {
            Ahead::Block(_) => 'b',
            Ahead::Filemark => 'f',
            Ahead::BadBlock | Ahead::Setmark => '?',
            Ahead::EndOfData => return recorded,
        });
    }
}

#[test]
fn the_end_closes_as_a_program_would_and_says_who_was_not_done() {
    let (drive, node, directory) = loaded();
    let handle = open(&node, RDWR);
    node.write(handle, b"record").expect("takes it");
    let cut = drive.end().expect("it is committed").expect("it was cut");
    assert!(cut.starts_with("npmtm0 was still open by"), "{cut}");
    assert_eq!(recorded(&directory), "bf");
    assert_eq!(
        node.close(handle),
        Ok(()),
        "the frontend's close has nothing to do"
    );

    // Whoever only read, or has closed already, is not cut.
    let (drive, node, directory) = loaded();
    let handle = open(&node, RDWR);
    node.read(handle, &mut [0; 10]).expect_err("it is blank");
    assert_eq!(drive.end().expect("ends"), None);
    assert_eq!(recorded(&directory), "");
    let (drive, node, directory) = loaded();
    let handle = open(&node, RDWR);
    node.write(handle, b"record").expect("takes it");
    assert!(node.owes_at_close(handle));
    assert_eq!(node.close_early(handle), Ok(()));
    assert_eq!(drive.end().expect("ends"), None);
    assert_eq!(recorded(&directory), "bf");
}

/// On a FUSE mount close(2) has returned before the drive is closed: `mt`, then `pseudotape unload` was refused now
/// and then, and so was a changer script of btape.
#[test]
fn an_unload_waits_for_a_close_that_is_on_its_way() {
    let (drive, node, _directory) = loaded();
    let handle = open(&node, RDWR);
    assert!(drive.unload(false).is_err(), "it is open");
    assert_eq!(node.flush(handle), Ok(()));
    std::thread::scope(|scope| {
        let unloaded = scope.spawn(|| drive.unload(false));
        // An unload that does not wait is refused meanwhile.
        std::thread::sleep(Duration::from_millis(100));
        node.close(handle).expect("closes");
        unloaded.join().expect("no panic").expect("unloads");
    });
}

#[test]
fn a_close_that_came_too_early_leaves_no_filemark() {
    let (drive, node, directory) = loaded();
    let handle = open(&node, RDWR);
    node.write(handle, b"record").expect("takes it");
    for _ in 0..2 {
        assert_eq!(node.close_early(handle), Ok(()));
        assert_eq!(node.flush(handle), Ok(()), "a further descriptor is closed");
        assert!(!node.owes_at_close(handle), "once is enough");
        assert_eq!(node.write(handle, b"another"), Ok(7));
    }
    node.close(handle).expect("closes");
    drive.end().expect("ends");
    assert_eq!(recorded(&directory), "bbbf");
}

/// What an unload took away, a rewinding close can't rewind: the program is told before.
#[test]
fn what_a_close_is_sure_to_end_in_is_told_by_the_flush() {
    let (drive, _stays, _directory) = loaded();
    let rewinds = node(&drive, true);
    let handle = open(&rewinds, RDWR);
    rewinds.write(handle, b"record").expect("takes it");
    assert_eq!(rewinds.flush(handle), Ok(()));
    drive.reset().expect("a reset");
    let lost = rewinds.read(handle, &mut [0; 10]);
    assert_eq!(lost, Err(Errno::EIO), "the position is lost");
    let told = rewinds.flush(handle);
    let closed = rewinds.close(handle);
    assert_eq!(told.is_err(), closed.is_err(), "{told:?} {closed:?}");
    // Nobody who comes later is told again.
    let handle = open(&rewinds, RDWR);
    rewinds.close(handle).expect("closes");
}

/// st hears of it by the filemark, which it writes while close(2) is on its way.
#[test]
fn a_reset_behind_the_last_write_is_told_by_the_flush_and_by_nothing_else() {
    let (drive, node, _directory) = loaded();
    let handle = open(&node, RDWR);
    node.write(handle, b"record").expect("takes it");
    drive.reset().expect("a reset");
    assert_eq!(node.flush(handle), Err(Errno::EIO));
    assert_eq!(node.close(handle), Err(Errno::EIO));
    let handle = open(&node, RDWR);
    assert_eq!(node.write(handle, b"lost"), Err(Errno::EIO));
    operate(&node, handle, Operation::Rewind, 1).expect("the beginning is known");
    assert_eq!(node.read(handle, &mut [0; 10]), Ok(6));
    node.close(handle).expect("closes");
}

/// Partitions in stores that fail where a test tells them to.
#[derive(Clone, Default)]
struct FaultyMedium(Arc<Mutex<FaultyStore>>);

impl FaultyMedium {
    fn set_fault(&self, fault: Option<StoreFault>) {
        self.0.lock().expect("no panic").set_fault(fault);
    }
}

impl Medium for FaultyMedium {
    type Store = FaultyStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _partition: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.lock().expect("no panic").clone())
    }

    fn create(&mut self, _partition: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.lock().expect("no panic").clone())
    }
}

/// A drive that is a slave, and its socket.
struct Slaves {
    drive: Arc<TapeDrive>,
    node: TapeNode,
    socket: std::path::PathBuf,
    _listening: SlaveSocket,
    _directory: tempfile::TempDir,
}

impl Slaves {
    fn new(options: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("slave");
        let drive = drive(&format!("slave={}{options}", socket.display()));
        let side = drive.slave_side().expect("it has a slave end");
        let listening = SlaveSocket::start(side).expect("it listens");
        Slaves {
            node: node(&drive, false),
            drive,
            socket,
            _listening: listening,
            _directory: directory,
        }
    }

    /// A slave with a blank tape; it is there when this returns. The stream cuts it off.
    fn attach(&self) -> (UnixStream, FaultyMedium) {
        let medium = FaultyMedium::default();
        let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(3)), 0);
        let cartridge = Cartridge::create(medium.clone(), &parameters).expect("a new image");
        let mut drive =
            ImageDrive::new(Personality::default(), "SLAVE".into(), Overrides::default());
        assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
        drive.clear_attention();
        let stream = UnixStream::connect(&self.socket).expect("it listens");
        let channel = Channel::socket(stream.try_clone().expect("a second handle"));
        let channel = channel.expect("a channel");
        // It ends when it is cut off, which is no news here.
        std::thread::spawn(move || serve(&mut drive, channel).ok());
        self.wait_for_slave(true);
        (stream, medium)
    }

    fn wait_for_slave(&self, wanted: bool) {
        let side = self.drive.slave_side().expect("it has a slave end");
        let began = Instant::now();
        while side.is_attached() != wanted {
            assert!(began.elapsed() < LONG, "never: a slave is there: {wanted}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn cut(&self, slave: &UnixStream) {
        slave.shutdown(Shutdown::Both).expect("it is connected");
        self.wait_for_slave(false);
    }
}

#[test]
fn without_a_slave_there_is_no_drive() {
    let slaves = Slaves::new("");
    assert!(slaves.node.waits_for_others());
    for flags in [RDWR, RDONLY] {
        assert_eq!(slaves.node.open(flags, CALLER), Err(Errno(libc::ENXIO)));
        assert_eq!(slaves.drive.status().open, None);
    }
}

#[test]
fn an_open_waits_for_a_slave_and_goes_on_when_one_comes() {
    let slaves = Slaves::new(",slave-wait=60");
    let node = &slaves.node;
    let Ok(Opened::Waiting(handle, wait)) = node.open(RDWR, CALLER) else {
        panic!("it does not wait");
    };
    assert_eq!(wait, Duration::from_secs(60) + OPEN_WAIT);
    assert_eq!(node.open(RDWR, CALLER), Err(Errno::EBUSY));
    assert_eq!(node.open(RDONLY | NONBLOCK, CALLER), Err(Errno::EBUSY));
    let Ok(Opened::Waiting(again, left)) = node.open_again(handle) else {
        panic!("nobody has come");
    };
    assert!(again == handle && left <= Duration::from_secs(60));
    assert!(slaves.drive.status().open.is_some());
    let _slave = slaves.attach();
    assert_eq!(node.open_again(handle), Ok(Opened::Open(handle)));
    assert_eq!(node.write(handle, b"record"), Ok(6));
    node.close(handle).expect("closes");
}

#[test]
fn an_open_that_gave_up_waiting_for_a_slave_leaves_the_drive_free() {
    let slaves = Slaves::new(",slave-wait=60");
    let node = &slaves.node;
    let Ok(Opened::Waiting(handle, _)) = node.open(RDWR, CALLER) else {
        panic!("it does not wait");
    };
    assert_eq!(node.abandon_open(handle), Errno(libc::ENXIO));
    assert_eq!(slaves.drive.status().open, None);
    assert_eq!(node.open_again(handle), Err(Errno(libc::ENXIO)));
    assert!(matches!(
        node.open(RDWR, CALLER),
        Ok(Opened::Waiting(next, _)) if next != handle
    ));
}

#[test]
fn an_open_waits_for_a_slave_no_longer_than_configured() {
    let slaves = Slaves::new(",slave-wait=0.05");
    let node = &slaves.node;
    let began = Instant::now();
    let Ok(Opened::Waiting(handle, _)) = node.open(RDWR, CALLER) else {
        panic!("it does not wait");
    };
    let errno = loop {
        match node.open_again(handle) {
            Ok(Opened::Waiting(_, left)) => std::thread::sleep(left),
            Ok(other) => panic!("nobody has come: {other:?}"),
            Err(errno) => break errno,
        }
        assert!(began.elapsed() < LONG, "it waits for ever");
    };
    assert_eq!(errno, Errno(libc::ENXIO));
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(slaves.drive.status().open, None);
}

#[test]
fn an_error_of_a_close_is_told_to_the_next_open_that_waits() {
    let slaves = Slaves::new("");
    let (_slave, medium) = slaves.attach();
    let node = &slaves.node;
    let handle = open(node, RDWR);
    node.write(handle, b"record").expect("takes it");
    medium.set_fault(Some(StoreFault::Sync));
    let errno = node.close(handle).expect_err("it can't be committed");
    assert_eq!(errno, Errno::EIO);
    let told = slaves.drive.status().last_error.expect("it is kept");
    assert!(
        told.contains("npmtm0: close after writing failed"),
        "{told}"
    );
    assert_eq!(slaves.drive.status().open, None);
    // Who only asks for the status is not told.
    let handle = open(node, RDONLY | NONBLOCK);
    node.close(handle).expect("closes");
    assert_eq!(node.open(RDWR, CALLER), Err(errno));
    assert_eq!(slaves.drive.status().open, None);
    // It is told once.
    let handle = open(node, RDWR);
    assert_eq!(node.close(handle), Ok(()));
}

#[test]
fn a_close_that_only_read_owes_nobody_an_error() {
    let slaves = Slaves::new("");
    let (slave, _medium) = slaves.attach();
    let node = &slaves.node;
    let handle = open(node, RDWR);
    node.write(handle, b"record").expect("takes it");
    operate(node, handle, Operation::Rewind, 1).expect("rewinds");
    node.close(handle).expect("closes");
    let handle = open(node, RDONLY);
    assert_eq!(node.read(handle, &mut [0; 10]), Ok(6));
    slaves.cut(&slave);
    // Whether that close fails or not is the driver's.
    node.close(handle).ok();
    let _next = slaves.attach();
    let handle = open(node, RDWR);
    node.close(handle).expect("closes");
}

#[test]
fn what_a_write_was_told_the_next_open_is_not_told_again() {
    let slaves = Slaves::new("");
    let (slave, _medium) = slaves.attach();
    let node = &slaves.node;
    let handle = open(node, RDWR);
    node.write(handle, b"record").expect("takes it");
    slaves.cut(&slave);
    assert!(node.write(handle, b"record").is_err(), "its slave is gone");
    assert!(node.close(handle).is_err(), "its slave is gone");
    assert_eq!(slaves.drive.status().open, None);
    let _next = slaves.attach();
    let handle = open(node, RDWR);
    node.close(handle).expect("closes");
}

#[test]
fn a_slave_that_is_lost_after_a_write_is_told_to_the_next_open() {
    let slaves = Slaves::new("");
    let (slave, _medium) = slaves.attach();
    let node = &slaves.node;
    let handle = open(node, RDWR);
    node.write(handle, b"record").expect("takes it");
    slaves.cut(&slave);
    let errno = node.close(handle).expect_err("nothing was committed");
    let _next = slaves.attach();
    assert_eq!(node.open(RDWR, CALLER), Err(errno));
    let handle = open(node, RDWR);
    node.close(handle).expect("closes");
}

/// A node of a frontend that fetches what `SG_IO` points to.
fn commanded(drive: &Arc<TapeDrive>) -> TapeNode {
    node(drive, false).with_commands()
}

#[test]
fn a_drive_says_what_it_is_and_where_it_stands_and_the_record_goes_on() {
    let (drive, _, _directory) = loaded();
    let node = commanded(&drive);
    let file = open(&node, RDWR);
    assert_eq!(node.write(file, b"first"), Ok(5));
    for word_size in [WordSize::Bits64, WordSize::Bits32] {
        let mut program = Program::new(word_size);
        let inquiry = [0x12, 0, 0, 0, 96, 0];
        let sent = program.send(&node, file, &inquiry, 96).unwrap();
        assert_eq!((sent.status, sent.data[0]), (0, 1));
        assert_eq!(&sent.data[8..20], b"PSEUDO  TAPE");
        let position = [0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let sent = program.send(&node, file, &position, 20).unwrap();
        assert_eq!(sent.data[4..8], [0, 0, 0, 1]);
        assert_eq!(program.send(&node, file, &[0; 6], 0).unwrap().status, 0);
    }
    assert_eq!(node.extend(file, b" and more"), Ok(9), "the record is open");
    assert_eq!(node.close(file), Ok(()));
    let file = open(&node, RDWR);
    assert_eq!(operate(&node, file, Operation::Rewind, 1), Ok(0));
    let mut block = [0; 64];
    assert_eq!(node.read(file, &mut block), Ok(14));
    assert_eq!(&block[..14], b"first and more");
}

#[test]
fn a_drive_refuses_by_sense_what_would_move_or_change_it() {
    let (drive, _, _directory) = loaded();
    let node = commanded(&drive);
    let file = open(&node, RDWR);
    assert_eq!(node.write(file, b"kept"), Ok(4));
    let mut program = Program::new(WordSize::Bits64);
    // REWIND, WRITE FILEMARKS, ERASE, LOAD UNLOAD, LOCATE, MODE SELECT, RESERVE, PREVENT REMOVAL.
    for code in [0x01, 0x10, 0x19, 0x1b, 0x2b, 0x15, 0x16, 0x1e] {
        let mut cdb = [0; 10];
        cdb[0] = code;
        let sent = program.send(&node, file, &cdb, 0).unwrap();
        assert_eq!(sent.reason(), [5, 0x20, 0], "{code:02x}");
    }
    let position = [0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let sent = program.send(&node, file, &position, 20).unwrap();
    assert_eq!(sent.data[4..8], [0, 0, 0, 1], "nothing has moved");
}

#[test]
fn a_command_tells_of_a_drive_without_a_cartridge() {
    let drive = drive("");
    let node = commanded(&drive);
    let file = open(&node, RDONLY | NONBLOCK);
    let mut program = Program::new(WordSize::Bits64);
    let sent = program.send(&node, file, &[0; 6], 0).unwrap();
    assert_eq!(sent.reason(), [2, 0x3a, 0]);
}

#[test]
fn commands_are_for_root_and_for_nodes_that_can_carry_them() {
    let (drive, plain, _directory) = loaded();
    let with = commanded(&drive);
    let file = open(&with, RDWR);
    let mut program = Program::new(WordSize::Bits64);
    program.caller = CALLER;
    let refused = program.send(&with, file, &[0; 6], 0);
    assert_eq!(refused, Err(Errno(libc::EPERM)), "as st has it");
    let version = program.put(&[0; 4]);
    assert_eq!(program.ioctl(&with, file, 0x2282, version), Ok(0));
    // A file of a mount can't carry the answer.
    program.caller = Caller::default();
    let refused = program.ioctl(&plain, file, 0x2282, version);
    assert_eq!(refused, Err(Errno::EINVAL));
    assert_eq!(program.send(&plain, file, &[0; 6], 0), Err(Errno::EINVAL));
}
