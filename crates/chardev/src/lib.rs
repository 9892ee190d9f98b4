//! What a frontend serves: [`CharDevice`], one character device with whole system calls; [`Pieces`],
//! which puts a system call together from the pieces that the kernel makes of it; and [`Stream`], a
//! device for whose bytes the pieces are all the same, and whose reads may wait.
//!
//! This crate knows neither tapes nor CUSE nor FUSE.

mod calls;
mod device;
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
    Area, CallTrouble, Caller, CharDevice, Errno, Handle, IoctlAreas, IoctlRequest, Opened, Told,
    Unmeasured, WordSize,
};
pub use pieces::{CALLS_IN_HAND_MAX, Cut, FirstPiece, Piece, Pieces};
pub use read_queue::ReadQueue;
pub use stream::{
    Answered, Reader, Readiness, Source, Stream, StreamRead, WAITING_POLLS_MAX, WAITING_READS_MAX,
    Waker, WhenEmpty,
};
