//! Slaves that attach, die, time out, attach twice or violate the protocol never cause a hang, a crash or a
//! wrong result.

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use common::raw::{DONE, FAILED, RawSlave, WORKING, WRITE, message, outcome, read_request, reseal};
use common::{LONG, greet, master, on_socket, serve_in_thread};
use pseudotape_drive::Personality;
use pseudotape_slave::{
    AttachError, Channel, Options, ServeError, ServeOptions, SlaveDrive, SlaveListener, SlavePort,
    StreamError, StreamRead, WithoutSlave,
};
use pseudotape_tape::{
    Drive, EraseExtent, LoadKind, Mark, ModeSelect, Motion, ObjectNumber, Sense, SpaceUnit,
    Transfer, Volume, WriteMode,
};
use pseudotape_testkit::{ModelCartridge, ModelDrive, SharedDrive, block_of};

fn model() -> Box<dyn Drive> {
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(ModelCartridge::default());
    Box::new(drive)
}

/// A slave of bare bytes, after its unit attentions have been reported.
fn raw(options: Options) -> (SlaveDrive, SlavePort, RawSlave) {
    let (mut drive, port) = master(options);
    let mut slave = RawSlave::attached(&port);
    thread::scope(|scope| {
        scope.spawn(|| slave.rewound());
        greet(&mut drive);
    });
    (drive, port, slave)
}

/// Runs a test of the timeout of a silent slave.
///
/// A machine that stands still for longer than the timeout breaks it for a good slave too. Then the test begins again
/// with a longer one, and the longest one decides. They are shorter than the time for a greeting, which is a limit too.
fn with_timeout(test: impl Fn(Duration) + RefUnwindSafe) {
    for silence in [1, 4].map(Duration::from_secs) {
        if catch_unwind(|| test(silence)).is_ok() {
            return;
        }
    }
    test(Duration::from_secs(9));
}

fn silent_for(silence: Duration) -> Options {
    Options {
        silence,
        ..Options::default()
    }
}

/// PT-06: no slave.
#[test]
fn without_a_slave_nothing_answers() {
    let (mut drive, port) = master(Options::default());
    let senses = [
        drive.test_ready().unwrap_err().sense,
        drive.mode().unwrap_err().sense,
        drive.set_mode(ModeSelect::default()).unwrap_err().sense,
        drive
            .read(Transfer::Variable, &mut [0; 9])
            .unwrap_err()
            .sense,
        drive.write(Transfer::Variable, &[0; 9]).unwrap_err().sense,
        drive.extend(&[0; 9]).unwrap_err().sense,
        drive
            .write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .unwrap_err()
            .sense,
        drive.space(SpaceUnit::Blocks, 1).unwrap_err().sense,
        drive.rewind().unwrap_err().sense,
        drive.load(LoadKind::Load).unwrap_err().sense,
        drive.unload().unwrap_err().sense,
        drive.erase(EraseExtent::Short).unwrap_err().sense,
        drive.position().unwrap_err().sense,
        drive.capacity().unwrap_err().sense,
    ];
    assert_eq!(senses, [Sense::NoDrive; 14]);
    assert_eq!(drive.known_position(), None);
    assert_eq!(drive.identity().product, "SLAVE");
    assert!(!port.is_attached());
    assert!(!port.wait_attached(Duration::from_millis(1)));
}

/// PT-06: a master that waits.
#[test]
fn a_drive_that_waits_for_a_slave_is_not_ready() {
    let (mut drive, port) = master(Options {
        without_slave: WithoutSlave::NotReady,
        ..Options::default()
    });
    assert_eq!(drive.test_ready().unwrap_err().sense, Sense::NotReady);
    assert_eq!(drive.rewind().unwrap_err().sense, Sense::NoDrive);
    let _served = on_socket(&port, model(), ServeOptions::default());
    greet(&mut drive);
    assert_eq!(drive.test_ready(), Ok(()));
}

#[test]
fn a_new_slave_is_told_once_and_stands_at_its_beginning() {
    let (mut drive, port) = master(Options::default());
    let mut served = model();
    while served.test_ready().is_err() {}
    served.write(Transfer::Variable, b"before").unwrap();
    let _served = on_socket(&port, served, ServeOptions::default());
    // MODE SENSE reports no unit attention.
    drive.mode().unwrap();
    assert_eq!(
        drive.write(Transfer::Variable, b"x").unwrap_err().sense,
        Sense::Reset
    );
    let changed = drive.write(Transfer::Variable, b"x").unwrap_err();
    assert_eq!(changed.sense, Sense::MediumChanged);
    assert_eq!(
        drive.known_position().map(|at| at.object),
        Some(ObjectNumber(0))
    );
    let mut buffer = [0; 16];
    let read = drive.read(Transfer::Variable, &mut buffer).unwrap();
    assert_eq!(&buffer[..read.bytes], b"before");
}

#[test]
fn what_a_slave_recovered_is_counted_by_its_master() {
    let slave = SharedDrive::new(ModelDrive::new(Personality::default()));
    slave.lock().insert(ModelCartridge::default());
    let (mut drive, port) = master(Options::default());
    let _served = on_socket(&port, Box::new(slave.clone()), ServeOptions::default());
    greet(&mut drive);
    slave.lock().recover();
    drive.write(Transfer::Variable, b"one").unwrap();
    drive.write(Transfer::Variable, b"two").unwrap();
    slave.lock().recover();
    drive.rewind().unwrap();
    slave.lock().recover();
    drive.read(Transfer::Variable, &mut [0; 3]).unwrap();
    assert_eq!(drive.take_recovered(), 3);
    assert_eq!(drive.take_recovered(), 0);
}

/// PT-06: a slave dies in the middle of a write.
#[test]
fn a_slave_that_dies_in_an_operation_fails_it_and_leaves_no_drive() {
    let (mut drive, port, mut slave) = raw(Options::default());
    thread::scope(|scope| {
        scope.spawn(move || {
            assert_eq!(slave.next_operation().kind, WRITE);
            drop(slave);
        });
        let failed = drive
            .write(Transfer::Variable, &block_of(1, 70_000))
            .unwrap_err();
        assert_eq!(
            (failed.sense, failed.position),
            (Sense::HardwareError, None)
        );
    });
    assert!(
        drive
            .take_trouble()
            .unwrap()
            .contains("'write': it is gone")
    );
    assert_eq!(
        drive.write(Transfer::Variable, b"x").unwrap_err().sense,
        Sense::NoDrive
    );
    assert_eq!(drive.test_ready().unwrap_err().sense, Sense::NoDrive);
    assert_eq!(port.status().last_loss.as_deref(), Some("it is gone"));
}

/// PT-06: a new slave does not inherit half a record.
#[test]
fn a_new_slave_gets_nothing_of_what_another_one_began() {
    let (mut drive, port, mut slave) = raw(Options::default());
    thread::scope(|scope| {
        scope.spawn(move || {
            let write = slave.next_operation();
            slave.send(&message(DONE, write.id, &outcome(1, 1, 0, 0, 0), &[]));
            assert_eq!(slave.next_operation().kind, 21);
        });
        drive.write(Transfer::Variable, b"first piece").unwrap();
        assert_eq!(
            drive.extend(b"second").unwrap_err().sense,
            Sense::HardwareError
        );
    });
    let _served = on_socket(&port, model(), ServeOptions::default());
    assert_eq!(drive.extend(b"third").unwrap_err().sense, Sense::Reset);
    assert_eq!(
        drive.extend(b"third").unwrap_err().sense,
        Sense::MediumChanged
    );
    assert_eq!(
        drive.extend(b"third").unwrap_err().sense,
        Sense::IllegalRequest
    );
    let end = drive.space_to_end_of_data().unwrap();
    assert_eq!(end.position.object.0, 0, "nothing is on the new tape");
}

#[test]
fn half_a_request_in_a_stream_is_gone_with_its_reader() {
    let (mut drive, port) = master(Options::default());
    let end = attach_by_hand(&port);
    let reading = thread::spawn(move || {
        // The rewind of the unit attention, then the first half of a write.
        answer_by_hand(&end, &outcome(0, 0, 0, 0, 0));
        let mut half = [0; 1000];
        read_by_hand(&end, &mut half);
        end.hang_up();
    });
    greet(&mut drive);
    let failed = drive
        .write(Transfer::Variable, &block_of(3, 5000))
        .unwrap_err();
    assert_eq!(failed.sense, Sense::HardwareError);
    reading.join().unwrap();
    let end = port.attach_stream().unwrap();
    let mut first = [0; 4096];
    let length = read_some_by_hand(&end, &mut first);
    let hello = read_request(&mut &first[..length]).unwrap();
    assert_eq!(
        (hello.kind, length),
        (1, 52),
        "the greeting, and nothing else"
    );
}

/// PT-06: two slaves.
#[test]
fn a_second_slave_is_told_that_the_place_is_taken() {
    let (mut drive, port) = master(Options::default());
    let _first = on_socket(&port, model(), ServeOptions::default());
    let (own, other) = UnixStream::pair().unwrap();
    assert!(matches!(port.attach_socket(own), Err(AttachError::Busy)));
    assert!(matches!(port.attach_stream(), Err(AttachError::Busy)));
    let second = serve_in_thread(
        model(),
        Channel::socket(other).unwrap(),
        ServeOptions::default(),
    );
    let ended = second.recv_timeout(LONG).unwrap();
    assert!(
        matches!(&ended, Err(ServeError::Busy(why)) if why.contains("another slave")),
        "{ended:?}"
    );
    greet(&mut drive);
    drive
        .write(Transfer::Variable, b"the first goes on")
        .unwrap();
}

#[test]
fn who_is_being_greeted_holds_the_place() {
    with_timeout(|silence| {
        let (_drive, port) = master(silent_for(silence));
        let mut slow = RawSlave::silent(&port);
        assert!(matches!(port.attach_stream(), Err(AttachError::Busy)));
        assert_eq!(slow.goodbye(), (3, unanswered(silence)));
        let _attached = wait_for_place(&port);
    });
}

/// What a slave is told that did not answer in time.
fn unanswered(silence: Duration) -> String {
    format!("it did not answer within {silence:?}")
}

#[test]
fn a_slave_that_died_unnoticed_does_not_hold_the_place() {
    let (mut drive, port, slave) = raw(Options {
        keep_alive: LONG,
        ..Options::default()
    });
    assert!(port.is_attached());
    drop(slave);
    let _served = on_socket(&port, model(), ServeOptions::default());
    greet(&mut drive);
    drive.write(Transfer::Variable, b"to the new one").unwrap();
}

#[test]
fn a_slave_that_does_not_answer_is_dropped_after_its_time() {
    with_timeout(|silence| {
        let (mut drive, port, mut slave) = raw(silent_for(silence));
        let started = Instant::now();
        let failed = drive.write(Transfer::Variable, b"x").unwrap_err();
        assert_eq!(failed.sense, Sense::HardwareError);
        assert!(started.elapsed() >= silence);
        assert_eq!(slave.goodbye(), (3, unanswered(silence)));
        assert!(!port.is_attached());
    });
}

#[test]
fn a_reply_that_comes_byte_by_byte_must_be_whole_in_time() {
    with_timeout(|silence| {
        let (mut drive, _port, mut slave) = raw(silent_for(silence));
        let dripping = thread::spawn(move || {
            let write = slave.next_operation();
            for byte in message(DONE, write.id, &outcome(1, 1, 0, 0, 0), &[]) {
                if slave.0.write_all(&[byte]).is_err() {
                    return true;
                }
                thread::sleep(silence / 10);
            }
            false
        });
        assert_eq!(
            drive.write(Transfer::Variable, b"x").unwrap_err().sense,
            Sense::HardwareError
        );
        assert!(dripping.join().unwrap(), "the slave was cut off");
    });
}

/// A drive whose rewind takes long.
struct Slow(Box<dyn Drive>, Duration);

macro_rules! pass {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $($argument: $type),*) -> $result {
            self.0.$name($($argument),*)
        })*
    };
}

impl Drive for Slow {
    fn identity(&self) -> pseudotape_tape::Identity {
        self.0.identity()
    }
    fn block_limits(&self) -> pseudotape_tape::BlockLimits {
        self.0.block_limits()
    }
    fn execute(
        &mut self,
        motion: Motion,
    ) -> Result<pseudotape_tape::Done, pseudotape_tape::Failed> {
        if motion == Motion::Rewind {
            thread::sleep(self.1);
        }
        self.0.execute(motion)
    }
    pass! {
        test_ready() -> Result<(), pseudotape_tape::Failed>;
        mode() -> Result<pseudotape_tape::Mode, pseudotape_tape::Failed>;
        set_mode(change: ModeSelect) -> Result<(), pseudotape_tape::Failed>;
        read(transfer: Transfer, buffer: &mut [u8]) -> Result<pseudotape_tape::ReadDone, pseudotape_tape::Failed>;
        write(transfer: Transfer, data: &[u8]) -> Result<pseudotape_tape::Done, pseudotape_tape::Failed>;
        extend(data: &[u8]) -> Result<pseudotape_tape::Done, pseudotape_tape::Failed>;
        unload() -> Result<(), pseudotape_tape::Failed>;
        position() -> Result<pseudotape_tape::Position, pseudotape_tape::Failed>;
        capacity() -> Result<pseudotape_tape::Capacity, pseudotape_tape::Failed>;
        take_recovered() -> u32;
        set_door(door: pseudotape_tape::Door) -> Result<(), pseudotape_tape::Failed>;
    }
}

#[test]
fn a_slave_that_says_it_works_may_take_longer_than_it_may_be_silent() {
    with_timeout(|silence| {
        let (mut drive, port) = master(silent_for(silence));
        let slow = Box::new(Slow(model(), 3 * silence));
        let options = ServeOptions {
            working_every: Duration::from_millis(50),
            ..ServeOptions::default()
        };
        let _served = on_socket(&port, slow, options);
        greet(&mut drive);
        drive.rewind().unwrap();
    });
}

/// The interval of `working` depends on the timeout of the master.
#[test]
fn a_master_of_little_patience_hears_of_a_slow_slave_in_time() {
    with_timeout(|silence| {
        let (mut drive, port) = master(silent_for(silence));
        let slow = Box::new(Slow(model(), 3 * silence));
        let _served = on_socket(&port, slow, ServeOptions::default());
        greet(&mut drive);
        drive.rewind().unwrap();
    });
}

#[test]
fn a_slave_that_only_says_it_works_is_dropped_when_it_floods() {
    let (mut drive, port, mut slave) = raw(Options::default());
    let flooding = thread::spawn(move || {
        let write = slave.next_operation();
        let working = message(WORKING, write.id, &[], &[]);
        while slave.0.write_all(&working).is_ok() {}
    });
    assert_eq!(
        drive.write(Transfer::Variable, b"x").unwrap_err().sense,
        Sense::HardwareError
    );
    flooding.join().unwrap();
    assert!(
        port.status()
            .last_loss
            .unwrap()
            .contains("'working' 1000 times")
    );
}

/// PT-05: a malformed reply gives EIO on the master and a log line.
#[test]
fn whatever_is_wrong_with_a_reply_it_is_an_error_and_the_slave_is_dropped() {
    type Spoil = fn(u64) -> Vec<u8>;
    let cases: &[(&str, Spoil)] = &[
        ("not a message of this protocol", |_| vec![b'?'; 72]),
        ("version 2", |id| changed(id, 4, 2)),
        ("kind 0x8008", |id| message(0x8008, id, &[], &[])),
        ("does not answer 'write'", |id| {
            message(0x8007, id, &[0; 8], &[])
        }),
        ("kind 0x0014", |id| message(WRITE, id, &[0; 4], &[])),
        ("the reply has id", |id| {
            message(DONE, id + 1, &outcome(1, 1, 0, 0, 0), &[])
        }),
        ("flags 0x4", |id| changed(id, 16, 4)),
        ("flags 0x1", |id| changed(id, 16, 1)),
        ("a body of 129 bytes", |id| {
            message(DONE, id, &[0; 129], &[])
        }),
        ("a body of 31 bytes", |id| message(DONE, id, &[0; 31], &[])),
        ("a body of 33 bytes", |id| message(DONE, id, &[0; 33], &[])),
        ("a payload of 3 bytes exceeds the 0", |id| {
            message(DONE, id, &outcome(1, 1, 0, 0, 0), b"abc")
        }),
        ("checksum of the header", |id| {
            let mut bytes = message(DONE, id, &outcome(1, 1, 0, 0, 0), &[]);
            bytes[39] ^= 1;
            bytes
        }),
        ("checksum of the body", |id| {
            let mut bytes = message(DONE, id, &outcome(1, 1, 0, 0, 0), &[]);
            bytes[40] ^= 1;
            bytes
        }),
        ("a count of 2", |id| {
            message(DONE, id, &outcome(2, 2, 0, 0, 0), &[])
        }),
        ("a stop of 0", |id| {
            message(DONE, id, &outcome(0, 0, 0, 0, 0), &[])
        }),
        ("a stop of 5", |id| {
            message(DONE, id, &outcome(0, 0, 0, 5, 0), &[])
        }),
        ("a stop of 1", |id| {
            message(DONE, id, &outcome(1, 1, 0, 1, 0), &[])
        }),
        ("stop 8 is not known", |id| {
            message(DONE, id, &outcome(1, 1, 0, 8, 0), &[])
        }),
        ("sense 11 is not known", |id| {
            message(FAILED, id, &outcome(0, 0, 0, 0, 11), &[])
        }),
        ("sense 0 is not known", |id| {
            message(FAILED, id, &outcome(0, 0, 0, 0, 0), &[])
        }),
        ("position 2", |id| {
            message(DONE, id, &outcome(1, 2, 0, 0, 0), &[])
        }),
        ("no position", |id| {
            let mut body = outcome(1, 1, 0, 0, 0);
            body[29] = 0;
            message(DONE, id, &body, &[])
        }),
        ("does not answer 'write'", |id| {
            message(0x8004, id, &[0; 8], &[])
        }),
        ("does not answer 'write'", |id| {
            message(0x8001, id, &common::raw::welcome(), &[])
        }),
        ("72 bytes came that nothing had asked for", |id| {
            let mut twice = message(DONE, id, &outcome(1, 1, 0, 0, 0), &[]);
            twice.extend(twice.clone());
            twice
        }),
    ];
    for (expected, spoil) in cases {
        let (mut drive, port, mut slave) = raw(Options::default());
        let answering = thread::spawn(move || {
            let write = slave.next_operation();
            slave.send(&spoil(write.id));
            slave.goodbye()
        });
        let failed = drive.write(Transfer::Variable, b"x").unwrap_err();
        assert_eq!(failed.sense, Sense::HardwareError, "{expected}");
        let (reason, text) = answering.join().unwrap();
        assert_eq!(reason, 2, "{expected}: {text}");
        let loss = port.status().last_loss.unwrap();
        assert!(loss.contains(expected), "{expected:?} is not in {loss:?}");
        assert_eq!(drive.rewind().unwrap_err().sense, Sense::NoDrive);
    }
}

/// A good reply with one changed byte in its header, and a checksum to match.
fn changed(id: u64, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = message(DONE, id, &outcome(1, 1, 0, 0, 0), &[]);
    bytes[at] = byte;
    reseal(&mut bytes);
    bytes
}

#[test]
fn an_unknown_request_is_refused_and_the_slave_stays() {
    let (mut drive, _port, mut slave) = raw(Options::default());
    let answering = thread::spawn(move || {
        let erase = slave.next_operation();
        slave.send(&message(FAILED, erase.id, &outcome(0, 0, 0, 0, 10), &[]));
        let write = slave.next_operation();
        slave.send(&message(DONE, write.id, &outcome(1, 1, 0, 0, 0), &[]));
    });
    assert_eq!(
        drive.erase(EraseExtent::Short).unwrap_err().sense,
        Sense::IllegalRequest
    );
    drive.write(Transfer::Variable, b"x").unwrap();
    answering.join().unwrap();
}

#[test]
fn an_idle_slave_is_asked_whether_it_is_there() {
    with_timeout(|silence| {
        let (_drive, port) = master(Options {
            keep_alive: Duration::from_millis(50),
            silence,
            ..Options::default()
        });
        let end = attach_by_hand(&port);
        for _ in 0..3 {
            let alive = answer_by_hand(&end, &[0; 32]);
            assert_eq!(alive, 2);
        }
        // The fourth request is not answered.
        let mut rest = [0; 4096];
        assert_eq!(read_some_by_hand(&end, &mut rest), 40);
        let length = read_some_by_hand(&end, &mut rest);
        assert_eq!(
            read_request(&mut &rest[..length]).unwrap().kind,
            3,
            "goodbye"
        );
        assert_eq!(end.read(&mut rest), StreamRead::Ready(0));
        assert_eq!(end.write(b"late"), Err(StreamError::HungUp));
    });
}

#[test]
fn a_slave_that_writes_unasked_is_dropped() {
    let (mut drive, port) = master(Options::default());
    let end = attach_by_hand(&port);
    let refused = end.write(b"hello?").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "6 bytes came that nothing had asked for"
    );
    assert_eq!(drive.rewind().unwrap_err().sense, Sense::Reset);
    assert_eq!(drive.rewind().unwrap_err().sense, Sense::HardwareError);
    assert_eq!(drive.rewind().unwrap_err().sense, Sense::NoDrive);
}

#[test]
fn a_master_that_ends_sends_its_slaves_away() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("slave");
    let (drive, port) = master(Options::default());
    let listener = SlaveListener::bind(&socket, port.clone()).unwrap();
    let channel = Channel::open(&socket).unwrap();
    let served = serve_in_thread(model(), channel, ServeOptions::default());
    assert!(port.wait_attached(LONG));
    drop(drive);
    assert!(matches!(served.recv_timeout(LONG).unwrap(), Ok(())));
    assert!(matches!(port.attach_stream(), Err(AttachError::Ending)));
    drop(listener);
    assert!(!socket.exists());
}

#[test]
fn a_fifo_is_no_slave_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let refused = Channel::open(&path).map(drop).unwrap_err();
    assert!(refused.to_string().contains("it is a FIFO"), "{refused}");
}

#[test]
fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("slave");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let (_drive, port) = master(Options::default());
    let _listener = SlaveListener::bind(&socket, port.clone()).unwrap();
    assert!(SlaveListener::bind(&socket, port.clone()).is_err());
    let file = directory.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(SlaveListener::bind(&file, port).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
}

#[test]
fn transfers_larger_than_a_payload_go_in_parts_of_whole_blocks() {
    let (mut drive, port) = master(Options {
        largest_payload: 10_000,
        ..Options::default()
    });
    let _served = on_socket(&port, model(), ServeOptions::default());
    greet(&mut drive);
    assert_eq!(drive.block_limits().max_bytes, 10_000);
    let fixed = Transfer::Fixed(512.try_into().unwrap());
    let data = block_of(9, 100 * 512);
    let done = drive.write(fixed, &data).unwrap();
    assert_eq!((done.count, done.position.object.0), (100, 100));
    drive.rewind().unwrap();
    let mut buffer = vec![0; 120 * 512];
    let done = drive.read(fixed, &mut buffer).unwrap();
    assert_eq!((done.blocks, done.bytes), (100, 100 * 512));
    assert!(buffer[..data.len()] == data);
    // At the limit, and one byte above it.
    drive.write(Transfer::Variable, &data[..10_000]).unwrap();
    for length in [10_001, 20_000] {
        let refused = drive
            .write(Transfer::Variable, &data[..length])
            .unwrap_err();
        assert_eq!(refused.sense, Sense::IllegalRequest);
        let refused = drive.extend(&data[..length]).unwrap_err();
        assert_eq!(refused.sense, Sense::IllegalRequest);
    }
    let wide = Transfer::Fixed(10_001.try_into().unwrap());
    assert_eq!(
        drive.write(wide, &data[..10_001]).unwrap_err().sense,
        Sense::IllegalRequest
    );
}

fn attach_by_hand(port: &SlavePort) -> pseudotape_slave::StreamEnd {
    let end = port.attach_stream().unwrap();
    let mut hello = [0; 52];
    read_by_hand(&end, &mut hello);
    let id = u64::from_le_bytes(hello[8..16].try_into().unwrap());
    end.write(&message(0x8001, id, &common::raw::welcome(), &[]))
        .unwrap();
    assert!(port.wait_attached(LONG));
    end
}

/// Answers the next request, which must have no body and no payload. Returns its kind.
fn answer_by_hand(end: &pseudotape_slave::StreamEnd, body: &[u8]) -> u16 {
    let mut request = [0; 40];
    read_by_hand(end, &mut request);
    let id = u64::from_le_bytes(request[8..16].try_into().unwrap());
    end.write(&message(DONE, id, body, &[])).unwrap();
    u16::from_le_bytes([request[6], request[7]])
}

fn read_by_hand(end: &pseudotape_slave::StreamEnd, mut buffer: &mut [u8]) {
    while !buffer.is_empty() {
        let length = read_some_by_hand(end, buffer);
        buffer = &mut buffer[length..];
    }
}

fn read_some_by_hand(end: &pseudotape_slave::StreamEnd, buffer: &mut [u8]) -> usize {
    let (sender, bell) = std::sync::mpsc::channel();
    end.set_waker(move || sender.send(()).unwrap_or_default());
    loop {
        match end.read(buffer) {
            StreamRead::Ready(length) => return length,
            StreamRead::NotYet => bell.recv_timeout(LONG).expect("something comes"),
        }
    }
}

/// The port becomes free shortly after the goodbye.
fn wait_for_place(port: &SlavePort) -> pseudotape_slave::StreamEnd {
    let started = Instant::now();
    loop {
        match port.attach_stream() {
            Ok(end) => return end,
            Err(error) => assert!(started.elapsed() < LONG, "{error}"),
        }
        thread::yield_now();
    }
}
