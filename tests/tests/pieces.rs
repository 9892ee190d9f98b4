//! System calls of real programs on a FUSE mount arrive whole, as one operation each.
//!
//! Needs root and `/dev/fuse`; without them these tests fail.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_chardev::recorder::{Event, Recorder};
use pseudotape_chardev::{CharDevice, Errno};
use pseudotape_dev::fuse::{self, MountOptions, Mounted};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PAGE: usize = 4096;

/// A mount with one drive's worth of nodes, each a recorder.
struct Mount {
    directory: tempfile::TempDir,
    device: Arc<Recorder>,
    other: Arc<Recorder>,
    mounted: Option<Mounted>,
    ended: mpsc::Receiver<String>,
}

impl Mount {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let device = Arc::new(Recorder::default());
        let other = Arc::new(Recorder::default());
        let (mounted, ended) = Self::mount(directory.path(), &device, &other);
        Mount {
            directory,
            device,
            other,
            mounted: Some(mounted),
            ended,
        }
    }

    fn mount(
        directory: &Path,
        device: &Arc<Recorder>,
        other: &Arc<Recorder>,
    ) -> (Mounted, mpsc::Receiver<String>) {
        let nodes: Vec<(String, Arc<dyn CharDevice>)> = vec![
            ("pmtm0".to_owned(), device.clone()),
            ("npmtm0".to_owned(), other.clone()),
        ];
        let options = MountOptions {
            mode: 0o660,
            gid: Some(6),
        };
        let (send, ended) = mpsc::channel();
        let mounted = fuse::mount(directory, nodes, options, move |why| {
            send.send(why).expect("the test listens");
        });
        (mounted.expect("root can mount"), ended)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("pmtm0")
    }

    fn open(&self) -> File {
        open(&self.path())
    }

    fn unmount(&mut self) {
        if let Some(mounted) = self.mounted.take() {
            mounted.unmount().expect("it can be unmounted");
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("it opens")
}

/// Memory that begins at a chosen place of a page.
struct Memory {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Memory {
    fn new(page_offset: usize, length: usize) -> Self {
        let bytes = vec![0; length + 2 * PAGE];
        let start = (PAGE - bytes.as_ptr() as usize % PAGE) % PAGE + page_offset;
        Memory {
            bytes,
            start,
            length,
        }
    }

    /// Filled with something that differs from place to place.
    fn filled(page_offset: usize, length: usize) -> Self {
        let mut memory = Self::new(page_offset, length);
        memory.get_mut().copy_from_slice(&pattern()[..length]);
        memory
    }

    fn get(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }

    fn get_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.length]
    }
}

fn pattern() -> &'static [u8] {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..17 * MIB)
            .map(|place| (place.wrapping_mul(31) >> 3) as u8 ^ place as u8)
            .collect()
    });
    &PATTERN
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result
        .expect_err("it fails")
        .raw_os_error()
        .expect("a system call failed")
}

#[test]
fn writes_of_the_table_of_sizes_are_one_record_each() {
    let mount = Mount::new();
    let mut file = mount.open();
    for length in [10, 64, 128, 256, 1024, 4096, 16 * 1024].map(|kib| kib * KIB) {
        for page_offset in [0, 100] {
            let memory = Memory::filled(page_offset, length);
            let written = file.write(memory.get()).expect("it is written");
            assert_eq!(written, length);
            let records = mount.device.take_written();
            assert_eq!(records.len(), 1, "{length} bytes at {page_offset}");
            assert!(
                records[0] == memory.get(),
                "{length} bytes at {page_offset}"
            );
        }
    }
}

#[test]
fn lengths_that_are_no_round_number_are_one_record_each() {
    let mount = Mount::new();
    let mut file = mount.open();
    let mut length = 1;
    while length < 5 * MIB {
        for page_offset in [0, 1, 4095] {
            let memory = Memory::filled(page_offset, length);
            assert_eq!(file.write(memory.get()).expect("it is written"), length);
            let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
            assert_eq!(lengths, [length]);
        }
        length = length * 3 / 2 + 1;
    }
}

#[test]
fn a_writev_is_one_record() {
    let mount = Mount::new();
    let mut file = mount.open();
    let memory = Memory::filled(3500, 300 * KIB);
    let cut = |lengths: &[usize]| {
        let mut rest = memory.get();
        let mut parts = Vec::new();
        for &length in lengths {
            let (part, behind) = rest.split_at(length);
            parts.push(IoSlice::new(part));
            rest = behind;
        }
        parts
    };
    let cases = [
        vec![64 * KIB, 64 * KIB],
        vec![100, 256 * KIB],
        vec![1; 64],
        vec![1000; 40],
        vec![1; 1000],
    ];
    for lengths in cases {
        let whole: usize = lengths.iter().sum();
        // Twice: the second one has the usual length.
        for _ in 0..2 {
            let written = file.write_vectored(&cut(&lengths)).expect("it is written");
            assert_eq!(written, whole);
            let records = mount.device.take_written();
            assert_eq!(records.len(), 1, "{lengths:?}");
            assert!(records[0] == memory.get()[..whole], "{lengths:?}");
        }
    }
}

#[test]
fn reads_with_larger_equal_and_smaller_buffers_are_exact() {
    let mount = Mount::new();
    let mut file = mount.open();
    for length in [1, 10 * KIB, 128 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB] {
        for page_offset in [0, 100] {
            for room in [length, length + 1, 2 * length, length + MIB] {
                if room > 16 * MIB {
                    continue;
                }
                mount.device.put(pattern()[..length].to_vec());
                let mut memory = Memory::new(page_offset, room);
                let read = file.read(memory.get_mut()).expect("it fits");
                assert_eq!(read, length, "room for {room}");
                assert!(memory.get()[..read] == pattern()[..length]);
            }
            if length > 1 {
                mount.device.put(pattern()[..length].to_vec());
                let mut memory = Memory::new(page_offset, length - 1);
                let read = file.read(memory.get_mut());
                assert_eq!(errno(read), libc::ENOMEM, "{length} into one less");
                assert_eq!(mount.device.left(), 0, "the record is passed over");
            }
        }
    }
}

#[test]
fn a_longer_transfer_than_the_longest_is_invalid() {
    let mount = Mount::new();
    let mut file = mount.open();
    let mut memory = Memory::new(0, 16 * MIB + 1);
    assert_eq!(errno(file.write(memory.get())), libc::EINVAL);
    assert_eq!(errno(file.read(memory.get_mut())), libc::EINVAL);
    assert!(mount.device.take_written().is_empty());
}

#[test]
fn a_readv_is_one_read() {
    let mount = Mount::new();
    let mut file = mount.open();
    let mut memory = Memory::new(3500, 40_000);
    for _ in 0..2 {
        mount.device.put(pattern()[..40_000].to_vec());
        let mut parts: Vec<_> = memory
            .get_mut()
            .chunks_mut(1000)
            .map(IoSliceMut::new)
            .collect();
        assert_eq!(file.read_vectored(&mut parts).expect("it fits"), 40_000);
        assert!(memory.get() == &pattern()[..40_000]);
    }
}

#[test]
fn an_empty_record_is_the_end_of_a_file() {
    let mount = Mount::new();
    let mut file = mount.open();
    for room in [100, 128 * KIB, MIB, 4 * MIB] {
        mount.device.put(Vec::new());
        mount.device.put(vec![1; 50]);
        let mut memory = Memory::new(0, room);
        assert_eq!(file.read(memory.get_mut()).expect("the end"), 0);
        assert_eq!(file.read(memory.get_mut()).expect("a record"), 50);
    }
}

#[test]
fn a_refused_write_of_any_length_has_its_error() {
    let mount = Mount::new();
    let mut file = mount.open();
    mount.device.set_room_bytes(9 * KIB);
    for length in [10 * KIB, 128 * KIB, MIB, 4 * MIB] {
        for page_offset in [0, 100] {
            let memory = Memory::filled(page_offset, length);
            assert_eq!(errno(file.write(memory.get())), libc::ENOSPC, "{length}");
        }
    }
    assert_eq!(file.write(&[1; 9 * KIB]).expect("it fits"), 9 * KIB);
    assert_eq!(mount.device.take_written().len(), 1);
}

#[test]
fn an_error_that_could_not_be_told_fails_the_next_write() {
    let mount = Mount::new();
    let mut file = mount.open();
    let memory = Memory::filled(0, 4 * MIB);
    mount.device.fail_next_write(Errno::EIO);
    let short = file.write(memory.get()).expect("pieces were acknowledged");
    assert!(short < 4 * MIB);
    assert_eq!(errno(file.write(memory.get())), libc::EIO);
}

#[test]
fn an_error_that_could_not_be_told_comes_at_close() {
    let mount = Mount::new();
    let memory = Memory::filled(0, 4 * MIB);
    let mut file = mount.open();
    mount.device.fail_next_write(Errno::EIO);
    let short = file.write(memory.get()).expect("pieces were acknowledged");
    assert!(short < 4 * MIB);
    assert_eq!(nix::unistd::close(file), Err(nix::errno::Errno::EIO));
}

#[test]
fn appending_opens_write_one_record_each() {
    let mount = Mount::new();
    let mut file = OpenOptions::new()
        .append(true)
        .open(mount.path())
        .expect("it opens");
    for length in [512, 512, MIB, MIB, 3 * MIB, 10 * KIB] {
        let memory = Memory::filled(100, length);
        assert_eq!(file.write(memory.get()).expect("it is written"), length);
        let aligned = Memory::filled(0, length);
        assert_eq!(file.write(aligned.get()).expect("it is written"), length);
        let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
        assert_eq!(lengths, [length, length]);
    }
}

#[test]
fn threads_on_one_open_file_write_whole_records() {
    let mount = Mount::new();
    let file = mount.open();
    thread::scope(|scope| {
        for number in 1..=3_u8 {
            let file = &file;
            scope.spawn(move || {
                let data = vec![number; 3 * MIB + usize::from(number)];
                for _ in 0..5 {
                    let written = { file }.write(&data).expect("it is written");
                    assert_eq!(written, data.len());
                }
            });
        }
    });
    let records = mount.device.take_written();
    assert_eq!(records.len(), 15);
    for record in records {
        let number = record[0];
        assert_eq!(record.len(), 3 * MIB + usize::from(number));
        assert!(
            record.iter().all(|byte| *byte == number),
            "one writer's data"
        );
    }
}

#[test]
fn a_slow_device_does_not_hold_up_another_one() {
    let mount = Mount::new();
    mount.device.set_delay(Duration::from_secs(2));
    let mut slow = mount.open();
    let writer = thread::spawn(move || slow.write(b"slowly").expect("it is written"));
    thread::sleep(Duration::from_millis(200));
    let since = Instant::now();
    let mut other = open(&mount.directory.path().join("npmtm0"));
    other.write_all(b"at once").expect("it is written");
    assert!(since.elapsed() < Duration::from_secs(1));
    assert_eq!(mount.other.take_written(), [b"at once".to_vec()]);
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

/// Waits until such a call has reached the device.
fn wait_for(mount: &Mount, wanted: impl Fn(&Event) -> bool) {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(20) {
        if mount.device.take_events().iter().any(&wanted) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("it did not come");
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
    mount.device.set_check_delay(Duration::from_millis(300));
    let mut child = dd_record(&mount, 16 * MIB);
    wait_for_check(&mount);
    signal(&child, nix::sys::signal::Signal::SIGKILL);
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    let since = Instant::now();
    while mount.device.open_count() > 0 && since.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(mount.device.open_count(), 0, "its file is closed");
    assert!(mount.device.take_written().is_empty());
    // The next one writes as usual.
    mount.device.set_check_delay(Duration::ZERO);
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
    mount.device.set_check_delay(Duration::from_millis(200));
    let child = dd_record(&mount, 8 * MIB);
    wait_for_check(&mount);
    signal(&child, nix::sys::signal::Signal::SIGUSR1);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
    assert_eq!(lengths, [8 * MIB]);
}

#[test]
fn a_waiting_open_ends_by_a_signal() {
    let mount = Mount::new();
    mount.device.set_not_ready(Duration::from_secs(60));
    let mut child = dd_record(&mount, 512);
    wait_for_open(&mount);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(child.try_wait().expect("it can be asked"), None, "it waits");
    let since = Instant::now();
    signal(&child, nix::sys::signal::Signal::SIGTERM);
    assert!(!child.wait().expect("it ends").success());
    assert!(since.elapsed() < Duration::from_secs(5));
    assert!(mount.device.take_events().contains(&Event::AbandonOpen));
}

#[test]
fn a_waiting_open_goes_on_when_the_device_is_ready() {
    let mount = Mount::new();
    mount.device.set_not_ready(Duration::from_secs(60));
    let mut child = dd_record(&mount, 512);
    wait_for_open(&mount);
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
    assert_eq!(names, ["npmtm0", "pmtm0"]);
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
    assert!(mount.ended.try_recv().is_err(), "it was asked to end");
}

#[test]
fn a_write_in_hand_is_finished_before_unmounting() {
    let mut mount = Mount::new();
    mount.device.set_delay(Duration::from_millis(300));
    let mut file = mount.open();
    let writer = thread::spawn(move || file.write(&vec![1; 4 * MIB]).expect("it is written"));
    wait_for_check(&mount);
    mount.unmount();
    assert_eq!(writer.join().expect("it ends"), 4 * MIB);
    assert_eq!(mount.device.take_written().len(), 1);
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
        let (mounted, ended) = Mount::mount(mount.directory.path(), &mount.device, &mount.other);
        mount.mounted = Some(mounted);
        mount.ended = ended;
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
    let why = mount.ended.recv_timeout(Duration::from_secs(10));
    assert!(why.expect("it is told").contains("was unmounted"));
    mount.unmount();
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
