#![no_main]
//! A block of any origin, taken for what a filter stored; and any block, filtered and back.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_filter::fuzz_block(bytes));
