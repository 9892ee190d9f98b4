//! The interface between frontends and devices. [`CharDevice`] is a character device that gets whole system
//! calls. [`Pieces`] reassembles a system call from the pieces into which the kernel cut it. [`Stream`] is a
//! byte stream: it needs no reassembly, and its reads may wait.
//!
//! This crate knows neither tapes nor CUSE nor FUSE.

mod calls;
mod device;
mod last_close;
mod news;
mod numbers;
mod pieces;
#[cfg(any(test, feature = "recorder"))]
pub mod pipe;
mod read_queue;
#[cfg(any(test, feature = "recorder"))]
pub mod recorder;
mod staging;
mod stream;

pub use calls::{Blind, Call, CallOf, CallShape, Calls, Direction, ProcCalls, Reach};
pub use device::{
    Area, CallTrouble, Caller, CharDevice, IoctlAreas, IoctlRequest, Opened, Told, Unmeasured,
    WordSize,
};
pub use last_close::{Flush, LastClose};
pub use news::News;
pub use numbers::{Errno, Handle};
pub use pieces::{CALLS_IN_HAND_MAX, Cut, FirstPiece, Piece, Pieces};
pub use read_queue::ReadQueue;
pub use stream::{
    Answered, Reader, Readiness, Source, Stream, StreamRead, WAITING_POLLS_MAX, WAITING_READS_MAX,
    Waker, WhenEmpty,
};
