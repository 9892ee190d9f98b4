//! Tests that need more than one crate.

pub mod conformance;
pub mod device;
pub mod modules;
pub mod reference;
pub mod source;

/// How the calls of a mount come in this run: what `pseudotape-dev --uring` takes. `tests/lib/with-uring` runs tests
/// over `io_uring`.
#[must_use]
pub fn uring() -> String {
    std::env::var("PSEUDOTAPE_TEST_URING").unwrap_or_else(|_| "never".into())
}
