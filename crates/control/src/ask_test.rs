//! A question that must not take long.

use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};

use crate::{Error, Request, Response, ask};

/// A daemon that has hung takes no clients, and its queue is full. `connect(2)` would wait for a place there for ever.
#[test]
fn a_daemon_that_takes_no_clients_is_not_waited_for() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("control");
    let address = UnixAddr::new(&path).unwrap();
    let unix = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    let listener = unix(SockFlag::SOCK_CLOEXEC);
    bind(listener.as_raw_fd(), &address).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let mut queue = Vec::new();
    loop {
        let client = unix(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
        let connected = connect(client.as_raw_fd(), &address);
        queue.push(client);
        if connected.is_err() {
            break;
        }
    }
    let answer = ask::<_, Response>(&path, &Request::Status, Duration::from_millis(100));
    assert!(matches!(answer, Err(Error::Connect { .. })), "{answer:?}");
    // With a place in the queue it is the answer that does not come.
    drop(queue);
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let answer = ask::<_, Response>(&path, &Request::Status, Duration::from_millis(100));
    assert!(matches!(answer, Err(Error::NoAnswer { .. })), "{answer:?}");
}
