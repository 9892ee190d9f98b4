//! Work that takes long is given up when the daemon is asked to end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use pseudotape_chardev::{Caller, CharDevice, Errno, Handle, IoctlRequest, Opened, WordSize};
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::config;
use pseudotape_dev::tape_drive::TapeDrive;
use pseudotape_dev::tape_node::TapeNode;
use pseudotape_image::{Access, CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_mtio::{MtOp, Operation};
use pseudotape_st::Node;

const CALLER: Caller = Caller {
    tid: 0,
    uid: 1000,
    gid: 100,
};

fn filemarks(node: &TapeNode, handle: Handle, count: i32) -> Result<i32, Errno> {
    let operation = Operation::WriteFilemarks;
    let input = MtOp { operation, count }.encode();
    let request = IoctlRequest {
        command: 0x4008_6d01,
        argument: 0,
        input: &input,
        caller: CALLER,
        word_size: WordSize::Bits64,
    };
    node.ioctl(handle, request, &mut Vec::new())
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).expect("it is there").len()
}

#[test]
fn the_end_of_the_daemon_does_not_wait_for_marks_without_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tape.ptape");
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(3)), 0);
    let store = FileStore::create(&path).expect("a file");
    Image::create(store, &parameters).expect("a new image");
    let named = path.to_str().expect("a path of letters");
    let arguments = Arguments::parse_from(["pseudotape-dev", "--drive", named]);
    let config = config::read(&arguments).expect("a good specification");
    let drive = Arc::new(TapeDrive::new(0, &config.drives[0]).expect("a drive"));
    let node = Node {
        mode: 0,
        rewinding: false,
    };
    let node = TapeNode::new(Arc::clone(&drive), "npmtm0".into(), node, Duration::ZERO);
    let handle = match node.open(2, CALLER) {
        Ok(Opened::Open(handle)) => handle,
        other => panic!("it does not open: {other:?}"),
    };
    let work = std::thread::spawn(move || filemarks(&node, handle, i32::MAX));
    let empty = length(&path);
    let given_up = Instant::now() + Duration::from_secs(100);
    while length(&path) < empty + 100_000 {
        assert!(Instant::now() < given_up, "no mark is written");
        std::thread::yield_now();
    }
    drive.end().expect("commits and closes");
    assert_eq!(work.join().expect("no panic"), Err(Errno::EIO));
    let store = FileStore::open(&path, Access::ReadOnly).expect("it is free");
    let (image, report) = Image::open(store, Access::ReadOnly).expect("an image");
    assert!(report.is_clean(), "{report}");
    let (files, _) = image.mark_counts();
    assert!((2000..0x00ff_ffff).contains(&files), "{files} marks");
}

/// What takes long in an opening is the reading, and each read asks whether the daemon ends.
#[test]
fn a_load_is_given_up_when_the_daemon_ends_and_holds_no_lock_meanwhile() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tape.ptape");
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(3)), 0);
    let store = FileStore::create(&path).expect("a file");
    drop(Image::create(store, &parameters).expect("a new image"));
    let arguments = Arguments::parse_from(["pseudotape-dev", "--drive", ""]);
    let config = config::read(&arguments).expect("a good specification");
    let ends = Arc::new(AtomicBool::new(false));
    let drive = TapeDrive::new_until(0, &config.drives[0], Arc::clone(&ends)).expect("a drive");
    drive.load(&path).expect("it loads");
    drive.unload(false).expect("it unloads");
    ends.store(true, Ordering::SeqCst);
    let refused = drive.load(&path).expect_err("nobody waits");
    let text = format!("{refused:#}");
    assert!(text.contains("given up"), "{text}");
    assert!(text.contains("tape.ptape"), "{text}");
    // Neither the image nor the drive was left in use.
    drive.end().expect("it is empty");
    FileStore::open(&path, Access::ReadWrite).expect("it is free");
}
