//! What a frontend serves: [`CharDevice`], one character device with whole system calls; and
//! [`Pieces`], which puts a system call together from the pieces that the kernel makes of it.
//!
//! This crate knows neither tapes nor CUSE nor FUSE.

mod calls;
mod device;
mod pieces;
#[cfg(any(test, feature = "recorder"))]
pub mod recorder;
mod staging;

pub use calls::{Call, CallShape, Calls, Direction, ProcCalls};
pub use device::{
    Area, Caller, CharDevice, Errno, Handle, IoctlAreas, IoctlRequest, Opened, Unmeasured, WordSize,
};
pub use pieces::{CALLS_IN_HAND_MAX, Cut, FirstPiece, Piece, Pieces};
