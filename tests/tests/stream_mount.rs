//! A stream in a FUSE mount, as the slave end of a drive is one: reads that wait, polls, and drives that wait
//! for it. Needs root and `/dev/fuse`; without them these tests fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pseudotape_chardev::CharDevice;
use pseudotape_chardev::pipe::Pipe;
use pseudotape_chardev::recorder::Recorder;
use pseudotape_dev::fuse::{self, MountOptions, Mounted, Uring};

fn open(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).open(path).expect("it opens")
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("it fails");
    error.raw_os_error().expect("a system call failed")
}

/// A mount with a drive and a stream.
struct Mount {
    directory: tempfile::TempDir,
    drive: Arc<Recorder>,
    stream: Arc<Pipe>,
    mounted: Option<Mounted>,
}

impl Mount {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let drive = Arc::new(Recorder::default());
        let stream = Arc::new(Pipe::default());
        let nodes: Vec<(String, Arc<dyn CharDevice>)> = vec![
            ("pmtm0".to_owned(), drive.clone()),
            ("pmts0".to_owned(), stream.clone()),
        ];
        let options = MountOptions {
            mode: 0o660,
            gid: None,
            drives: 1,
            apart: Default::default(),
            uring: match pseudotape_tests::uring().as_str() {
                "always" => Uring::Always,
                _ => Uring::Never,
            },
        };
        let mounted = fuse::mount(directory.path(), nodes, options, |_| {});
        Mount {
            directory,
            drive,
            stream,
            mounted: Some(mounted.expect("root can mount")),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Opens the slave end. The kernel tells the mount of a last close when it comes to it (RELEASE), so on a busy
    /// machine an open right behind a close can be busy for longer than the mount waits.
    fn slave(&self) -> File {
        let since = Instant::now();
        loop {
            let mut options = OpenOptions::new();
            match options.read(true).write(true).open(self.path("pmts0")) {
                Err(error)
                    if error.raw_os_error() == Some(libc::EBUSY) && since.elapsed() < LONG =>
                {
                    thread::sleep(Duration::from_millis(10));
                }
                opened => return opened.expect("it opens"),
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Some(mounted) = self.mounted.take() {
            mounted.unmount().expect("it can be unmounted");
        }
    }
}

/// How long a loaded machine may take for what comes soon on an idle one.
const LONG: Duration = Duration::from_secs(100);

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_read_waits_while_the_file_is_written() {
    let mount = Mount::new();
    let slave = mount.slave();
    let mut reading = slave.try_clone().expect("a second descriptor");
    let reader = thread::spawn(move || {
        let mut bytes = [0; 100];
        let length = reading.read(&mut bytes).expect("it is answered");
        bytes[..length].to_vec()
    });
    wait_until("the read came", || mount.stream.asked() == 1);
    (&slave).write_all(b"meanwhile").expect("it is taken");
    assert_eq!(mount.stream.take_written(), b"meanwhile");
    mount.stream.put(b"at last");
    assert_eq!(reader.join().expect("it was answered"), b"at last");
}

#[test]
fn bytes_are_read_in_pieces_of_any_length() {
    let mount = Mount::new();
    let mut slave = mount.slave();
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 3) as u8).collect();
    mount.stream.put(&data);
    let mut read = vec![0; 1];
    slave.read_exact(&mut read).expect("one byte");
    read.resize(2_500_000, 0);
    slave.read_exact(&mut read[1..]).expect("many bytes");
    assert!(read == data[..2_500_000]);
    // More room than there are bytes: what is there comes at once.
    let mut rest = vec![0; 4 << 20];
    let length = slave.read(&mut rest).expect("the rest");
    assert!(rest[..length] == data[2_500_000..2_500_000 + length]);
    let mut left = vec![0; 500_000 - length];
    slave.read_exact(&mut left).expect("the rest of the rest");
    assert!(left == data[3_000_000 - left.len()..]);
}

#[test]
fn a_read_that_may_not_wait_is_told_so() {
    let mount = Mount::new();
    let mut slave = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(mount.path("pmts0"))
        .expect("it opens");
    assert_eq!(errno(slave.read(&mut [0; 10])), libc::EAGAIN);
    mount.stream.put(b"now");
    assert_eq!(slave.read(&mut [0; 10]).expect("it is there"), 3);
}

#[test]
fn a_poll_waits_for_bytes_and_drives_are_always_ready() {
    let mount = Mount::new();
    let slave = mount.slave();
    let drive = open(&mount.path("pmtm0"));
    let events = PollFlags::POLLIN | PollFlags::POLLOUT;
    let ready = |file: &File, events| {
        let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(file), events)];
        poll(&mut fds, PollTimeout::from(50_u16)).expect("it can be polled");
        fds[0].revents().expect("known events")
    };
    assert_eq!(ready(&slave, events), PollFlags::POLLOUT);
    assert_eq!(ready(&slave, PollFlags::POLLIN), PollFlags::empty());
    assert_eq!(ready(&drive, events), events);
    let (stream, asked) = (mount.stream.clone(), mount.stream.asked());
    let putting = thread::spawn(move || {
        wait_until("the poll came", || stream.asked() > asked);
        stream.put(b"x");
    });
    let mut fds = [PollFd::new(
        std::os::fd::AsFd::as_fd(&slave),
        PollFlags::POLLIN,
    )];
    let count = poll(&mut fds, PollTimeout::from(60_000_u16)).expect("it can be polled");
    assert_eq!((count, fds[0].any()), (1, Some(true)));
    putting.join().expect("it put a byte");
}

#[test]
fn calls_that_wait_for_a_stream_do_not_take_its_thread() {
    let mount = Mount::new();
    mount.drive.set_waits_for(mount.stream.clone());
    let drive = open(&mount.path("pmtm0"));
    // Many more than the session has threads; the kernel lets them all come at once.
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let mut drive = drive.try_clone().expect("one more descriptor");
            thread::spawn(move || drive.read(&mut [0; 100]).expect("it is answered"))
        })
        .collect();
    let mut write = drive.try_clone().expect("one more descriptor");
    let writer = thread::spawn(move || write.write(b"record").expect("it is written"));
    // Lets most of them come. However many do, none is answered before the slave writes.
    thread::sleep(Duration::from_millis(200));
    assert!(!writer.is_finished(), "it waits for the slave");
    mount
        .slave()
        .write_all(b"go on")
        .expect("its thread is free");
    assert_eq!(writer.join().expect("no panic"), 6);
    for caller in callers {
        assert_eq!(caller.join().expect("no panic"), 0);
    }
    assert_eq!(mount.drive.take_written(), [b"record".to_vec()]);
}

#[test]
fn a_stream_has_one_opener_and_the_next_one_comes_after_its_close() {
    let mount = Mount::new();
    for _ in 0..3 {
        let slave = mount.slave();
        let second = File::open(mount.path("pmts0"));
        // EBUSY may be waited out for a moment after a close: its RELEASE comes late.
        assert_eq!(errno(second), libc::EBUSY);
        drop(slave);
    }
}

#[test]
fn an_unmount_ends_reads_that_wait() {
    let mut mount = Mount::new();
    let mut slave = mount.slave();
    let reader = thread::spawn(move || errno(slave.read(&mut [0; 10])));
    wait_until("the read came", || mount.stream.asked() == 1);
    let since = Instant::now();
    let mounted = mount.mounted.take().expect("it is mounted");
    mounted.unmount().expect("it can be unmounted");
    assert!(since.elapsed() < LONG);
    let errno = reader.join().expect("no panic");
    assert!(
        [libc::ECONNABORTED, libc::ENOTCONN, libc::ENODEV, libc::EIO].contains(&errno),
        "{errno}"
    );
    assert!(!mount.stream.is_open());
}
