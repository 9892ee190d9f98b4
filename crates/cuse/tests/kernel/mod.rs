//! The kernel's end of the protocol, played over a socket that keeps requests apart as `/dev/cuse` does.

// Not every test needs all of it.
#![allow(dead_code)]

use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::socket::{setsockopt, sockopt};
use pseudotape_chardev::{Calls, CharDevice, ProcCalls};
use pseudotape_cuse::{CuseNode, IoctlMode, NodeOptions};

pub const INIT: u32 = 4096;
pub const OPEN: u32 = 14;
pub const READ: u32 = 15;
pub const WRITE: u32 = 16;
pub const RELEASE: u32 = 18;
pub const INTERRUPT: u32 = 36;
pub const DESTROY: u32 = 38;
pub const IOCTL: u32 = 39;
pub const POLL: u32 = 40;

pub const EINTR: i32 = -4;
pub const EIO: i32 = -5;
pub const EBUSY: i32 = -16;
pub const ENOSYS: i32 = -38;

/// The kernel's end.
pub struct Kernel {
    pub socket: OwnedFd,
    pub unique: std::cell::Cell<u64>,
}

/// A reply: error and body.
pub type Reply = (i32, Vec<u8>);

impl Kernel {
    pub fn send(&self, opcode: u32, body: &[u8]) -> u64 {
        let unique = self.unique.get() + 2;
        self.unique.set(unique);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(40 + body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&opcode.to_le_bytes());
        bytes.extend_from_slice(&unique.to_le_bytes());
        // Node, user, group, task and padding: the task is unknown.
        bytes.extend_from_slice(&[0; 24]);
        bytes.extend_from_slice(body);
        self.send_bytes(&bytes);
        unique
    }

    pub fn send_bytes(&self, bytes: &[u8]) {
        send(
            std::os::fd::AsRawFd::as_raw_fd(&self.socket),
            bytes,
            MsgFlags::MSG_NOSIGNAL,
        )
        .expect("the daemon's end is open");
    }

    pub fn receive(&self) -> Option<(u64, Reply)> {
        let mut bytes = vec![0; 200_000];
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.socket);
        let length = recv(fd, &mut bytes, MsgFlags::empty()).ok()?;
        if length == 0 {
            return None;
        }
        bytes.truncate(length);
        assert_eq!(u32_at(&bytes, 0) as usize, length, "length in the header");
        let error = u32_at(&bytes, 4) as i32;
        let unique = u64_at(&bytes, 8);
        Some((unique, (error, bytes.split_off(16))))
    }

    /// Whether the daemon has closed its end, now.
    pub fn is_closed(&self) -> bool {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.socket);
        recv(fd, &mut [0; 1], MsgFlags::MSG_DONTWAIT) == Ok(0)
    }

    pub fn call(&self, opcode: u32, body: &[u8]) -> Reply {
        let unique = self.send(opcode, body);
        let (answered, reply) = self.receive().expect("a reply");
        assert_eq!(answered, unique);
        reply
    }

    pub fn open(&self) -> u64 {
        let (error, body) = self.call(OPEN, &words(&[0x8002, 0]));
        assert_eq!((error, body.len()), (0, 16));
        u64_at(&body, 0)
    }

    pub fn write(&self, handle: u64, offset: u64, data: &[u8]) -> Result<u32, i32> {
        let mut body = transfer(handle, offset, data.len() as u32);
        body.extend_from_slice(data);
        match self.call(WRITE, &body) {
            (0, body) => Ok(u32_at(&body, 0)),
            (error, _) => Err(error),
        }
    }

    pub fn read(&self, handle: u64, offset: u64, size: u32) -> Result<Vec<u8>, i32> {
        match self.call(READ, &transfer(handle, offset, size)) {
            (0, body) => Ok(body),
            (error, _) => Err(error),
        }
    }
}

pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub fn long_words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub fn transfer(handle: u64, offset: u64, size: u32) -> Vec<u8> {
    let mut body = long_words(&[handle, offset]);
    body.extend_from_slice(&words(&[size, 0, 0, 0, 0x8002, 0]));
    body
}

pub fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(bytes[place..place + 4].try_into().expect("four bytes"))
}

pub fn u64_at(bytes: &[u8], place: usize) -> u64 {
    u64::from_le_bytes(bytes[place..place + 8].try_into().expect("eight bytes"))
}

pub fn options(ioctls: IoctlMode) -> NodeOptions {
    NodeOptions {
        name: "pmtm0".to_owned(),
        mode: 0o660,
        gid: None,
        ioctls,
    }
}

pub fn connect() -> (Kernel, OwnedFd) {
    let (socket, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .expect("a socket pair");
    setsockopt(&socket, sockopt::SndBuf, &(1 << 20)).expect("a larger buffer");
    setsockopt(&theirs, sockopt::SndBuf, &(1 << 20)).expect("a larger buffer");
    let timeout = nix::sys::time::TimeVal::new(10, 0);
    setsockopt(&socket, sockopt::ReceiveTimeout, &timeout).expect("a timeout");
    let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
    nix::fcntl::fcntl(&theirs, flags).expect("it can be told not to block");
    let unique = std::cell::Cell::new(0);
    (Kernel { socket, unique }, theirs)
}

pub fn serve<D: CharDevice + 'static>(
    device: &Arc<D>,
    ioctls: IoctlMode,
) -> (Kernel, CuseNode, Vec<u8>) {
    let (kernel, theirs) = connect();
    kernel.send(INIT, &words(&[7, 38, 0, 1]));
    let calls: Arc<dyn Calls> = Arc::new(ProcCalls::new());
    let node = CuseNode::on_descriptor(options(ioctls), device.clone(), calls, theirs, |_| {})
        .expect("the versions fit");
    let (_, (error, body)) = kernel.receive().expect("an answer to CUSE_INIT");
    assert_eq!(error, 0);
    (kernel, node, body)
}
