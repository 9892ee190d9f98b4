#![no_main]
//! What a client asks of our server.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_rmt::fuzz_request(bytes));
