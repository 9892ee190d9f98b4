//! The slave protocol: messages at the level of `trait Drive`, [`SlaveDrive`] (the master's view of a drive
//! that another process serves), and [`serve`], the loop of a process that holds the slave end.
//!
//! docs/SLAVE-PROTOCOL.md describes the protocol byte by byte.
//!
//! A daemon that has the master end makes a [`SlaveDrive`] and keeps its [`SlavePort`]. A
//! [`SlaveListener`] attaches slaves that connect to a Unix socket; a frontend with a slave node calls
//! [`SlavePort::attach_stream`] when the node is opened, and then carries bytes between the node and the
//! [`StreamEnd`].

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod bodies;
mod channel;
mod check;
mod codec;
mod codes;
mod drive;
mod error;
mod foreign;
#[cfg(test)]
mod format_test;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod header;
mod limits;
mod line;
mod link;
mod listener;
mod lost;
#[cfg(test)]
mod mutation_test;
mod nonsense;
mod options;
mod port;
mod question;
mod reply;
mod request;
#[cfg(test)]
mod samples;
mod serve;
mod shared;
mod socket;
mod stream;
mod text;
mod versions;

pub use channel::Channel;
pub use drive::SlaveDrive;
pub use error::ServeError;
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::{fuzz_reply, fuzz_request};
pub use header::Checksums;
pub use limits::{HEADER_BYTES, MAGIC, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES, VERSION};
pub use listener::SlaveListener;
pub use nonsense::Nonsense;
pub use options::{Options, WithoutSlave};
pub use port::{AttachError, PortStatus, SlavePort};
pub use serve::{ServeOptions, serve, serve_with};
pub use stream::{StreamEnd, StreamError, StreamRead};
pub use versions::Versions;
