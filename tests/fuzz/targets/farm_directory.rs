#![no_main]
//! The directory of a volume of a disk farm.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_farm::fuzz_directory(bytes));
