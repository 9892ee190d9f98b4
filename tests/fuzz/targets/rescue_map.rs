#![no_main]
//! A text of any origin, taken for the map of a rescue.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_rescue::fuzz_map(bytes));
