#![no_main]
//! What a slave answers a master.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_slave::fuzz_reply(bytes));
