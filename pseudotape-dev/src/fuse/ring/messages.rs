//! What goes through `/dev/fuse` although requests come over `io_uring`: interrupts, inodes that are forgotten, and the
//! waking of polls.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use pseudotape_wire::{PollId, Request, RequestId, RequestKind, abi};
use zerocopy::IntoBytes;

use crate::fuse::node::TRANSFER_MAX_BYTES;

/// The kernel hands nothing to a reader whose buffer could not hold the largest request.
const BUFFER_BYTES: usize = TRANSFER_MAX_BYTES as usize + 4096;

/// The file of a connection.
#[derive(Clone)]
pub(super) struct Messages {
    file: Arc<File>,
}

impl Messages {
    pub(super) fn new(connection: OwnedFd) -> io::Result<Self> {
        Ok(Messages {
            file: Arc::new(File::from(connection)),
        })
    }

    /// Reads until the connection ends. Tells of each request whose caller has a signal.
    pub(super) fn run(&self, interrupt: impl Fn(RequestId)) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let length = match (&*self.file).read(&mut buffer) {
                Ok(length) => length,
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENODEV) => return Ok(()),
                    Some(libc::EINTR | libc::EAGAIN | libc::ENOENT) => continue,
                    _ => return Err(error),
                },
            };
            let bytes = buffer.get(..length).unwrap_or(&buffer);
            match Request::decode(bytes) {
                Ok(request) => match request.kind {
                    RequestKind::Interrupt(unique) => interrupt(unique),
                    RequestKind::Forget => {}
                    RequestKind::Destroy => {
                        self.send(request.unique.0, 0, &[]);
                        return Ok(());
                    }
                    other => {
                        log::error!("a request that should come over io_uring: {other:?}");
                        self.send(request.unique.0, -libc::EIO, &[]);
                    }
                },
                Err(error) => {
                    log::error!("a message through /dev/fuse: {error}");
                    if let Some(unique) = error.to_answer() {
                        self.send(unique.0, -libc::EIO, &[]);
                    }
                }
            }
        }
    }

    /// Tells the kernel that a file it polls may be ready now.
    pub(super) fn wake_poll(&self, poll: PollId) {
        let body = abi::NotifyPollWakeupOut { kh: poll.0 };
        self.send(0, abi::NOTIFY_POLL, body.as_bytes());
    }

    /// A message that answers nothing has 0 for the request, and what it is in place of an error.
    fn send(&self, unique: u64, error: i32, body: &[u8]) {
        let length = size_of::<abi::OutHeader>() + body.len();
        let header = abi::OutHeader {
            len: u32::try_from(length).unwrap_or(u32::MAX),
            error,
            unique,
        };
        if let Err(error) = (&*self.file).write_all(&[header.as_bytes(), body].concat()) {
            // Nobody waits any more.
            log::debug!("a message of {length} bytes to the kernel: {error}");
        }
    }
}
