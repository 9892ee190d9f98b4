//! The server as other hosts meet it: over TLS, with certificates that the tests make.

mod common;
mod sessions;
#[path = "../../../crates/farm-net/tests/session/shared.rs"]
mod shared;
mod tls;
