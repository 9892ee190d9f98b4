#![no_main]
//! The structures of the tape ioctls, from any caller.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_mtio::fuzz_decode(bytes));
