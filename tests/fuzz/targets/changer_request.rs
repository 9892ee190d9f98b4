#![no_main]
//! What a client of remote changers sends to our server.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_changer::fuzz_changer_request(bytes));
