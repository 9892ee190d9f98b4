#![no_main]
//! A tape file that somebody may have written as a stacked volume's.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_stack::fuzz_archive(bytes));
