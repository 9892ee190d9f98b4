//! Reads that wait in a stream, when a test plays the kernel.

mod kernel;

use std::sync::Arc;

use kernel::*;
use pseudotape_chardev::pipe::Pipe;
use pseudotape_cuse::{CuseNode, IoctlMode};

const EAGAIN: i32 = -11;
const O_NONBLOCK: u32 = 0x800;
const SCHEDULE_NOTIFY: u32 = 1;
const POLLIN: u32 = 0x41;
const POLLOUT: u32 = 0x104;

fn served() -> (Arc<Pipe>, Kernel, CuseNode) {
    let device = Arc::new(Pipe::default());
    let (kernel, node, _) = serve(&device, IoctlMode::Restricted);
    (device, kernel, node)
}

fn piece(handle: u64, offset: u64, flags: u32) -> Vec<u8> {
    let mut body = long_words(&[handle, offset]);
    body.extend_from_slice(&words(&[100, 0, 0, 0, 2 | flags, 0]));
    body
}

fn poll(handle: u64, flags: u32) -> Vec<u8> {
    [long_words(&[handle, 77]), words(&[flags, 0])].concat()
}

#[test]
fn a_read_waits_while_others_are_served() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    let waiting = kernel.send(READ, &piece(handle, 0, 0));
    assert_eq!(kernel.write(handle, 0, b"meanwhile"), Ok(9));
    assert_eq!(device.take_written(), b"meanwhile");
    device.put(b"at last");
    assert_eq!(kernel.receive(), Some((waiting, (0, b"at last".to_vec()))));
}

#[test]
fn an_interrupted_read_takes_nothing_with_it() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    let waiting = kernel.send(READ, &piece(handle, 0, 0));
    kernel.send(INTERRUPT, &long_words(&[waiting]));
    assert_eq!(kernel.receive(), Some((waiting, (EINTR, Vec::new()))));
    device.put(b"kept");
    assert_eq!(kernel.read(handle, 0, 100), Ok(b"kept".to_vec()));
    // Nobody waits for that one any more, nor for one that never was.
    kernel.send(INTERRUPT, &long_words(&[waiting]));
    kernel.send(INTERRUPT, &long_words(&[9999]));
    assert_eq!(kernel.write(handle, 0, b"goes on"), Ok(7));
}

#[test]
fn more_reads_than_the_limit_may_wait_one_after_the_other() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    for _ in 0..2 * pseudotape_chardev::WAITING_READS_MAX {
        let waiting = kernel.send(READ, &piece(handle, 0, 0));
        kernel.send(INTERRUPT, &long_words(&[waiting]));
        assert_eq!(kernel.receive(), Some((waiting, (EINTR, Vec::new()))));
    }
    let waiting = kernel.send(READ, &piece(handle, 0, 0));
    assert_eq!(kernel.write(handle, 0, b"x"), Ok(1));
    device.put(b"y");
    assert_eq!(kernel.receive(), Some((waiting, (0, b"y".to_vec()))));
}

#[test]
fn a_read_that_may_not_wait_is_told_so() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    assert_eq!(kernel.call(READ, &piece(handle, 0, O_NONBLOCK)).0, EAGAIN);
    device.put(b"now");
    let answer = kernel.call(READ, &piece(handle, 0, O_NONBLOCK));
    assert_eq!(answer, (0, b"now".to_vec()));
}

#[test]
fn a_further_piece_of_a_read_does_not_wait() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    device.put(&[7; 150]);
    assert_eq!(kernel.call(READ, &piece(handle, 0, 0)).1.len(), 100);
    assert_eq!(kernel.call(READ, &piece(handle, 100, 0)).1.len(), 50);
    assert_eq!(kernel.call(READ, &piece(handle, 150, 0)), (0, Vec::new()));
}

#[test]
fn release_and_stop_end_reads_that_wait() {
    let (device, kernel, node) = served();
    let handle = kernel.open();
    let waiting = kernel.send(READ, &piece(handle, 0, 0));
    let release = [long_words(&[handle]), words(&[0, 0, 0, 0])].concat();
    let released = kernel.send(RELEASE, &release);
    assert_eq!(kernel.receive(), Some((waiting, (EIO, Vec::new()))));
    assert_eq!(kernel.receive(), Some((released, (0, Vec::new()))));
    assert!(!device.is_open());
    let handle = kernel.open();
    let waiting = kernel.send(READ, &piece(handle, 0, 0));
    while device.asked() < 2 {
        std::thread::yield_now();
    }
    node.stop();
    assert_eq!(kernel.receive(), Some((waiting, (EIO, Vec::new()))));
    node.join().expect("it stops with a read waiting");
    assert!(!device.is_open());
    assert!(kernel.is_closed(), "nobody keeps the device there");
}

#[test]
fn a_poll_is_answered_and_woken_by_bytes() {
    let (device, kernel, _node) = served();
    let handle = kernel.open();
    let ready = |bits: u32| (0, words(&[bits, 0]));
    assert_eq!(kernel.call(POLL, &poll(handle, 0)), ready(POLLOUT));
    assert_eq!(
        kernel.call(POLL, &poll(handle, SCHEDULE_NOTIFY)),
        ready(POLLOUT)
    );
    device.put(b"x");
    // Not a reply: no request, the kind of the message in place of an error, and whom to wake.
    assert_eq!(kernel.receive(), Some((0, (1, long_words(&[77])))));
    assert_eq!(kernel.call(POLL, &poll(handle, 0)), ready(POLLIN | POLLOUT));
}
