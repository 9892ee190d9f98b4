//! A test that plays the kernel.

mod kernel;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::*;
use pseudotape_chardev::recorder::{Event, Recorder};
use pseudotape_chardev::{Calls, ProcCalls, WordSize};
use pseudotape_cuse::{CuseError, CuseNode, IoctlMode, NodeOptions, WAITING_OPENS_MAX};

fn served() -> (Arc<Recorder>, Kernel, CuseNode) {
    let device = Arc::new(Recorder::default());
    let (kernel, node, _) = serve(&device, IoctlMode::Restricted);
    (device, kernel, node)
}

#[test]
fn init_names_the_device_and_its_limits() {
    let device = Arc::new(Recorder::default());
    for (mode, flags) in [(IoctlMode::Restricted, 0), (IoctlMode::Unrestricted, 1)] {
        let (_kernel, _node, body) = serve(&device, mode);
        assert_eq!(
            body[..32],
            words(&[7, 31, 0, flags, 131_072, 131_072, 0, 0])
        );
        assert_eq!(&body[72..], b"DEVNAME=pmtm0\0");
    }
}

fn refused(first: impl FnOnce(&Kernel)) -> CuseError {
    let (kernel, theirs) = connect();
    first(&kernel);
    let device = Arc::new(Recorder::default());
    let calls: Arc<dyn Calls> = Arc::new(ProcCalls::new());
    CuseNode::on_descriptor(
        options(IoctlMode::Restricted),
        device,
        calls,
        theirs,
        |_| {},
    )
    .expect_err("it can't be served")
}

#[test]
fn another_protocol_is_refused_with_its_version() {
    for version in [[8, 0], [7, 11], [6, 99]] {
        let error = refused(|kernel| {
            kernel.send(INIT, &words(&[version[0], version[1], 0, 0]));
        });
        let text = error.to_string();
        assert!(
            text.contains(&format!("{}.{}", version[0], version[1])),
            "{text}"
        );
    }
    let error = refused(|kernel| {
        kernel.send(OPEN, &words(&[0, 0]));
    });
    assert!(matches!(error, CuseError::NoInit { .. }), "{error}");
    let error = refused(|kernel| kernel.send_bytes(b"nonsense"));
    assert!(error.to_string().contains("8 bytes"), "{error}");
}

#[test]
fn names_that_cannot_be_nodes_are_refused() {
    for name in ["", "a//b", "../mem", "a/..", "/a", "a\0b", &"x".repeat(201)] {
        let (_kernel, theirs) = connect();
        let options = NodeOptions {
            name: name.to_owned(),
            ..options(IoctlMode::Restricted)
        };
        let calls: Arc<dyn Calls> = Arc::new(ProcCalls::new());
        let error = CuseNode::on_descriptor(
            options,
            Arc::new(Recorder::default()),
            calls,
            theirs,
            |_| {},
        )
        .expect_err("it is no name");
        assert!(matches!(error, CuseError::BadName { .. }), "{error}");
    }
}

#[test]
fn pieces_of_a_write_become_one_record() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    let data: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    for (place, part) in [0, 131_072, 262_144].into_iter().zip(data.chunks(131_072)) {
        let written = kernel.write(handle, place, part);
        assert_eq!(written, Ok(part.len() as u32));
    }
    assert!(device.take_written() == [data.clone()]);
    device.put(data.clone());
    let mut read = Vec::new();
    while read.len() < data.len() {
        let part = kernel.read(handle, read.len() as u64, 131_072);
        read.extend(part.expect("it can be read"));
    }
    assert!(read == data);
    let events = device.take_events();
    assert_eq!(
        events[1..],
        [
            Event::Write(131_072),
            Event::Extend(131_072),
            Event::Extend(37_856),
            Event::Read(16 << 20)
        ]
    );
}

#[test]
fn a_read_of_more_than_was_agreed_on_is_invalid() {
    let (_device, kernel, _node) = served();
    let handle = kernel.open();
    assert_eq!(kernel.read(handle, 0, 131_073), Err(-22));
    assert_eq!(kernel.read(handle, 0, 131_072), Ok(Vec::new()));
}

fn ioctl_body(handle: u64, flags: u32, command: u32, input: &[u8], out_size: u32) -> Vec<u8> {
    let mut body = long_words(&[handle]);
    body.extend_from_slice(&words(&[flags, command]));
    body.extend_from_slice(&long_words(&[0x7fff_0000]));
    body.extend_from_slice(&words(&[input.len() as u32, out_size]));
    body.extend_from_slice(input);
    body
}

#[test]
fn a_restricted_ioctl_carries_its_argument_both_ways() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    device.take_events();
    let (error, _) = kernel.call(IOCTL, &ioctl_body(handle, 0, 0x4008_6d01, b"12345678", 0));
    assert_eq!(error, 0);
    device.set_ioctl_output(vec![7; 48]);
    // A 32-bit caller, whose structure is shorter than the device's answer.
    let (error, body) = kernel.call(IOCTL, &ioctl_body(handle, 0x9, 0x801c_6d02, b"", 28));
    assert_eq!(error, 0);
    assert_eq!(body, [words(&[0, 0, 0, 0]), vec![7; 28]].concat());
    let expected = [
        Event::Ioctl {
            command: 0x4008_6d01,
            input: b"12345678".to_vec(),
            word_size: WordSize::Bits64,
        },
        Event::Ioctl {
            command: 0x801c_6d02,
            input: Vec::new(),
            word_size: WordSize::Bits32,
        },
    ];
    assert_eq!(device.take_events(), expected);
}

#[test]
fn an_unrestricted_ioctl_is_asked_for_again_with_its_areas() {
    let device = Arc::new(Recorder::default());
    let (kernel, _node, _) = serve(&device, IoctlMode::Unrestricted);
    let handle = kernel.open();
    device.take_events();
    // The kernel knows no sizes at first.
    let (error, body) = kernel.call(IOCTL, &ioctl_body(handle, 0x2, 0x4008_6d01, b"", 0));
    let area = long_words(&[0x7fff_0000, 8]);
    assert_eq!((error, body), (0, [words(&[0, 4, 1, 0]), area].concat()));
    assert!(device.take_events().is_empty(), "nothing was done yet");
    let (error, body) = kernel.call(IOCTL, &ioctl_body(handle, 0x2, 0x4008_6d01, b"12345678", 0));
    assert_eq!((error, body), (0, words(&[0, 0, 0, 0])));
    assert_eq!(device.take_events().len(), 1);
}

#[test]
fn poll_and_unknown_requests_are_not_implemented() {
    let (_device, kernel, _node) = served();
    let handle = kernel.open();
    let poll = [long_words(&[handle, 0]), words(&[0, 0])].concat();
    assert_eq!(kernel.call(POLL, &poll).0, ENOSYS);
    assert_eq!(kernel.call(9999, b"anything").0, ENOSYS);
}

#[test]
fn a_broken_request_is_answered_and_the_next_one_served() {
    let (_device, kernel, _node) = served();
    assert_eq!(kernel.call(OPEN, &[0; 3]).0, EIO);
    kernel.send_bytes(b"not even a header");
    kernel.open();
}

#[test]
fn release_closes_the_file() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    let release = [long_words(&[handle]), words(&[0, 0, 0, 0])].concat();
    assert_eq!(kernel.call(RELEASE, &release).0, 0);
    assert_eq!(device.open_count(), 0);
}

#[test]
fn an_open_waits_until_the_device_is_ready() {
    let (device, kernel, _node) = served();
    device.set_not_ready(Duration::from_secs(600));
    let unique = kernel.send(OPEN, &words(&[0x8002, 0]));
    // Others are served in the meantime.
    assert_eq!(kernel.call(9999, b"").0, ENOSYS);
    device.set_ready();
    let (answered, (error, _)) = kernel.receive().expect("a reply");
    assert_eq!((answered, error), (unique, 0));
    assert_eq!(device.open_count(), 1);
}

#[test]
fn a_waiting_open_ends_when_its_time_is_up() {
    let (device, kernel, _node) = served();
    device.set_not_ready(Duration::from_millis(100));
    let since = Instant::now();
    assert_eq!(kernel.call(OPEN, &words(&[0x8002, 0])).0, EIO);
    assert!(since.elapsed() >= Duration::from_millis(100));
    assert_eq!(device.take_events().last(), Some(&Event::AbandonOpen));
}

#[test]
fn a_waiting_open_is_interrupted_and_other_calls_are_not() {
    let (device, kernel, _node) = served();
    device.set_not_ready(Duration::from_secs(600));
    let unique = kernel.send(OPEN, &words(&[0x8002, 0]));
    kernel.send(INTERRUPT, &long_words(&[99]));
    kernel.send(INTERRUPT, &long_words(&[unique]));
    let (answered, (error, _)) = kernel.receive().expect("a reply");
    assert_eq!((answered, error), (unique, EINTR));
    assert_eq!(device.take_events().last(), Some(&Event::AbandonOpen));
    device.set_ready();
    kernel.open();
    assert_eq!(device.open_count(), 1, "the interrupted open is not open");
}

#[test]
fn as_many_opens_as_the_limit_wait_and_one_more_is_busy() {
    let (device, kernel, node) = served();
    device.set_not_ready(Duration::from_secs(600));
    for _ in 0..WAITING_OPENS_MAX {
        kernel.send(OPEN, &words(&[0x8002, 0]));
    }
    assert_eq!(kernel.call(OPEN, &words(&[0x8002, 0])).0, EBUSY);
    node.stop();
    node.join().expect("it stops with opens waiting");
    assert!(kernel.is_closed(), "nobody keeps the device there");
    let abandoned = device.take_events().into_iter();
    let count = abandoned.filter(|e| *e == Event::AbandonOpen).count();
    assert_eq!(count, WAITING_OPENS_MAX + 1);
}

#[test]
fn stop_ends_the_node_and_closes_what_is_open() {
    let (device, kernel, node) = served();
    let handle = kernel.open();
    kernel.write(handle, 0, b"data").expect("it is taken");
    node.stop();
    node.join().expect("it was asked to");
    assert_eq!(device.open_count(), 0);
    assert!(kernel.is_closed());
}

#[test]
fn the_kernels_end_ends_the_node_and_is_told() {
    for destroyed in [true, false] {
        let (kernel, theirs) = connect();
        kernel.send(INIT, &words(&[7, 38, 0, 1]));
        let (send, ended) = std::sync::mpsc::channel();
        let node = CuseNode::on_descriptor(
            options(IoctlMode::Restricted),
            Arc::new(Recorder::default()),
            Arc::new(ProcCalls::new()),
            theirs,
            move |why| send.send(why).expect("the test listens"),
        )
        .expect("the versions fit");
        kernel.receive().expect("an answer to CUSE_INIT");
        if destroyed {
            assert_eq!(kernel.call(DESTROY, b"").0, 0);
        }
        drop(kernel);
        let why = ended.recv_timeout(Duration::from_secs(100));
        assert!(why.expect("it is told").contains("pmtm0"));
        assert!(matches!(node.join(), Err(CuseError::Ended { .. })));
    }
}
