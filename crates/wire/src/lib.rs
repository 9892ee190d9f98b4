//! The kernel's FUSE protocol: its structures, and requests taken apart.
//!
//! A request comes in one run of bytes from `/dev/cuse` or `/dev/fuse`, and in three parts over `io_uring`. Both are
//! taken apart by the same code. This crate moves no bytes and knows no device.

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

#[allow(missing_docs)] // The names and their meaning are those of linux/fuse.h.
pub mod abi;
mod request;

#[cfg(any(test, feature = "fuzz"))]
pub use request::fuzz_decode;
pub use request::{
    Areas, DecodeError, FileRequest, Ioctl, NodeId, Poll, PollId, Request, RequestId, RequestKind,
    SetAttr, Transfer,
};
