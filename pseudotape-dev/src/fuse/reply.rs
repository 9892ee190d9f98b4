//! Answers to calls, whichever way the calls came.

use fuser::{
    FileHandle, FopenFlags, PollEvents, ReplyData, ReplyEmpty, ReplyIoctl, ReplyOpen, ReplyPoll,
    ReplyWrite,
};
use pseudotape_chardev::{Errno, Handle, Readiness};

use super::error::os;

/// An answer can always be an error.
pub(super) trait Reply: Send + Sized + 'static {
    fn refuse(self, errno: Errno);
}

/// To `open(2)`.
pub(super) trait OpenReply: Reply {
    fn opened(self, handle: Handle);
}

/// To a call that returns nothing.
pub(super) trait DoneReply: Reply {
    fn done(self);

    fn end(self, answer: Result<(), Errno>) {
        match answer {
            Ok(()) => self.done(),
            Err(errno) => self.refuse(errno),
        }
    }
}

/// To a piece of `write(2)`.
pub(super) trait WriteReply: Reply {
    fn taken(self, length: u32);

    fn wrote(self, answer: Result<usize, Errno>) {
        match answer {
            Ok(length) => self.taken(u32::try_from(length).unwrap_or(u32::MAX)),
            Err(errno) => self.refuse(errno),
        }
    }
}

/// To a piece of `read(2)`.
pub(super) trait ReadReply: Reply {
    fn bytes(self, bytes: &[u8]);
}

/// To `ioctl(2)`.
pub(super) trait IoctlReply: Reply {
    fn returned(self, result: i32, output: &[u8]);

    fn result(self, result: Result<(i32, Vec<u8>), Errno>) {
        match result {
            Ok((result, output)) => self.returned(result, &output),
            Err(errno) => self.refuse(errno),
        }
    }
}

/// To `poll(2)`.
pub(super) trait PollReply: Reply {
    fn ready(self, ready: Readiness);
}

macro_rules! refuse {
    ($($reply:ty),*) => {
        $(impl Reply for $reply {
            fn refuse(self, errno: Errno) {
                self.error(os(errno));
            }
        })*
    };
}

refuse!(
    ReplyData, ReplyEmpty, ReplyIoctl, ReplyOpen, ReplyPoll, ReplyWrite
);

impl OpenReply for ReplyOpen {
    fn opened(self, handle: Handle) {
        // No cache, no position: each read and write is a call to us, and each counts from 0.
        let flags =
            FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_STREAM | FopenFlags::FOPEN_NONSEEKABLE;
        ReplyOpen::opened(self, FileHandle(handle.0), flags);
    }
}

impl DoneReply for ReplyEmpty {
    fn done(self) {
        ReplyEmpty::ok(self);
    }
}

impl WriteReply for ReplyWrite {
    fn taken(self, length: u32) {
        ReplyWrite::written(self, length);
    }
}

impl ReadReply for ReplyData {
    fn bytes(self, bytes: &[u8]) {
        self.data(bytes);
    }
}

impl IoctlReply for ReplyIoctl {
    fn returned(self, result: i32, output: &[u8]) {
        self.ioctl(result, output);
    }
}

impl PollReply for ReplyPoll {
    fn ready(self, ready: Readiness) {
        self.poll(PollEvents::from_bits_truncate(ready.poll_bits()));
    }
}
