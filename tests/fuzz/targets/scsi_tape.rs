#![no_main]
//! Commands of any program to a tape drive's unit, with any data, over a drive that says and does what other bytes say.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_scsi::fuzz_tape(bytes));
