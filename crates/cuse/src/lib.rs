//! The `/dev/cuse` protocol: a character device that is served by this process.
//!
//! [`Node::create`] makes a device node and a thread that answers its requests by calling a
//! [`CharDevice`](pseudotape_chardev::CharDevice). The thread that reads a request does its work:
//! handing it to another one costs more than the work. Only an `open` that waits gets a thread.
//!
//! This crate does not know what the device is.

mod abi;
mod channel;
mod error;
mod node;
mod request;
mod server;
mod waiting;

pub use error::CuseError;
pub use node::{IoctlMode, NAME_MAX_CHARS, Node, NodeOptions, is_available};
pub use request::{
    Areas, DecodeError, Ioctl, Request, RequestId, RequestKind, Transfer, fuzz_decode,
};
pub use waiting::WAITING_OPENS_MAX;
