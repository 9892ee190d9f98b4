//! A device that is a byte stream. Its reads may wait longer than a serving thread can be blocked.

use crate::numbers::{Errno, Handle};

/// How many reads of one stream may wait at a time; a further one is `EBUSY`.
pub const WAITING_READS_MAX: usize = 16;

/// How many polls of one stream may wait at a time; the oldest one is woken for a further one, and asks again.
pub const WAITING_POLLS_MAX: usize = 16;

/// What a `read` does when there is nothing to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenEmpty {
    /// Waits for bytes.
    Wait,
    /// Fails with `EAGAIN`: the file was opened, or set, not to block.
    Fail,
    /// Ends: this is a further piece of a call that has got something already.
    End,
}

/// A `read(2)` of a stream, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRead {
    /// The open file.
    pub handle: Handle,
    /// The most bytes that it takes.
    pub room_bytes: usize,
    /// What the read does when there is nothing to read.
    pub when_empty: WhenEmpty,
}

/// Whether an answer found its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The reader has the bytes.
    Yes,
    /// The reader gave up before: it has none of these bytes.
    TooLate,
}

/// A read that waits for its answer. A reader that is dropped without an answer gets `EIO`.
pub trait Reader: Send {
    /// Answers, from any thread. At most as many bytes as the read has room for; none is the end.
    fn answer(self: Box<Self>, answer: Result<&[u8], Errno>) -> Answered;

    /// Whether the reader still waits, as far as is known.
    fn waits(&self) -> bool;
}

/// Called once, from any thread, when a stream may have become ready; dropped when nobody polls any more.
pub type Waker = Box<dyn FnOnce() + Send>;

/// What a stream is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// A read would not wait.
    pub readable: bool,
    /// A write would not wait.
    pub writable: bool,
    /// The other end is gone.
    pub hung_up: bool,
}

impl Readiness {
    /// The kernel's answer for a file that knows no `poll`.
    pub const ALWAYS: Readiness = Readiness {
        readable: true,
        writable: true,
        hung_up: false,
    };

    /// As `poll(2)` names it: `POLLIN`, `POLLOUT`, `POLLRDNORM`, `POLLWRNORM`, `POLLHUP` of `asm-generic/poll.h`.
    #[must_use]
    pub fn poll_bits(self) -> u32 {
        let bits = |is: bool, bits| if is { bits } else { 0 };
        bits(self.readable, 0x0001 | 0x0040)
            | bits(self.writable, 0x0004 | 0x0100)
            | bits(self.hung_up, 0x0010)
    }
}

/// The calls of a device that is a byte stream: the kernel may cut them as it likes.
///
/// No method waits for the other end.
pub trait Stream: Send + Sync {
    /// `read(2)`: answers now, or keeps the reader and answers from the thread that has the bytes.
    fn read(&self, read: StreamRead, reader: Box<dyn Reader>);

    /// `write(2)`; a success is the whole length.
    fn write(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno>;

    /// `poll(2)`; the waker is kept until what it waits for may be there.
    fn poll(&self, handle: Handle, waker: Option<Waker>) -> Readiness;
}

/// Where the bytes of a stream come from, when they are not in a [`ReadQueue`](crate::ReadQueue) already.
pub trait Source {
    /// Hands the next bytes, at most `max`, to `use_bytes`; none at the end of the stream. `false`: nothing
    /// is there yet, and nothing was handed.
    fn take(&mut self, max: usize, use_bytes: &mut dyn FnMut(&[u8])) -> bool;
}
