#![no_main]
//! What the kernel hands a CUSE server.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_wire::fuzz_decode(bytes));
