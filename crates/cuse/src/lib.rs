//! The `/dev/cuse` protocol: a character device that is served by this process.
//!
//! [`CuseNode::create`] makes a device node and a thread that answers its requests by calling a
//! [`CharDevice`](pseudotape_chardev::CharDevice). The thread that reads a request does its work:
//! handing it to another one costs more than the work. An `open` that waits gets a thread; a `read` of a
//! [`Stream`](pseudotape_chardev::Stream) that waits gets none: the thread that has its bytes answers it.
//!
//! This crate does not know what the device is.

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod channel;
mod error;
mod node;
mod parked;
mod server;
mod waiting;

pub use error::CuseError;
pub use node::{CuseNode, IoctlMode, NAME_MAX_CHARS, NodeOptions, is_available};
pub use waiting::WAITING_OPENS_MAX;
