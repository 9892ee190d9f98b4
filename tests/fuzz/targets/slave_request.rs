#![no_main]
//! What a master asks of a slave.

#[path = "../../../crates/slave/tests/common/null.rs"]
mod null;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pseudotape_slave::fuzz_request(bytes, &mut null::NullDrive::default());
});
