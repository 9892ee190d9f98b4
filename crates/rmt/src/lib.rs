//! The rmt protocol: tapes behind a program on another machine (`docs/RMT.md`).
//!
//! [`RmtDrive`] is the client: a [`Drive`](pseudotape_tape::Drive) whose tape is elsewhere.
//!
//! [`serve`] is a server for the tapes of a [`Shelf`]. It speaks what GNU tar, cpio, mt, dump, star and the BSDs send.

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod channel;
mod drive;
mod errno;
mod error;
mod flags;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod input;
mod node;
mod operation;
mod remote;
mod reply;
mod request;
mod server;
mod shelf;
mod wire;

pub use channel::{Channel, Sender};
pub use drive::RmtDrive;
pub use errno::System;
pub use error::Error;
pub use flags::BadFlags;
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::{fuzz_reply, fuzz_request};
pub use operation::Dialect;
pub use pseudotape_tape::Access;
pub use remote::{BadRemote, Limits, Reach, Remote};
pub use server::{ServeError, ServerOptions, refuse, serve};
pub use shelf::Shelf;

/// Longest record that goes over a connection.
pub const MAX_RECORD_BYTES: usize = 16 << 20;
