//! The life of a FUSE mount: slow and waiting devices, killed callers, ends and new beginnings.
//!
//! Needs root and `/dev/fuse`; without them these tests fail.

mod recorded;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_chardev::CharDevice;
use pseudotape_chardev::recorder::{Event, Recorder};
use pseudotape_dev::fuse::{self, MountOptions, Mounted, Uring};
use recorded::{Mount, errno, open};

const MIB: usize = 1 << 20;

/// How long a loaded machine may take for what comes soon on an idle one.
const LONG: Duration = Duration::from_secs(100);

#[test]
fn a_slow_device_does_not_hold_up_another_one() {
    let mount = Mount::new();
    let held = mount.device.hold();
    let mut slow = mount.open();
    let writer = thread::spawn(move || slow.write(b"slowly").expect("it is written"));
    wait_until("the slow write came", || held.calls() == 1);
    let mut other = open(&mount.directory.path().join("pmtm1"));
    let quick = thread::spawn(move || other.write_all(b"at once").expect("it is written"));
    wait_until("the other one is written", || quick.is_finished());
    assert!(!writer.is_finished(), "the slow one waits");
    assert_eq!(mount.other.take_written(), [b"at once".to_vec()]);
    drop(held);
    quick.join().expect("no panic");
    writer.join().expect("the slow one is written too");
}

fn dd(arguments: &[String]) -> Child {
    Command::new("dd")
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .expect("dd is installed")
}

fn dd_record(mount: &Mount, length: usize) -> Child {
    dd(&[
        "if=/dev/zero".to_owned(),
        format!("of={}", mount.path().display()),
        format!("bs={length}"),
        "count=1".to_owned(),
    ])
}

fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, signal).expect("it is our child");
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LONG, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until such a call has reached the device.
fn wait_for(mount: &Mount, wanted: impl Fn(&Event) -> bool) {
    wait_until("the call came", || {
        mount.device.take_events().iter().any(&wanted)
    });
}

fn wait_for_check(mount: &Mount) {
    wait_for(mount, |event| matches!(event, Event::CheckWrite(_)));
}

fn wait_for_open(mount: &Mount) {
    wait_for(mount, |event| matches!(event, Event::Open { .. }));
}

#[test]
fn a_writer_killed_in_mid_call_leaves_no_part_of_a_record() {
    let mount = Mount::new();
    let held = mount.device.hold();
    let mut child = dd_record(&mount, 16 * MIB);
    wait_for_check(&mount);
    signal(&child, nix::sys::signal::Signal::SIGKILL);
    // The kernel lets the process die only when the piece that it waits for is answered.
    drop(held);
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    wait_until("its file is closed", || mount.device.open_count() == 0);
    let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
    // Over io_uring each further piece is handed over before the kernel looks whether its caller lives: then the record
    // is whole, as a tape's is whose writer is killed.
    let whole = recorded::uring() == Uring::Always && lengths == [16 * MIB];
    assert!(lengths.is_empty() || whole, "{lengths:?}");
    // The next one writes as usual.
    assert!(
        dd_record(&mount, 16 * MIB)
            .wait()
            .expect("it ends")
            .success()
    );
    let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
    assert_eq!(lengths, [16 * MIB]);
}

#[test]
fn a_signal_in_mid_call_leaves_the_record_whole() {
    let mount = Mount::new();
    let held = mount.device.hold();
    let child = dd_record(&mount, 8 * MIB);
    wait_for_check(&mount);
    signal(&child, nix::sys::signal::Signal::SIGUSR1);
    drop(held);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
    assert_eq!(lengths, [8 * MIB]);
}

#[test]
fn a_waiting_open_ends_by_a_signal() {
    let mount = Mount::new();
    mount.device.set_not_ready(10 * LONG);
    let mut child = dd_record(&mount, 512);
    wait_for_open(&mount);
    // However long this is, the open still waits: only the time limit of the device would end it.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(child.try_wait().expect("it can be asked"), None, "it waits");
    let since = Instant::now();
    signal(&child, nix::sys::signal::Signal::SIGTERM);
    assert!(!child.wait().expect("it ends").success());
    assert!(since.elapsed() < LONG);
    assert!(mount.device.take_events().contains(&Event::AbandonOpen));
}

#[test]
fn a_waiting_open_goes_on_when_the_device_is_ready() {
    let mount = Mount::new();
    mount.device.set_not_ready(10 * LONG);
    let mut child = dd_record(&mount, 512);
    wait_for_open(&mount);
    // Mostly it waits by then; an open that comes later finds the device ready.
    thread::sleep(Duration::from_millis(100));
    mount.device.set_ready();
    assert!(child.wait().expect("it ends").success());
    assert_eq!(mount.device.take_written(), [vec![0; 512]]);
}

#[test]
fn a_file_is_free_as_soon_as_close_returned() {
    let mount = Mount::new();
    mount.device.set_open_max(1);
    for _ in 0..300 {
        drop(mount.open());
    }
    let held = mount.open();
    let second = OpenOptions::new().read(true).open(mount.path());
    assert_eq!(errno(second), libc::EBUSY);
    drop(held);
}

#[test]
fn files_have_the_mode_and_group_that_were_asked_for() {
    let mount = Mount::new();
    let metadata = std::fs::metadata(mount.path()).expect("it is there");
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o660);
    assert_eq!(metadata.gid(), 6);
    let mut names: Vec<OsString> = std::fs::read_dir(mount.directory.path())
        .expect("it can be listed")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["npmtm0", "npmtm1", "pmtm0", "pmtm1"]);
}

#[test]
fn files_are_what_a_tape_is_as_far_as_a_file_can() {
    let mount = Mount::new();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_SYNC)
        .open(mount.path())
        .expect("flags that mean nothing to a tape are taken");
    assert_eq!(errno(file.write_at(b"x", 5)), libc::ESPIPE);
    assert_eq!(errno(file.sync_all()), libc::EINVAL);
    file.set_len(0).expect("there is nothing to truncate");
    let directory = mount.directory.path();
    assert_eq!(errno(File::create(directory.join("new"))), libc::EPERM);
    assert_eq!(errno(std::fs::remove_file(mount.path())), libc::EPERM);
    let missing = File::open(directory.join("pmtm9"));
    assert_eq!(errno(missing), libc::ENOENT);
}

#[test]
fn unmounting_closes_what_is_open_and_its_callers_get_an_error_at_once() {
    let mut mount = Mount::new();
    let mut file = mount.open();
    file.write_all(b"data").expect("it is written");
    mount.unmount();
    assert_eq!(mount.device.open_count(), 0);
    assert_eq!(errno(file.write(b"more")), libc::ENOTCONN);
    drop(file);
    let left = std::fs::read_dir(mount.directory.path()).expect("it is a plain directory");
    assert_eq!(left.count(), 0);
}

#[test]
fn a_write_in_hand_is_finished_before_unmounting() {
    let mut mount = Mount::new();
    // A machine that is slower than this unmounts when nothing is in hand any more, which passes too.
    mount.device.set_delay(Duration::from_millis(300));
    let mut file = mount.open();
    let writer = thread::spawn(move || file.write(&vec![1; 4 * MIB]).expect("it is written"));
    wait_for_check(&mount);
    mount.unmount();
    assert_eq!(writer.join().expect("it ends"), 4 * MIB);
    assert_eq!(mount.device.take_written().len(), 1);
}

#[test]
fn a_writer_has_heard_of_each_record_that_is_written_when_the_mount_ends() {
    let mut mount = Mount::new();
    for round in 0..200 {
        let mut file = mount.open();
        let writer = thread::spawn(move || {
            let mut records = 0;
            while file.write(&[1; 512]).is_ok() {
                records += 1;
            }
            records
        });
        wait_for(&mount, |event| matches!(event, Event::Write(_)));
        mount.unmount();
        let told: usize = writer.join().expect("it ends");
        assert_eq!(mount.device.take_written().len(), told, "round {round}");
        mount.remount();
    }
}

#[test]
fn stopping_and_starting_with_open_descriptors_leaves_nothing_behind() {
    let mut mount = Mount::new();
    let mut old = Vec::new();
    for _ in 0..200 {
        let mut file = mount.open();
        file.write_all(b"data").expect("it is written");
        old.push(file);
        mount.unmount();
        mount.remount();
    }
    assert_eq!(mount.device.open_count(), 0);
    for mut file in old {
        assert_eq!(errno(file.write(b"more")), libc::ENOTCONN);
    }
    mount.open().write_all(b"data").expect("the last one lives");
    assert_eq!(mount.device.take_written().len(), 201);
}

#[test]
fn a_directory_is_not_mounted_twice() {
    let mount = Mount::new();
    let nodes: Vec<(String, Arc<dyn CharDevice>)> = Vec::new();
    let options = MountOptions {
        mode: 0o600,
        gid: None,
        drives: 2,
        apart: Default::default(),
        uring: recorded::uring(),
    };
    let Err(error) = fuse::mount(mount.directory.path(), nodes, options, |_| {}) else {
        panic!("it is mounted twice");
    };
    assert!(error.to_string().contains("already served"), "{error}");
}

#[test]
fn a_mount_that_someone_else_unmounts_says_so() {
    let mut mount = Mount::new();
    nix::mount::umount(mount.directory.path()).expect("root can unmount");
    let why = mount.ended.recv_timeout(LONG);
    assert!(why.expect("it is told").contains("was unmounted"));
    mount.unmount();
}

/// The number of a mount is free for others when somebody has unmounted it.
#[test]
fn an_end_leaves_the_mount_alone_that_has_the_number_of_its_own_now() {
    let number = |mount: &Mount| {
        let metadata = std::fs::metadata(mount.directory.path()).expect("it is served");
        metadata.dev()
    };
    let since = Instant::now();
    loop {
        let mut unmounted = Mount::new();
        let old = number(&unmounted);
        nix::mount::umount(unmounted.directory.path()).expect("root can unmount");
        let other = Mount::new();
        unmounted.ended.recv_timeout(LONG).expect("it is told");
        unmounted.unmount();
        other.open().write_all(b"data").expect("it lives");
        if number(&other) == old {
            break;
        }
        assert!(since.elapsed() < LONG, "no number is used again");
    }
}

/// A fault in a drive must not leave its caller waiting. Over io_uring only the thread that has the request can answer
/// it.
#[test]
fn a_call_that_panics_gives_its_caller_an_error() {
    let mut mount = Mount::new();
    mount.device.panic_at_next_write();
    assert_eq!(errno(mount.open().write(b"x")), libc::EIO);
    mount.open().write_all(b"goes on").expect("it is served");
    assert_eq!(mount.device.take_written(), [b"goes on".to_vec()]);
    if recorded::uring() == Uring::Never {
        // There fuser has lost a thread, and the end of the mount may tell of it.
        drop(mount.mounted.take().map(Mounted::unmount));
    }
}

/// Leaves a directory as a daemon does that was killed: mounted, and nobody answers.
fn mount_dead(directory: &Path) {
    use std::os::fd::AsRawFd;
    let device = open(Path::new("/dev/fuse"));
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    nix::mount::mount(
        Some("pseudotape"),
        directory,
        Some("fuse"),
        nix::mount::MsFlags::empty(),
        Some(options.as_str()),
    )
    .expect("root can mount");
}

#[test]
fn what_a_killed_daemon_left_mounted_is_cleared_away() {
    let directory = tempfile::tempdir().expect("a directory");
    mount_dead(directory.path());
    let dead = std::fs::metadata(directory.path());
    assert_eq!(errno(dead), libc::ENOTCONN);
    let device = Arc::new(Recorder::default());
    let (mounted, _ended) = Mount::mount(directory.path(), &device, &device);
    open(&directory.path().join("pmtm0"))
        .write_all(b"data")
        .expect("it is served");
    mounted.unmount().expect("it can be unmounted");
    let left = std::fs::read_dir(directory.path()).expect("it is a plain directory");
    assert_eq!(left.count(), 0);
}
