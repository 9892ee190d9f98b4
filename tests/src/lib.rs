//! Tests that need more than one crate.

pub mod conformance;
pub mod device;
pub mod modules;
pub mod reference;
pub mod source;
