//! PT-03, PT-08. What becomes of a drive whose connection is slow, cut, silent or full of nonsense.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use pseudotape_bay::StTape;
use pseudotape_device::TapeNode;
use pseudotape_rmt::{Error, Limits, Reach, Remote, RmtDrive, ServerOptions, Shelf, serve};
use pseudotape_st::OpenFlags;
use pseudotape_tape::{Bare, BlockLimits, Drive, Mark, Sense, Stop, Transfer, Volume, WriteMode};
use pseudotape_testkit::{ModelCartridge, ModelDrive, block_of};

#[derive(Clone)]
struct One(StTape);

impl Shelf for One {
    fn open(&mut self, name: &[u8], flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        match name {
            b"tape" => self.0.open(false, flags),
            _ => Err(Errno::EACCES),
        }
    }
}

fn model() -> One {
    let mut drive = ModelDrive::new(pseudotape_drive::Personality::default());
    drive.insert(ModelCartridge::default());
    drive.clear_attention();
    let drive: Box<dyn Drive> = Box::new(drive);
    One(StTape::new("tape", Box::new(Bare(drive))))
}

fn remote() -> Remote {
    let mut remote = Remote::new(Reach::Unix("test".into()), "tape");
    remote.block_limits = Some(BlockLimits {
        min_bytes: 1,
        max_bytes: 16 << 20,
        granularity_bytes: 1,
    });
    remote.limits = Limits {
        connect: Duration::from_secs(60),
        reply: Duration::from_secs(60),
        long_reply: Duration::from_secs(60),
    };
    remote
}

/// A server in a thread; the other end of the connection.
fn served(mut shelf: One) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    thread::spawn(move || {
        let reader = theirs.try_clone().expect("a second handle");
        // A cut connection is what these tests are about.
        serve(reader, &theirs, &mut shelf, ServerOptions::default()).ok();
        theirs.shutdown(std::net::Shutdown::Both).ok();
    });
    ours
}

/// A wire that carries everything so much later, in order.
///
/// Its second half counts the ways there and back: how often the client sent something after it had an answer. That
/// is a number of the protocol, and no time: a machine that stands still for a while does not change it.
fn delayed(server: UnixStream, way: Duration) -> (UnixStream, Arc<Trips>) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let trips = Arc::new(Trips::default());
    let forward = |mut from: UnixStream, mut to: UnixStream, heard: fn(&Trips)| {
        let trips = Arc::clone(&trips);
        let (send, arrive) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(some) = from.read(&mut buffer) {
                heard(&trips);
                if some == 0
                    || send
                        .send((Instant::now() + way, buffer[..some].to_vec()))
                        .is_err()
                {
                    break;
                }
            }
        });
        thread::spawn(move || {
            for (when, bytes) in arrive {
                thread::sleep(when.saturating_duration_since(Instant::now()));
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
            to.shutdown(std::net::Shutdown::Write).ok();
        });
    };
    forward(
        theirs.try_clone().unwrap(),
        server.try_clone().unwrap(),
        Trips::asked,
    );
    forward(server, theirs, Trips::answered);
    (ours, trips)
}

/// Ways there and back on a wire.
#[derive(Default)]
struct Trips {
    count: AtomicU32,
    is_under_way: AtomicBool,
}

impl Trips {
    fn asked(&self) {
        if !self.is_under_way.swap(true, Ordering::SeqCst) {
            self.count.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn answered(&self) {
        self.is_under_way.store(false, Ordering::SeqCst);
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }
}

/// A wire that is cut when it has carried so many bytes to the server.
fn cut_after(server: UnixStream, bytes: usize) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let (mut from, mut to) = (theirs.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut back, mut home) = (server, theirs);
    thread::spawn(move || {
        std::io::copy(&mut back, &mut home).ok();
        home.shutdown(std::net::Shutdown::Both).ok();
    });
    thread::spawn(move || {
        let mut left = bytes;
        let mut buffer = vec![0; 4096];
        while left > 0 {
            let most = left.min(buffer.len());
            match from.read(&mut buffer[..most]) {
                Ok(some) if some > 0 && to.write_all(&buffer[..some]).is_ok() => left -= some,
                _ => break,
            }
        }
        to.shutdown(std::net::Shutdown::Both).ok();
        from.shutdown(std::net::Shutdown::Both).ok();
    });
    ours
}

fn write(drive: &mut dyn Drive, seed: u64, length: usize) -> Result<u64, pseudotape_tape::Failed> {
    drive
        .write(Transfer::Variable, &block_of(seed, length))
        .map(|done| done.position.object.0)
}

#[test]
fn latency_of_200_ms_changes_no_order_and_costs_one_way_there_and_back_a_record() {
    const WAY: Duration = Duration::from_millis(100);
    let (stream, trips) = delayed(served(model()), WAY);
    let mut drive = RmtDrive::over_unix(stream, &remote()).unwrap();
    let before = trips.count();
    let begin = Instant::now();
    for seed in 0..10 {
        assert_eq!(write(&mut drive, seed, 5000 + seed as usize), Ok(seed + 1));
    }
    let took = begin.elapsed();
    assert!(took >= 20 * WAY, "{took:?}: the delay is not there");
    // The first write asks st to forget its turns, too.
    assert_eq!(trips.count() - before, 11, "a way there and back each");
    drive
        .write_marks(Mark::Filemark, 1, WriteMode::Commit)
        .unwrap();
    drive.rewind().unwrap();
    for seed in 0..10 {
        let mut buffer = vec![0; 6000];
        let done = drive.read(Transfer::Variable, &mut buffer).unwrap();
        assert_eq!(done.position.object.0, seed + 1);
        assert_eq!(buffer[..done.bytes], block_of(seed, 5000 + seed as usize));
    }
    let done = drive.read(Transfer::Variable, &mut [0; 100]).unwrap();
    assert_eq!(done.stop, Some(Stop::Filemark));
}

#[test]
fn a_connection_that_is_cut_anywhere_leaves_whole_records_and_a_sure_position() {
    const LENGTH: usize = 3000;
    let mut lost_in_a_record = 0;
    for cut in (400..16_000).step_by(611) {
        let shelf = model();
        let stream = cut_after(served(shelf.clone()), cut);
        let Ok(mut drive) = RmtDrive::over_unix(stream, &remote()) else {
            continue;
        };
        let mut confirmed = 0;
        let failed = loop {
            match write(&mut drive, confirmed, LENGTH) {
                Ok(object) => confirmed = object,
                Err(failed) => break failed,
            }
        };
        assert_eq!(failed.sense, Sense::HardwareError, "cut at {cut}");
        assert_eq!(
            failed.position.map(|position| position.object.0),
            Some(confirmed),
            "cut at {cut}"
        );
        assert!(
            drive
                .take_trouble()
                .unwrap()
                .contains("the connection broke")
        );
        for _ in 0..2 {
            let sense = drive.rewind().unwrap_err().sense;
            assert_eq!(sense, Sense::NoDrive, "cut at {cut}");
        }
        drop(drive);

        // What the server has: every confirmed record, perhaps the one that was under way, never a part of one.
        let mut drive = RmtDrive::over_unix(served(shelf), &remote()).unwrap();
        drive.rewind().unwrap();
        let mut found = 0;
        let mut buffer = vec![0; LENGTH + 1];
        loop {
            let done = drive.read(Transfer::Variable, &mut buffer).unwrap();
            if done.stop.is_some() {
                break;
            }
            assert_eq!(
                buffer[..done.bytes],
                block_of(found, LENGTH),
                "cut at {cut}"
            );
            found += 1;
        }
        assert!(
            found == confirmed || found == confirmed + 1,
            "{found} of {confirmed}, cut at {cut}"
        );
        lost_in_a_record += u64::from(found == confirmed);
    }
    assert!(lost_in_a_record > 3, "no cut fell into a record");
}

/// A machine that stands still for longer than the limit breaks it as a silent server does, also where the server is
/// to answer. Then the test begins again with a longer limit, and the longest one decides.
#[test]
fn a_server_that_falls_silent_is_given_up_in_time() {
    let given_up = [1, 5, 60]
        .map(Duration::from_secs)
        .into_iter()
        .any(falls_silent_after_one_write);
    assert!(given_up, "the server does not answer even before that");
}

/// `false` where the server did not answer within the limit before it was to fall silent.
fn falls_silent_after_one_write(limit: Duration) -> bool {
    let shelf = model();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut server = served(shelf);
    let mut back = server.try_clone().unwrap();
    let mut home = theirs.try_clone().unwrap();
    thread::spawn(move || std::io::copy(&mut back, &mut home));
    let (silence, silent) = mpsc::channel::<()>();
    thread::spawn(move || {
        let mut buffer = vec![0; 4096];
        while silent.try_recv().is_err() {
            match theirs.read(&mut buffer) {
                Ok(some) if some > 0 => server.write_all(&buffer[..some]).unwrap(),
                _ => return,
            }
        }
        // Holds the connection, and says nothing more.
        while theirs.read(&mut buffer).is_ok_and(|some| some > 0) {}
    });
    let mut remote = remote();
    remote.limits.reply = limit;
    remote.limits.long_reply = limit;
    let Ok(mut drive) = RmtDrive::over_unix(ours, &remote) else {
        return false;
    };
    if write(&mut drive, 0, 100).is_err() {
        return false;
    }
    silence.send(()).unwrap();
    let begin = Instant::now();
    // The thread takes one more request before it looks.
    let failed = (0..3)
        .find_map(|seed| write(&mut drive, seed, 100).err())
        .unwrap();
    assert_eq!(failed.sense, Sense::HardwareError);
    assert!(begin.elapsed() >= limit, "{:?}", begin.elapsed());
    assert!(drive.take_trouble().unwrap().contains("no answer in time"));
    true
}

/// Connects to something that answers each thing it hears with one of these, and then hangs up.
fn connect_to(answers: &'static [&'static str]) -> Error {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut heard = vec![0; 4096];
        for answer in answers {
            if !theirs.read(&mut heard).is_ok_and(|some| some > 0) {
                return;
            }
            theirs.write_all(answer.as_bytes()).ok();
        }
    });
    RmtDrive::over_unix(ours, &remote()).map(drop).unwrap_err()
}

#[test]
fn what_is_no_rmt_is_told_with_what_it_said() {
    const NAMELESS: &str = "E2\nNo such file\n";
    for (answers, expected) in [
        (&[][..], "the connection ended"),
        (
            &["Welcome to nas!\n"],
            "no rmt server: it sent \"Welcome to nas!\"",
        ),
        (&["A0\nA0\n"], "it sent more than it was asked for"),
        (
            &[NAMELESS, "E6\nDevice not configured\n"],
            "refuses to open it: Device not configured",
        ),
        (
            &[NAMELESS, "A3\n", "A16\n0123456789abcdef"],
            "no status that is known here (a status of 16 bytes",
        ),
        (&[NAMELESS, "A3\n", "A16\n0123"], "the connection ended"),
        (
            &[NAMELESS, "A3\n", "A99999999\n"],
            "a status of absurd length",
        ),
        (
            &[
                NAMELESS,
                "A3\n",
                "E25\nInappropriate ioctl\n",
                "E25\nInappropriate ioctl\n",
            ],
            "not a tape",
        ),
    ] {
        let error = connect_to(answers);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_command_that_can_not_be_started_or_ends_is_named() {
    for (words, expected) in [
        (&["/nowhere/rmt"][..], "/nowhere/rmt: No such file"),
        (&["false"], "the command ended: exit status: 1"),
        (&[], "the command is empty"),
    ] {
        let words = words.iter().map(Into::into).collect();
        let remote = Remote::new(Reach::Command(words), "tape");
        let error = RmtDrive::connect(&remote).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn names_that_the_server_does_not_know_are_refused() {
    let mut remote = remote();
    remote.tape = "../tape".into();
    let error = RmtDrive::over_unix(served(model()), &remote).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused {
                errno: Errno::EACCES,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_second_client_finds_the_tape_busy() {
    let shelf = model();
    let first = RmtDrive::over_unix(served(shelf.clone()), &remote()).unwrap();
    let error = RmtDrive::over_unix(served(shelf.clone()), &remote()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused {
                errno: Errno::EBUSY,
                ..
            }
        ),
        "{error}"
    );
    drop(first);
    RmtDrive::over_unix(served(shelf), &remote()).unwrap();
}

#[test]
fn a_tcp_connection_does_the_same() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut remote = remote();
    remote.reach = Reach::Tcp(listener.local_addr().unwrap());
    let mut shelf = model();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(
            stream.try_clone().unwrap(),
            stream,
            &mut shelf,
            ServerOptions::default(),
        )
    });
    let mut drive = RmtDrive::connect(&remote).unwrap();
    assert_eq!(write(&mut drive, 1, 1 << 20), Ok(1));
    drop(drive);
    server.join().unwrap().unwrap();
}
