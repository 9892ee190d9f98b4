#![no_main]
//! What a capsule of a disk farm has: its record and its archive.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_farm::fuzz_capsule(bytes));
