#![no_main]
//! What a server answers to our client.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_rmt::fuzz_reply(bytes));
