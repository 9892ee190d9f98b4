#![no_main]
//! Sense and parameter data that claim to come from a changer.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_scsi::fuzz_data(bytes));
