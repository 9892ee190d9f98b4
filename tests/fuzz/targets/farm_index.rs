#![no_main]
//! The index of a volume of a disk farm.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_farm::fuzz_index(bytes));
