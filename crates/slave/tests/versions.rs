//! Peers of other versions: a newer master falls back to an older version, and each side learns the versions of
//! the other one.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::raw::{DONE, RawRequest, RawSlave, message, read_request, reseal, welcome};
use common::{LONG, master, on_socket, serve_in_thread};
use pseudotape_drive::Personality;
use pseudotape_slave::{Channel, Nonsense, Options, ServeError, ServeOptions, VERSION, Versions};
use pseudotape_tape::Drive;
use pseudotape_testkit::{ModelCartridge, ModelDrive};

const HELLO: u16 = 1;
const GOODBYE: u16 = 3;
const TEST_READY: u16 = 16;
const WELCOME: u16 = 0x8001;
const UNSUPPORTED: u16 = 0x8007;

fn model() -> Box<dyn Drive> {
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(ModelCartridge::default());
    Box::new(drive)
}

/// A message whose header has another version.
fn of_version(version: u16, mut message: Vec<u8>) -> Vec<u8> {
    message[4..6].copy_from_slice(&version.to_le_bytes());
    reseal(&mut message);
    message
}

fn hello(id: u64, offers: u32) -> Vec<u8> {
    let numbers = [16 << 20, 60_000, offers];
    let body: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
    message(HELLO, id, &body, &[])
}

fn takes(welcome: &RawRequest) -> u32 {
    u32::from_le_bytes(welcome.body[72..76].try_into().unwrap())
}

/// The content of `unsupported`: oldest and newest version, and features.
fn known(reply: &RawRequest) -> (u16, u16, u32) {
    assert_eq!((reply.kind, reply.body.len()), (UNSUPPORTED, 8));
    let pair = |at: usize| u16::from_le_bytes(reply.body[at..at + 2].try_into().unwrap());
    let features = u32::from_le_bytes(reply.body[4..].try_into().unwrap());
    (pair(0), pair(2), features)
}

/// A master of version 2. Its greeting has another length than the one of version 1.
fn newer_master_falls_back(mut to: impl Write, mut from: impl Read) {
    let newer = of_version(2, message(HELLO, 5, b"something that version 2 says", &[]));
    for _ in 0..2 {
        to.write_all(&newer).unwrap();
        let reply = read_request(&mut from).unwrap();
        assert_eq!((reply.id, known(&reply)), (5, (1, 1, 1)));
    }
    to.write_all(&hello(6, 0)).unwrap();
    let reply = read_request(&mut from).unwrap();
    assert_eq!((reply.id, reply.kind, takes(&reply)), (6, WELCOME, 0));
    // The unit attentions of a new slave are reported first.
    for id in 7..9 {
        to.write_all(&message(TEST_READY, id, &[], &[])).unwrap();
        assert_eq!(read_request(&mut from).unwrap().id, id);
    }
    to.write_all(&message(TEST_READY, 9, &[], &[])).unwrap();
    assert_eq!(read_request(&mut from).unwrap().kind, DONE);
}

#[test]
fn a_newer_master_falls_back_to_the_version_of_the_slave() {
    let (master, slave) = UnixStream::pair().unwrap();
    master.set_read_timeout(Some(LONG)).unwrap();
    let channel = Channel::socket(slave).unwrap();
    let served = serve_in_thread(model(), channel, ServeOptions::default());
    newer_master_falls_back(&master, &master);
    drop(master);
    served.recv_timeout(LONG).unwrap().unwrap();
}

#[test]
fn a_newer_master_falls_back_on_a_byte_stream_too() {
    let (requests, to_slave) = std::io::pipe().unwrap();
    let (from_slave, replies) = std::io::pipe().unwrap();
    let channel = Channel::pipes(requests, replies);
    let served = serve_in_thread(model(), channel, ServeOptions::default());
    let to_slave = File::from(OwnedFd::from(to_slave));
    newer_master_falls_back(&to_slave, from_slave);
    drop(to_slave);
    served.recv_timeout(LONG).unwrap().unwrap();
}

#[test]
fn a_feature_that_is_only_offered_is_left_out_by_a_slave_that_does_not_know_it() {
    let (mut master, slave) = UnixStream::pair().unwrap();
    master.set_read_timeout(Some(LONG)).unwrap();
    let channel = Channel::socket(slave).unwrap();
    let _served = serve_in_thread(model(), channel, ServeOptions::default());
    master.write_all(&hello(1, 0xfffe)).unwrap();
    let reply = read_request(&mut master).unwrap();
    assert_eq!((reply.kind, takes(&reply)), (WELCOME, 0));
}

#[test]
fn a_feature_that_is_needed_is_refused_by_a_slave_that_does_not_know_it() {
    for bit in 16..32 {
        let (mut master, slave) = UnixStream::pair().unwrap();
        master.set_read_timeout(Some(LONG)).unwrap();
        let channel = Channel::socket(slave).unwrap();
        let _served = serve_in_thread(model(), channel, ServeOptions::default());
        master.write_all(&hello(1, 1 << bit)).unwrap();
        let reply = read_request(&mut master).unwrap();
        assert_eq!(known(&reply), (VERSION, VERSION, 1));
        // The slave is not attached yet, and accepts a greeting that does not require the feature.
        master.write_all(&hello(2, 0)).unwrap();
        assert_eq!(read_request(&mut master).unwrap().kind, WELCOME);
    }
}

#[test]
fn a_master_that_changes_its_version_later_talks_nonsense() {
    for later in [
        message(TEST_READY, 2, &[], &[]),
        message(HELLO, 2, &[0; 20], &[]),
    ] {
        let (mut master, slave) = UnixStream::pair().unwrap();
        master.set_read_timeout(Some(LONG)).unwrap();
        let channel = Channel::socket(slave).unwrap();
        let served = serve_in_thread(model(), channel, ServeOptions::default());
        master.write_all(&hello(1, 0)).unwrap();
        assert_eq!(read_request(&mut master).unwrap().kind, WELCOME);
        master.write_all(&of_version(2, later)).unwrap();
        let ended = served.recv_timeout(LONG).unwrap();
        assert!(
            matches!(
                ended,
                Err(ServeError::Nonsense(Nonsense::Version { found: 2 }))
            ),
            "{ended:?}"
        );
    }
}

#[test]
fn a_slave_without_a_common_version_is_told_what_the_master_speaks() {
    type MakeReply = fn(u64) -> Vec<u8>;
    let answers: [(&str, MakeReply); 2] = [
        ("the slave answers in version 2", |id| {
            of_version(2, message(WELCOME, id, &welcome(), &[]))
        }),
        ("the slave knows versions 2 to 3 and features 0x11", |id| {
            message(UNSUPPORTED, id, &[2, 0, 3, 0, 0x11, 0, 0, 0], &[])
        }),
    ];
    for (expected, answer) in answers {
        let (_drive, port) = master(Options::default());
        let mut slave = RawSlave::silent(&port);
        let hello = slave.next();
        slave.send(&answer(hello.id));
        let goodbye = slave.next();
        assert_eq!(
            (goodbye.kind, &goodbye.body[..4]),
            (GOODBYE, &[5, 0, 1, 1][..])
        );
        let text = String::from_utf8_lossy(&goodbye.body[4..]).into_owned();
        assert!(text.starts_with("the master speaks version 1 of"), "{text}");
        let deadline = Instant::now() + LONG;
        let loss = loop {
            let status = port.status();
            assert!(!status.attached && Instant::now() < deadline, "{status:?}");
            match status.last_loss {
                Some(loss) => break loss,
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        assert!(loss.contains(expected), "{expected:?} is not in {loss:?}");
        // The port is free for a slave of this version.
        let _served = on_socket(&port, model(), ServeOptions::default());
    }
}

#[test]
fn a_slave_says_which_versions_the_master_speaks_that_sends_it_away() {
    let (mut master, slave) = UnixStream::pair().unwrap();
    let channel = Channel::socket(slave).unwrap();
    let served = serve_in_thread(model(), channel, ServeOptions::default());
    let mut body = vec![0; 100];
    body[..8].copy_from_slice(&[5, 0, 2, 4, b's', b'o', b'r', b'y']);
    master.write_all(&message(GOODBYE, 0, &body, &[])).unwrap();
    let ended = served.recv_timeout(LONG).unwrap();
    let Err(ServeError::Unsupported { versions, text }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!((versions.oldest, versions.newest), (2, 4));
    assert_eq!(versions.to_string(), "versions 2 to 4");
    assert_eq!((text.as_str(), Versions::OURS.contain(2)), ("sory", false));
}
