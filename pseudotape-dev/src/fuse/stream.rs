//! Streams: reads that wait, and polls.

use pseudotape_chardev::{
    Answered, Errno, Handle, Reader, Readiness, Stream, StreamRead, Waker, WhenEmpty,
};

use super::reply::{PollReply, ReadReply};

/// The caller of a read that came through `/dev/fuse`. The caller waits for the answer whatever signal it gets: fuser
/// tells the kernel that it knows no INTERRUPT.
struct Uninterrupted<R>(R);

impl<R: ReadReply> Reader for Uninterrupted<R> {
    fn answer(self: Box<Self>, answer: Result<&[u8], Errno>) -> Answered {
        match answer {
            Ok(bytes) => self.0.bytes(bytes),
            Err(errno) => self.0.refuse(errno),
        }
        Answered::Yes
    }

    fn waits(&self) -> bool {
        true
    }
}

/// A reader who can't be interrupted.
pub(super) fn uninterrupted(reply: impl ReadReply) -> Box<dyn Reader> {
    Box::new(Uninterrupted(reply))
}

pub(super) fn read(
    stream: &dyn Stream,
    handle: Handle,
    (offset, room_bytes): (u64, usize),
    flags: i32,
    reader: Box<dyn Reader>,
) {
    let when_empty = match offset {
        // The file has no position: each call counts from 0.
        0 if flags & libc::O_NONBLOCK != 0 => WhenEmpty::Fail,
        0 => WhenEmpty::Wait,
        _ => WhenEmpty::End,
    };
    let read = StreamRead {
        handle,
        room_bytes,
        when_empty,
    };
    stream.read(read, reader);
}

pub(super) fn poll(
    stream: Option<&dyn Stream>,
    handle: Handle,
    waker: Option<Waker>,
    reply: impl PollReply,
) {
    reply.ready(match stream {
        // The answer that the kernel gives for files without poll. A refusal would end polling for the whole mount.
        None => Readiness::ALWAYS,
        Some(stream) => stream.poll(handle, waker),
    });
}
