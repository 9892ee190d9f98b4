//! TLS 1.3 with a certificate on each side. What is below the packets changes, and not the packets: they keep their
//! checksums, which are compared by the programs at the ends.

mod client;
mod files;
mod person;
mod secure;
mod server;
mod words;

pub use files::{TlsFiles, UnfitFile};
pub use server::{Accepted, HANDSHAKE, TlsServer};

pub(crate) use client::connect;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The port of farms, where nobody says another one.
pub const TLS_PORT: u16 = 22256;

/// The library that is linked for encrypted volumes as well.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// This version and no other: a client has no earlier one, and what an earlier one allows can't be asked for.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
