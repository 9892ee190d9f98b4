//! A disk farm on another host: docs/FARM-PROTOCOL.md has the bytes.
//!
//! A *link* is a connection over which packets go both ways, each with its number and checksums. Over it one *session*
//! serves one command of one *client*. Who the client is, the session is told by whoever let it in (sshd, or the
//! certificate of a TLS connection), and never by the client; [`AccessList`] says who may come.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod access;
mod client;
mod codec;
mod commands;
mod error;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
#[cfg(test)]
mod golden_test;
mod hook;
mod host;
mod how;
mod link;
mod message;
mod packet;
mod pipe;
mod place;
mod presence;
mod session;
mod tls;

pub use access::{ACCESS_NAME, ANY, AccessError, AccessList, BadPerson, Person};
pub use client::{
    AddOrder, Capsules, Client, Greeting, LentHere, LentThere, Loan, MergeOrder, Reached,
    ReleaseOrder, WrongFile,
};
pub use commands::{Commands, MAX_OUTPUT, NoCommands};
pub use error::{Error, Refusal};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_packets;
pub use hook::{Hook, Stored};
pub use host::Host;
pub use how::How;
pub use link::{ALIVE_EVERY, Link};
pub use message::{Ended, Inside, Message, Obstacle, Remedied, VolumeLine, Wrong};
pub use packet::{HEADER_BYTES, MAX_BODY_BYTES, OLDEST_VERSION, PATIENCE, PROTOCOL_VERSION};
pub use pipe::Pipe;
pub use place::{BadPlace, Place, TlsHost};
pub use presence::{NotEnded, Session, end_session, sessions};
pub use pseudotape_farm::Serving;
pub use session::{Served, refuse, serve};
pub use tls::{Accepted, HANDSHAKE, TLS_PORT, TlsFiles, TlsServer, UnfitFile};
