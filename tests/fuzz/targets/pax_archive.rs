#![no_main]
//! An archive that somebody else wrote.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_pax::fuzz_archive(bytes));
