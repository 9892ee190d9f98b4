#![no_main]
//! What a server answers to our client of remote changers.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_changer::fuzz_changer_reply(bytes));
