//! Streams: reads that wait, and polls.

use fuser::{OpenFlags, PollEvents, PollFlags, PollNotifier, ReplyData, ReplyPoll};
use pseudotape_chardev::{
    Answered, Errno, Handle, Reader, Readiness, Stream, StreamRead, Waker, WhenEmpty,
};

use super::error::os;

/// The caller of a read. The caller waits for the answer whatever signal it gets: fuser tells the kernel that it
/// knows no INTERRUPT.
struct FuseReader(ReplyData);

impl Reader for FuseReader {
    fn answer(self: Box<Self>, answer: Result<&[u8], Errno>) -> Answered {
        match answer {
            Ok(bytes) => self.0.data(bytes),
            Err(errno) => self.0.error(os(errno)),
        }
        Answered::Yes
    }

    fn waits(&self) -> bool {
        true
    }
}

pub(super) fn read(
    stream: &dyn Stream,
    handle: Handle,
    place: (u64, usize),
    flags: OpenFlags,
    reply: ReplyData,
) {
    let (offset, room_bytes) = place;
    let when_empty = match offset {
        // The file has no position: each call counts from 0.
        0 if flags.0 & libc::O_NONBLOCK != 0 => WhenEmpty::Fail,
        0 => WhenEmpty::Wait,
        _ => WhenEmpty::End,
    };
    let read = StreamRead {
        handle,
        room_bytes,
        when_empty,
    };
    stream.read(read, Box::new(FuseReader(reply)));
}

pub(super) fn poll(
    stream: Option<&dyn Stream>,
    handle: Handle,
    flags: PollFlags,
    notifier: PollNotifier,
    reply: ReplyPoll,
) {
    let ready = match stream {
        // The answer that the kernel gives for files without poll. A refusal would end polling for the whole mount.
        None => Readiness::ALWAYS,
        Some(stream) => {
            let wants = flags.contains(PollFlags::FUSE_POLL_SCHEDULE_NOTIFY);
            let waker = wants.then(|| -> Waker {
                Box::new(move || {
                    if let Err(error) = notifier.notify() {
                        log::debug!("nobody polls any more: {error}");
                    }
                })
            });
            stream.poll(handle, waker)
        }
    };
    reply.poll(PollEvents::from_bits_truncate(ready.poll_bits()));
}
